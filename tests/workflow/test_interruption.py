"""Stop the workflow in the middle, start it again: it goes on, to the very same result."""

import hashlib
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from tests.helpers.running import TINY, command, run_workflow, with_warm_jobs, workplace

SAME = ("weights.tsv", "contributions.tsv", "validation_matrix.tsv", "benchmark.tsv", "plan.tsv")


def digests(folder: Path) -> dict[str, str]:
    results = folder / "results" / "tiny"
    models = {f"{p.parent.parent.name}": p for p in results.glob("runs/*/model/model.safetensors")}
    files = {name: results / name for name in SAME} | models
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


def stop_when(folder: Path, sign: str, how: signal.Signals) -> str:
    """Start the workflow as a person does and send ``how`` to all its processes when the pattern ``sign`` is printed.

    Return what was printed.
    """
    printed = folder / "printed.txt"
    with printed.open("w") as output:
        process = subprocess.Popen(
            with_warm_jobs(command(folder, configfile=TINY)),
            cwd=folder,
            stdout=output,
            stderr=output,
            start_new_session=True,
            # A shell's background jobs ignore SIGINT, and so does all that they start.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        deadline = time.monotonic() + 600
        while not re.search(sign, printed.read_text()) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert process.poll() is None, f"ended before '{sign}' was seen:\n{printed.read_text()}"
        os.killpg(process.pid, how)
        process.wait(timeout=120)
    return printed.read_text()


def test_interrupted_twice_it_ends_with_the_same_models_and_tables(tiny: Path, tiny_base: Path, tmp_path: Path):
    folder = workplace(tmp_path / "disturbed", tiny_base)
    stop_when(folder, "train_preparation mini", signal.SIGINT)  # as Ctrl-C does
    # As a power cut does, in the midst of a training.
    stop_when(folder, r"(?s)train_preparation plus-.*\] step", signal.SIGKILL)
    finished_before = set((folder / "results" / "tiny" / "runs").glob("*/model"))
    assert finished_before
    printed = run_workflow(folder, configfile=TINY)
    assert "train_preparation mini" not in printed, "what was done is not done again"
    assert digests(folder) == digests(tiny)


def test_fixed_tasks_groups_and_weights_of_ones_own(tiny: Path):
    results = tiny / "results" / "tiny"
    weights = [line.split("\t") for line in (results / "weights.tsv").read_text().splitlines()]
    by_task = {row[0]: dict(zip(weights[0], row, strict=True)) for row in weights[1:]}
    assert by_task["vqa"]["weight"] == by_task["chart"]["weight"]
    assert by_task["vqa"]["group"] == "questions"
    assert (by_task["ocr"]["weight"], by_task["ocr"]["note"]) == ("0.5", "fixed")
    mine = (results / "runs" / "mine" / "training.jsonl").read_text().splitlines()[-1]
    assert '"weights": {"bbox": 1.0, "chart": 0.5, "ocr": 0.5, "vqa": 1.5}' in mine
    assert "ocr" not in (results / "validation_matrix.tsv").read_text()
