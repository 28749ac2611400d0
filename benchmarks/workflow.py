"""How long Snakemake takes to see what there is to do: dry runs with N tasks, and a run of a finished experiment.

python benchmarks/workflow.py --tasks 8 17 100 300 --output benchmarks/results/workflow.json
python benchmarks/workflow.py --tasks --finished config/experiments/demo-small.yaml

An experiment with N tasks trains N + 1 preparation runs, N single-task ones and two final ones, and scores the former
N (N + 1) times. Its data are files that a dry run only looks at. The sizes take turns in every round.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SPLITS = ("train", "val", "test")
EXPERIMENT = """experiment: many
model: model.yaml
data_folder: data
tasks:
{tasks}
"""
MODEL = """name: any
family: llava
checkpoint: data/model
"""


def many_tasks(folder: Path, count: int) -> None:
    """Write an experiment with ``count`` tasks, and the files that it names."""
    data = folder / "data"
    (data / "model").mkdir(parents=True)
    (data / "model" / "config.json").write_text("{}")
    names = [f"task{number}" for number in range(count)]
    for name in names:
        for split in SPLITS:
            (data / f"{name}_{split}.json").write_text("[]")
    tasks = "\n".join(f"  {name}: {{data: '{name}_{{split}}.json', metrics: EM}}" for name in names)
    (folder / "many.yaml").write_text(EXPERIMENT.format(tasks=tasks))
    (folder / "model.yaml").write_text(MODEL)


def seconds(folder: Path, config: str, *arguments: str) -> float:
    """Return the wall-clock seconds of one call of Snakemake in ``folder``."""
    command = [str(Path(sys.executable).with_name("snakemake")), "--snakefile", str(ROOT / "Snakefile")]
    command += ["--workflow-profile", str(ROOT / "profiles" / "default"), "--directory", str(folder)]
    started = time.perf_counter()
    done = subprocess.run([*command, "--configfile", config, *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"error: {' '.join(done.args)} failed:\n{done.stdout}\n{done.stderr}")
    return time.perf_counter() - started


def measured(rounds: int, counts: list[int], finished: str | None) -> dict[str, list[float]]:
    """Return what was measured -> its seconds in each round."""
    with tempfile.TemporaryDirectory() as place:
        for count in counts:
            many_tasks(Path(place) / str(count), count)
        times: dict[str, list[float]] = {}
        for _ in range(rounds):
            for count in counts:
                taken = seconds(Path(place) / str(count), "many.yaml", "--dry-run", "--quiet", "all")
                times.setdefault(f"dry run, N = {count}", []).append(taken)
            if finished:
                times.setdefault("nothing to do", []).append(seconds(Path.cwd(), finished))
    return times


def main() -> None:
    """Measure, print medians, and write them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, nargs="*", default=[8, 17, 100, 300], help="numbers of tasks")
    parser.add_argument("--finished", help="config of an experiment that is finished in the working directory")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", help="JSON file for the figures")
    arguments = parser.parse_args()
    times = measured(arguments.rounds, arguments.tasks, arguments.finished)
    result = {
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "median_s": {name: round(statistics.median(values), 2) for name, values in times.items()},
        "rounds_s": {name: [round(value, 2) for value in values] for name, values in times.items()},
    }
    print(json.dumps(result, indent=2))
    if arguments.output:
        Path(arguments.output).write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
