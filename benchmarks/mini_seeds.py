"""How much steadier are the weights if `mini` is trained more often (`balancing.mini_seeds`), and for what cost?

    snakemake                                   # the demo: its data, its base model and its checked records
    python benchmarks/mini_seeds.py train --seeds 0 1 2 3 4
    python benchmarks/mini_seeds.py collect --seeds 0 1 2 3 4 --output benchmarks/results/mini_seeds.json

The full preparation of the demo is made with every seed as `measuring_less.py` makes it, and found there if it has.
Then `mini` is trained again on the same subset, its samples in another order. A seed's weights follow from its own runs
alone, V of `mini` being the mean over one, two, ... trainings. They are held against the truth of `measuring_less.py`,
the weights of the mean V over the other seeds. Noise is the standard deviation of a weight over seeds, the mean over
tasks; ``width`` is that of the weights' 95 % intervals, and ``held`` the share of these that hold the truth.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from measuring_less import ANSWERS, CONFIG, FULL, RECORDS, ROOT, design_of, measured, noise, rounded, truths
from preparations import first_samples, load_libraries, prepare, prepare_run
from side_by_side import write_figures

from visatb.balancing.bootstrap import intervals
from visatb.balancing.run_names import RunName
from visatb.balancing.weights import measured_balance
from visatb.config.loading import read_yaml
from visatb.experiment.experiment import Experiment
from visatb.experiment.runs import Run
from visatb.runtime.arrays import Floats
from visatb.runtime.files import read_json

MOST = 5
REPLICATES = 2000
APART = 1000
"""Between the seeds of one run's trainings, so that none is another preparation's."""


def minis(about: Experiment, times: int) -> list[Run]:
    """Return so many trainings of `mini`, the first of which belongs to the preparation."""
    mini = next(run for run in about.preparation_runs if run.name == "mini")
    names = RunName("mini").repeated(1, times)
    return [replace(mini, name=str(name), repetition=name.repetition) for name in names]


def train(seeds: Sequence[int]) -> None:
    """Make every preparation and every training of `mini` that is not there."""
    about = Experiment.from_values(read_yaml(CONFIG), CONFIG)
    load_libraries()
    for seed in seeds:
        prepare(about, RECORDS, FULL, seed, ROOT)
        for run in minis(about, MOST)[1:]:
            prepare_run(about, RECORDS, FULL, seed, ROOT, run, seed + APART * run.repetition)


def weighed(about: Experiment, seed: int, times: int) -> Floats:
    """Return [3, tasks]: the weights of a seed from so many trainings of `mini`, and their intervals' ends."""
    others = [run for run in about.preparation_runs if run.name != "mini"]
    samples = first_samples(about, [*minis(about, times), *others], RECORDS, ROOT, FULL, seed, ANSWERS[0])
    point, drawn = measured_balance(samples, design_of(about, mini_seeds=times), REPLICATES, seed)
    ends = intervals(point, drawn).groups
    return np.stack([point.weights.to_numpy(float), ends["weight_low"], ends["weight_high"]])


def seconds(about: Experiment, seed: int, runs: Sequence[Run]) -> float:
    """Return the CPU seconds that runs took."""
    costs = [read_json(FULL.folder(ROOT, run, seed) / "cost.json") for run in runs]
    return sum(cost["train_seconds"] + cost["answer_seconds"] for cost in costs)


def collect(seeds: Sequence[int]) -> dict[str, Any]:
    """Return, by the number of trainings of `mini`, the cost and how far the weights are from the truth."""
    about = Experiment.from_values(read_yaml(CONFIG), CONFIG)
    truth = truths(about, measured(about, FULL, seeds, ANSWERS[0], "paper"))
    ways = {}
    for times in range(1, MOST + 1):
        weights, low, high = np.stack([weighed(about, seed, times) for seed in seeds], axis=1)
        away = np.abs(weights - truth)
        more = [
            seconds(about, seed, minis(about, times)[1:]) / seconds(about, seed, about.preparation_runs)
            for seed in seeds
        ]
        ways[times] = {
            "share_of_full": rounded(1 + np.mean(more)),
            "distance": rounded(away.mean()),
            "distance_by_seed": [rounded(value) for value in away.mean(axis=1)],
            "largest_distance": rounded(away.max(axis=1).mean()),
            "noise": noise(weights),
            "width": rounded((high - low).mean()),
            "held": rounded(((low <= truth) & (truth <= high)).mean()),
            "weights": np.round(weights, 4).tolist(),
        }
    return {"tasks": list(about.tasks), "seeds": list(seeds), "mini_seeds": ways}


def main() -> None:
    """Do one of the two steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(dest="step", required=True)
    for name, words in {"train": "make the trainings", "collect": "compare them"}.items():
        step = steps.add_parser(name, help=words)
        step.add_argument("--seeds", type=int, nargs="+", required=True)
    steps.choices["collect"].add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    if args.step == "train":
        train(args.seeds)
        return
    figures = collect(args.seeds)
    write_figures(args.output, figures)
    shown = ("share_of_full", "distance", "largest_distance", "noise", "width", "held")
    print("mini_seeds", *shown, sep="\t")
    for times, way in figures["mini_seeds"].items():
        print(times, *(way[name] for name in shown), sep="\t")


if __name__ == "__main__":
    main()
