"""How long Snakemake takes to see what there is to do: dry runs with N tasks, and a run of a finished experiment.

python benchmarks/workflow.py --output benchmarks/results/workflow.json
python benchmarks/workflow.py --against ../before --finished . --against-finished ../before --output ...

An experiment with N tasks trains N + 1 preparation runs, N single-task ones and two final ones, and scores the former
N (N + 1) times. Its data are files that a dry run only looks at. Beside the workflow, and another copy of it if one is
named, stands a bare workflow, rules with the same jobs and files and nothing else: what Snakemake itself takes.
All take turns in every round. Of each call, the seconds on the clock, those of the processor, which other work on the
machine touches little, and the peak of resident memory are noted. Sizes under --large have rounds of their own.
"""

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from side_by_side import ROOT, commit, ratio, taking_turns, write_figures

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
BARE = """
TASKS = [f"task{{number}}" for number in range({count})]
EVERYTHING = ["mini", *(f"plus-{{task}}" for task in TASKS)]
SINGLE = [f"single-{{task}}" for task in TASKS]
FINAL = ["ew", "visatb"]
SCORED = [f"scores/{{run}}/val.json" for run in EVERYTHING] + [f"scores/{{run}}/test.json" for run in FINAL]
SCORED += [f"scores/single-{{task}}/test/{{task}}.parquet" for task in TASKS]

wildcard_constraints:
    split="val|test|train",

rule all:
    input: SCORED, "weights.tsv", "matrix.tsv", "explorer.html", "benchmark.tsv", "cost.tsv"

rule check_data:
    input: "data/{{task}}_{{split}}.json"
    output: "records/{{task}}/{{split}}.parquet"
    shell: "true"

rule build_mixture:
    input: lambda w: [f"records/{{t}}/train.parquet" for t in ([w.run[7:]] if w.run in SINGLE else TASKS)]
    output: "mixtures/{{run}}.arrow"
    shell: "true"

rule train:
    input: "mixtures/{{run}}.arrow", lambda w: "weights.tsv" if w.run == "visatb" else []
    output: directory("runs/{{run}}/model")
    shell: "true"

rule predict:
    input: "runs/{{run}}/model", [f"records/{{t}}/{{{{split}}}}.parquet" for t in TASKS]
    output: [f"predictions/{{{{run}}}}/{{{{split}}}}/{{t}}.parquet" for t in TASKS]
    wildcard_constraints: run="mini|plus-.*|ew|visatb"
    shell: "true"

rule predict_alone:
    input: "runs/{{run}}/model", "records/{{task}}/{{split}}.parquet"
    output: "predictions/{{run}}/{{split}}/{{task}}.parquet"
    wildcard_constraints: run="single-.*"
    shell: "true"

rule score:
    input: [f"predictions/{{{{run}}}}/{{{{split}}}}/{{t}}.parquet" for t in TASKS]
    output: "scores/{{run}}/{{split}}.json", [f"scores/{{{{run}}}}/{{{{split}}}}/{{t}}.parquet" for t in TASKS]
    wildcard_constraints: run="mini|plus-.*|ew|visatb"
    shell: "true"

rule score_alone:
    input: "predictions/{{run}}/{{split}}/{{task}}.parquet"
    output: "scores/{{run}}/{{split}}/{{task}}.parquet"
    wildcard_constraints: run="single-.*"
    shell: "true"

rule weights:
    input: [f"scores/{{run}}/val.json" for run in EVERYTHING]
    output: "weights.tsv", "matrix.tsv", "explorer.html"
    shell: "true"

rule report:
    input: SCORED
    output: "benchmark.tsv", "cost.tsv"
    shell: "true"
"""
Way = tuple[Path, Path, list[str]]
"""The copy of the project whose library is used, the folder that Snakemake is called in, and its options."""
Figures = dict[str, dict[str, list[float]]]
"""What is measured -> way -> its figure in every round."""


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
    (folder / "bare.smk").write_text(BARE.format(count=count))
    (folder / "empty.smk").write_text("rule all:\n")


def workflow_of(code: Path, config: str) -> list[str]:
    """Return the options that name the workflow of a copy of this project, and an experiment."""
    profile = code / "profiles" / "default"
    return ["--snakefile", str(code / "Snakefile"), "--workflow-profile", str(profile), "--configfile", config]


def bare(snakefile: str) -> list[str]:
    """Return the options that name a Snakefile beside the experiment."""
    return ["--snakefile", snakefile, "--workflow-profile", "none", "--cores", "1"]


def call(figures: Figures, name: str, way: Way) -> float:
    """Call Snakemake, note what it took, and return its seconds of processor time."""
    code, folder, options = way
    command = [str(Path(sys.executable).with_name("snakemake")), "--directory", str(folder), *options]
    started = time.perf_counter()
    with tempfile.TemporaryFile() as printed:
        environment = os.environ | {"PYTHONPATH": str(code)}
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=printed, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            printed.seek(0)
            sys.exit(f"error: {' '.join(command)} failed:\n{printed.read().decode()}")
    cpu = usage.ru_utime + usage.ru_stime
    figures["wall_s"][name].append(time.perf_counter() - started)
    figures["cpu_s"][name].append(cpu)
    figures["peak_mb"][name].append(usage.ru_maxrss / 1024)
    return cpu


def dry_runs(place: Path, counts: list[int], copies: dict[str, Path]) -> dict[str, Way]:
    """Return the ways to be compared for each number of tasks."""
    dry = ["--dry-run", "--quiet", "all"]
    ways: dict[str, Way] = {}
    for count in counts:
        folder = place / str(count)
        many_tasks(folder, count)
        for name, code in copies.items():
            ways[f"{name}, N = {count}"] = (code, folder, [*workflow_of(code, "many.yaml"), *dry])
        ways[f"bare, N = {count}"] = (ROOT, folder, [*bare("bare.smk"), *dry])
        ways["no rules"] = (ROOT, folder, [*bare("empty.smk"), *dry])
    return ways


def measured(ways: dict[str, Way], rounds: int) -> Figures:
    """Let all ways take turns."""
    figures: Figures = defaultdict(lambda: defaultdict(list))
    calls: dict[str, Callable[[], float]] = {
        name: functools.partial(call, figures, name, way) for name, way in ways.items()
    }
    taking_turns(calls, rounds)
    return figures


def summary(figures: Figures, copies: dict[str, Path]) -> dict[str, Any]:
    """Return medians and rounds, and how many times as much processor time another copy takes as this one."""
    told: dict[str, Any] = {}
    for kind, found in figures.items():
        told[kind] = {way: round(statistics.median(values), 2) for way, values in found.items()}
        told[f"rounds_{kind}"] = {way: [round(value, 2) for value in values] for way, values in found.items()}
    cpu = figures["cpu_s"]
    here, *others = copies
    for other in others:
        pairs = {way: way.replace(here, other, 1) for way in cpu if way.startswith(here)}
        told["cpu_ratio"] = {way: ratio(cpu, before, way) for way, before in pairs.items() if before in cpu}
    return told


def main() -> None:
    """Measure, print medians, and write them if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, nargs="*", default=[8, 17, 100], help="numbers of tasks")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--large", type=int, nargs="*", default=[300], help="numbers of tasks that take long")
    parser.add_argument("--large-rounds", type=int, default=1)
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="another copy of the project")
    parser.add_argument("--finished", type=Path, metavar="FOLDER", help="where the experiment of --config is finished")
    parser.add_argument("--against-finished", type=Path, metavar="FOLDER", help="where the other copy finished it")
    parser.add_argument("--config", default="config/experiments/demo-small.yaml")
    parser.add_argument("--output", help="JSON file for the figures")
    arguments = parser.parse_args()
    copies = {"workflow": ROOT} | ({"before": arguments.against.resolve()} if arguments.against else {})
    finished = {"workflow": arguments.finished, "before": arguments.against_finished}
    with tempfile.TemporaryDirectory() as place:
        ways = dry_runs(Path(place), arguments.tasks, copies)
        for name, code in copies.items():
            if folder := finished[name]:
                ways[f"{name}, nothing to do"] = (code, folder.resolve(), workflow_of(code, arguments.config))
        result = summary(measured(ways, arguments.rounds), copies)
        if arguments.large:
            large = measured(dry_runs(Path(place), arguments.large, copies), arguments.large_rounds)
            result["large"] = summary(large, copies)
    if arguments.against:
        result["against"] = commit(arguments.against)
    print(json.dumps(result, indent=2))
    if arguments.output:
        write_figures(arguments.output, result)


if __name__ == "__main__":
    main()
