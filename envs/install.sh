#!/usr/bin/env bash
# Sets up a virtual environment with the locked requirements: install.sh PYTHON VENV [unlocked]
set -euo pipefail
python=$1 venv=$2 mode=${3:-locked}
cd "$(dirname "$0")/.."

fail() { echo "error: $*" >&2; exit 1; }

command -v "$python" > /dev/null || python=python3
command -v "$python" > /dev/null || fail "Python 3.11 or newer is needed, and there is no '$python' on the PATH"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "Python 3.11 or newer is needed, found $("$python" --version); name another one with make PYTHON=..."
"$python" -c 'import venv, ensurepip' 2> /dev/null ||
    fail "$python cannot make virtual environments; install its venv package (on Debian: python3-venv)"
free_gb=$(df -Pk . | awk 'NR == 2 {print int($4 / 1048576)}')
[ "$free_gb" -ge 4 ] || fail "4 GB of free disk space are needed in $PWD, found $free_gb GB"
command -v java > /dev/null ||
    echo "note: there is no Java; everything runs without it but the metric CIDEr-PTB" >&2

echo "Setting up $venv (some minutes the first time)"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
pip() { "$venv/bin/python" -m pip --disable-pip-version-check --quiet "$@"; }

torch=$(grep -E '^torch==' envs/lock.txt 2> /dev/null || echo "torch==2.13.0")
if ! "$venv/bin/python" -c "import torch, sys; sys.exit(torch.__version__.split('+')[0] != '${torch#torch==}')" 2> /dev/null; then
    if [ "$(uname -s)" = Linux ] && ! command -v nvidia-smi > /dev/null; then
        # No GPU: the CPU build, from the indexes that pip knows or else from PyTorch's own.
        pip install "$torch+cpu" 2> /dev/null ||
            pip install "$torch+cpu" --index-url https://download.pytorch.org/whl/cpu
    else
        pip install "$torch"
    fi
fi
constraints=()
[ "$mode" = unlocked ] || constraints=(--constraint envs/lock.txt)
# "compat" puts this folder itself on the path, where Snakemake looks for its logger plugins.
pip install "${constraints[@]}" --config-settings editable_mode=compat --editable ".[workflow,slurm,train,evaluate,report,dev]"
"$venv/bin/python" -c "import torch; print('ready: torch', torch.__version__, '| GPUs:', torch.cuda.device_count())"
touch "$venv/ready"
