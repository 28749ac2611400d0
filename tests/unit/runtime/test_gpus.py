"""Jobs side by side on a machine without a scheduler: each has GPUs of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.training_examples import ROOT

JOB = """
import sys, time, torch
torch.cuda.device_count = lambda: 4
from visatb.runtime.gpus import claim_gpus
print(claim_gpus(int(sys.argv[1]), "run"), flush=True)
time.sleep(float(sys.argv[2]))
"""


def job(folder: Path, gpus: int, seconds: float = 60, **environment: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    return subprocess.Popen(
        [sys.executable, "-c", JOB, str(gpus), str(seconds)],
        cwd=ROOT,
        env=kept | {"TMPDIR": str(folder)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def has(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


def test_no_gpu_is_given_twice_and_a_killed_jobs_are_free_again(tmp_path: Path) -> None:
    first, second = job(tmp_path, 1), job(tmp_path, 2)
    given = f"{has(first)},{has(second)}".split(",")
    assert len(set(given)) == 3
    assert set(given) < {"0", "1", "2", "3"}
    large = job(tmp_path, 3)
    assert large.stderr
    assert "waits for 3 free GPU(s) of 4" in large.stderr.readline()
    small = job(tmp_path, 1, seconds=0)
    assert {has(small)} == {"0", "1", "2", "3"} - set(given)
    freed = set(given[1:])
    second.kill()
    assert freed < set(has(large).split(","))
    for process in (first, second, large, small):
        process.kill()
        process.wait()


SHARED = """
import torch
torch.cuda.device_count = lambda: 4
from visatb.runtime.gpus import take_gpus
import os
take_gpus(2, "run")
print(os.environ["RANK"], os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
os._exit(0)
"""


def test_processes_that_train_together_share_what_the_first_takes(tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(SHARED)
    kept = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "--"]
    done = subprocess.run(
        [*launcher, str(tmp_path / "job.py")],
        cwd=ROOT,
        env=kept | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert sorted(done.stdout.splitlines()) == ["0 0,1", "1 0,1"]


@pytest.mark.parametrize(
    ("gpus", "environment", "expected"),
    [
        (2, {"CUDA_VISIBLE_DEVICES": "5,6,7"}, "5,6"),
        (1, {"CUDA_VISIBLE_DEVICES": "5,6", "SLURM_JOB_ID": "1"}, ""),
        (2, {"ACCELERATE_USE_CPU": "true"}, ""),
        (0, {}, ""),
    ],
)
def test_what_is_visible_is_respected(tmp_path: Path, gpus: int, environment: dict[str, str], expected: str) -> None:
    process = job(tmp_path, gpus, 0, **environment)
    assert has(process) == expected
    process.wait()
