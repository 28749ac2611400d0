# make demo   the whole demo experiment, from drawing its pictures to the report
# make test   all checks and tests
# Both set up a virtual environment in .venv first; nothing outside of this folder is touched.

PYTHON ?= python3.11
VENV ?= .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export HF_HUB_OFFLINE ?= 1
export XDG_CACHE_HOME ?= $(CURDIR)/.venv/cache
export MPLCONFIGDIR ?= $(CURDIR)/.venv/cache/matplotlib

.PHONY: zero-shot-env demo demo-l2t demo-small report test check lock clean

demo: $(VENV)/ready
	snakemake
	snakemake --report report.html
	@echo "Look at results/demo/ and open report.html in a browser."

# The demo and the demo with L2T, and one table of both.
demo-l2t: $(VENV)/ready
	snakemake
	snakemake all compare --configfile config/experiments/demo-l2t.yaml
	@cat results/demo-l2t/comparison.md

demo-small: $(VENV)/ready
	snakemake --configfile config/experiments/demo-small.yaml

test: $(VENV)/ready check
	python -m pytest -q -n 2 --dist worksteal

check: $(VENV)/ready
	ruff check
	ruff format --check
	mypy
	snakefmt --check Snakefile rules
	snakemake --lint

$(VENV)/ready: envs/install.sh envs/lock.txt pyproject.toml
	bash envs/install.sh "$(PYTHON)" "$(VENV)"

# lmms-eval in an environment of its own; its interpreter goes into zero_shot.python of a config.
zero-shot-env:
	"$(PYTHON)" -m venv .venv-zero-shot
	sed -n 's/^      - //p' envs/zero_shot.yaml > .venv-zero-shot/requirements.txt
	.venv-zero-shot/bin/python -m pip install --quiet -r .venv-zero-shot/requirements.txt
	@echo "zero_shot.python: $(CURDIR)/.venv-zero-shot/bin/python"

lock:
	rm -rf .venv-lock && bash envs/install.sh "$(PYTHON)" .venv-lock unlocked
	.venv-lock/bin/python envs/lock.py && rm -rf .venv-lock

clean:
	rm -rf $(VENV) .snakemake results/*/ data/*/
