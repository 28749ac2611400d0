"""What 20 steps of tiny models' trainings cost, step by step and task by task.

With other instructions of the same CPU (``ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=AVX2``) no loss moved by more
than 7e-6 for LLaVA and 1.5e-5 for Qwen2-VL; with AVX2 alone (``ATEN_CPU_CAPABILITY=avx2 OPENBLAS_CORETYPE=Haswell``) by
nothing.

``python tests/golden/test_losses.py`` writes the fixtures anew.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.golden.adapters import losses
from tests.golden.stored import read, write

FAMILIES = ("llava", "qwen2_vl")
TOLERANCE = 2e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_twenty_steps_cost_what_they_did(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    told, before = losses(family, tmp_path, monkeypatch), read(f"losses/{family}.json")["steps"]
    assert [step["tokens"] for step in told] == [step["tokens"] for step in before]
    assert [set(step["task_loss"]) for step in told] == [set(step["task_loss"]) for step in before]
    spread = max(
        np.abs(np.subtract(_numbers(step), _numbers(other))).max() for step, other in zip(told, before, strict=True)
    )
    print(f"{family}: largest difference {spread:.1e}")
    assert spread < TOLERANCE


def _numbers(step: dict[str, Any]) -> list[float]:
    return [step["loss"], *(value for _, value in sorted(step["task_loss"].items()) if value is not None)]


def record() -> None:
    import tempfile

    for family in FAMILIES:
        with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
            write(f"losses/{family}.json", {"steps": losses(family, Path(folder), patch)})


if __name__ == "__main__":
    sys.exit(record())
