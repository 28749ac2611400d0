"""What does a cheaper preparation cost, and how far are its weights from those of the full one?

    snakemake                                   # the demo: its data, its base model and its checked records
    python benchmarks/measuring_less.py train --seeds 0 1 2 3 4
    python benchmarks/measuring_less.py collect --seeds 0 1 2 3 4 --output benchmarks/results/measuring_less.json
    python benchmarks/measuring_less.py draw benchmarks/results/measuring_less.json docs/figures/measuring_less.svg

The preparation of the demo (config/config.yaml, all seven tasks) with other sampling rates, with a smaller model and
with fewer answered validation samples. The last need no training of their own: they are the first samples in the order
of `visatb.data.order`. A seed draws the subsets, the order of training and the order of answering; corpus and
base model are the same for all. ``train`` makes what is not there yet, ``collect`` takes what is there.

The truth that a seed's weights are held against follows from the full preparation's mean V over the *other* seeds, so
the full preparation is judged as all others are. Noise is the standard deviation of a weight over seeds, bias the
distance between the mean weights over seeds and those of the full preparation's mean V over all seeds; both are means
over tasks.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from preparations import Preparation, first_samples, load_libraries, prepare, smaller_base
from safetensors import safe_open
from scipy.stats import spearmanr
from side_by_side import write_figures

from visatb.balancing.balance import Balance, balance
from visatb.balancing.design import Design
from visatb.balancing.gaps import gap_standard_errors
from visatb.balancing.weights import measured_balance, validation_matrix
from visatb.config.loading import read_yaml
from visatb.experiment.experiment import Experiment
from visatb.reporting.figures.style import GREY, LIGHT, LINES, MARKERS, OKABE_ITO, PAGE, new_figure, save_figure, styled
from visatb.runtime.arrays import Floats
from visatb.runtime.files import read_json
from visatb.scores.paired import PairedSamples

CONFIG, RECORDS, ROOT = "config/config.yaml", Path("results/demo/records"), Path("results/measuring_less")
BASE, SMALLER_WIDTH = "data/models/tiny-llava", 64
SMALLER_BASE = f"{BASE}-width-{SMALLER_WIDTH}"
FULL = Preparation(1, 16, BASE)
PREPARATIONS = (FULL, *(Preparation(*rates, BASE) for rates in ((2, 32), (4, 16), (4, 64))))
SMALLER = Preparation(1, 16, SMALLER_BASE)
WANTED_COST, WANTED_DISTANCE = 0.25, 0.05
MINIS = (64, 16, 4)
"""1 / R_mini of which the run `mini` is made with every seed, to see how much its scores spread."""
ANSWERS = (400, 200, 100, 50)
"""Answered validation samples a task, all of them first."""
Estimator = Literal["paper", "shrunk"]
ESTIMATORS: tuple[Estimator, ...] = ("paper", "shrunk")
REPLICATES = 500
PARTS = ("D", "lambda_out", "lambda_in", "lambda_D")
SHOWN = {
    "share_of_full": "CPU seconds",
    "share_of_compute": "training compute",
    "distance": "distance",
    "largest_distance": "largest",
    "distance_from_same_seed": "from the same seed's",
    "bias": "bias",
    "noise": "noise",
    "rank_correlation": "rank correlation",
    "ill_posed_columns": "ill-posed columns",
}
"""Figures of the printed table, and what it calls them."""
COSTS = ("steps", "input_tokens", "answers", "new_tokens", "train_seconds", "answer_seconds")


@dataclass(frozen=True)
class Measured:
    """What one preparation found and took with each of its seeds; costs are [seeds]."""

    seeds: tuple[int, ...]
    points: list[Balance]
    matrices: list[pd.DataFrame]
    costs: dict[str, Floats]
    parameters: int

    @property
    def compute(self) -> float:
        """Parameters times tokens of the trainings, to which their operations are about proportional."""
        return float(self.parameters * self.costs["input_tokens"].mean())

    @property
    def seconds(self) -> Floats:
        """CPU seconds [seeds] of trainings and answers."""
        return self.costs["train_seconds"] + self.costs["answer_seconds"]

    def part(self, name: str) -> Floats:
        """Return ``weights``, or one of `PARTS`, as [seeds, tasks]."""
        return np.stack([getattr(point, name).to_numpy(float) for point in self.points])


def balanced(about: Experiment, samples: Sequence[PairedSamples], estimator: Estimator, seed: int) -> Balance:
    """Return C, D and weights; the estimator ``shrunk`` needs the replicates of the bootstrap, ``paper`` does not."""
    design = design_of(about, estimator=estimator)
    if estimator == "shrunk":
        return measured_balance(samples, design, REPLICATES, seed)[0]
    return balance(matrix_of(about, samples), design, gap_standard_errors(samples, design))


def design_of(about: Experiment, **changes: object) -> Design:
    """Return the experiment's design with these settings changed."""
    design = about.design("visatb")
    return replace(design, settings=design.settings.model_copy(update=changes))


def matrix_of(about: Experiment, samples: Sequence[PairedSamples]) -> pd.DataFrame:
    """Return V."""
    return validation_matrix(samples, {run.name: [run.name] for run in about.preparation_runs})


def true_balance(about: Experiment, matrices: Sequence[pd.DataFrame]) -> Balance:
    """Return C, D and weights of the mean V."""
    mean = sum(matrices[1:], matrices[0]) / len(matrices)
    return balance(mean, about.design("visatb"))


def measured(
    about: Experiment, preparation: Preparation, seeds: Sequence[int], answers: int, estimator: Estimator
) -> Measured:
    """Return weights and costs of a preparation; answers that are not given cost nothing, by their share."""
    samples = [
        first_samples(about, about.preparation_runs, RECORDS, ROOT, preparation, seed, answers) for seed in seeds
    ]
    points = [balanced(about, one, estimator, seed) for seed, one in zip(seeds, samples, strict=True)]
    folders = [[preparation.folder(ROOT, run, seed) for run in about.preparation_runs] for seed in seeds]
    costs = [[read_json(folder / "cost.json") for folder in runs] for runs in folders]
    sums = {name: np.array([sum(run[name] for run in runs) for runs in costs], dtype=float) for name in COSTS}
    for name in ("answers", "new_tokens", "answer_seconds"):
        sums[name] *= answers / ANSWERS[0]
    matrices = [matrix_of(about, one) for one in samples]
    return Measured(tuple(seeds), points, matrices, sums, parameters(preparation.base))


def parameters(base: str) -> int:
    """Return how many parameters a checkpoint folder holds."""
    with safe_open(f"{base}/model.safetensors", "np") as weights:
        return sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118


def judged(about: Experiment, one: Measured, full: Measured) -> dict[str, Any]:
    """Return cost and distance of a preparation, and what the distance is made of."""
    places = [full.seeds.index(seed) for seed in one.seeds]
    weights, truth, everything = one.part("weights"), truths(about, full)[places], true_balance(about, full.matrices)
    away, apart = np.abs(weights - truth), np.abs(weights - full.part("weights")[places])
    ranks = [spearmanr(ours, theirs).statistic for ours, theirs in zip(weights, truth, strict=True)]
    cost = {name: float(values.mean()) for name, values in one.costs.items()}
    return {
        "seeds": list(one.seeds),
        "cost": {name: round(value, 1) for name, value in cost.items()},
        "cpu_seconds": round(float(one.seconds.mean()), 1),
        "share_of_full": rounded(one.seconds.sum() / full.seconds[places].sum()),
        "share_of_compute": rounded(one.compute / full.compute),
        "distance": rounded(away.mean()),
        "distance_by_seed": [rounded(value) for value in away.mean(axis=1)],
        "largest_distance": rounded(away.max(axis=1).mean()),
        "distance_from_same_seed": rounded(apart.mean()),
        "largest_distance_from_same_seed": rounded(apart.max(axis=1).mean()),
        "noise": noise(weights) if len(places) > 1 else None,
        "bias": rounded(np.abs(weights.mean(axis=0) - everything.weights).mean()),
        "bias_of_parts": {
            name: rounded(np.abs(one.part(name).mean(axis=0) - getattr(everything, name)).mean()) for name in PARTS
        },
        "D": [rounded(value) for value in one.part("D").mean(axis=0)],
        "rank_correlation": rounded(float(np.mean(ranks))),
        "ill_posed_columns": rounded(float(np.mean([len(point.unlearned) for point in one.points]))),
        "weights": np.round(weights, 4).tolist(),
    }


def truths(about: Experiment, full: Measured) -> Floats:
    """Return [seeds, tasks] the weights of the full preparation's mean V over all other seeds."""
    others = [[*full.matrices[:place], *full.matrices[place + 1 :]] for place in range(len(full.seeds))]
    return np.stack([true_balance(about, matrices).weights.to_numpy(float) for matrices in others])


def noise(weights: Floats) -> float:
    """Return the standard deviation over seeds, the mean over tasks."""
    return rounded(weights.std(axis=0, ddof=1).mean())


def noise_with_mean_mini(about: Experiment, full: Measured) -> float:
    """Return the noise that is left when all seeds share the mean of their scores of the run ``mini``."""
    mean = np.mean([matrix.loc["mini"] for matrix in full.matrices], axis=0)
    for_all = [matrix.drop("mini").T.assign(mini=mean).T for matrix in full.matrices]
    return noise(np.stack([true_balance(about, [matrix]).weights.to_numpy(float) for matrix in for_all]))


def rounded(value: float) -> float:
    """Return a figure as it is written: to a thousandth."""
    return round(float(value), 3)


def name_of(preparation: Preparation) -> str:
    """Return what tables call a preparation."""
    model = "" if preparation.base == BASE else ", smaller model"
    return f"R_large 1/{preparation.large}, R_mini 1/{preparation.mini}{model}".replace("1/1,", "1,")


def spread_of_mini(about: Experiment, preparation: Preparation, seeds: Sequence[int]) -> list[float]:
    """Return the standard deviation over seeds of what the run ``mini`` scores on each task."""
    minis = [run for run in about.preparation_runs if run.kind == "mini"]
    samples = [first_samples(about, minis, RECORDS, ROOT, preparation, seed, ANSWERS[0]) for seed in seeds]
    scores = [[column.scores()[0] for column in columns] for columns in samples]
    return [rounded(value) for value in np.std(scores, axis=0, ddof=1)]


def collect(seeds: Sequence[int]) -> dict[str, Any]:
    """Return every preparation that is there, with all and with fewer answers, and by both estimators."""
    about = Experiment.from_values(read_yaml(CONFIG), CONFIG)
    full_seeds = [seed for seed in seeds if FULL.is_made(about, ROOT, seed)]
    full = measured(about, FULL, full_seeds, ANSWERS[0], "paper")
    ways = {}
    for preparation, answers, estimator in product((*PREPARATIONS, SMALLER), ANSWERS, ESTIMATORS):
        there = [seed for seed in full_seeds if preparation.is_made(about, ROOT, seed)]
        if there:
            way = {"preparation": name_of(preparation), "answers": answers, "estimator": estimator}
            found = judged(about, measured(about, preparation, there, answers, estimator), full)
            ways[", ".join(map(str, way.values()))] = {**way, **found}
    equal = np.abs(1 - truths(about, full))
    nothing = {"distance": rounded(equal.mean()), "largest_distance": rounded(equal.max(axis=1).mean())}
    truth = true_balance(about, full.matrices)
    return {
        "tasks": list(about.tasks),
        "truth": {name: [rounded(value) for value in getattr(truth, name)] for name in ("weights", *PARTS)},
        "equal_weights": nothing,
        "noise_with_mean_mini": noise_with_mean_mini(about, full),
        "standard_deviation_of_mini": {
            f"1/{mini}": spread_of_mini(about, Preparation(1, mini, BASE), full_seeds) for mini in MINIS
        },
        "ways": ways,
    }


def markdown(figures: dict[str, Any]) -> str:
    """Return the comparison as a Markdown table."""
    rows = [{**way, "seeds": len(way["seeds"])} for way in figures["ways"].values()]
    table = pd.DataFrame(rows)[["preparation", "answers", "estimator", "seeds", *SHOWN]].rename(columns=SHOWN)
    known = table.astype(object).where(table.notna(), None)
    return known.to_markdown(index=False, floatfmt=".2f", missingval="-")


@styled
def draw(figures: dict[str, Any], output: str) -> None:
    """Draw distance against cost: a colour a preparation, a point a number of answers, a line over its seeds."""
    figure = new_figure(PAGE, 3.0)
    axes = figure.add_subplot()
    names = list(dict.fromkeys(way["preparation"] for way in figures["ways"].values()))
    for (place, name), (number, estimator) in product(enumerate(names), enumerate(ESTIMATORS)):
        kind = {"preparation": name, "estimator": estimator}
        ways = [way for way in figures["ways"].values() if kind.items() <= way.items()]
        cost, distance = ([way[axis] for way in ways] for axis in ("share_of_full", "distance"))
        label = name if number == 0 else f"{name}, shrunk"
        filled = OKABE_ITO[place] if number == 0 else "white"
        axes.plot(cost, distance, MARKERS[place] + LINES[number], c=OKABE_ITO[place], mfc=filled, ms=4, label=label)
        low, high = min(ways[0]["distance_by_seed"]), max(ways[0]["distance_by_seed"])
        axes.plot([cost[0]] * 2, [low, high], LINES[number], color=OKABE_ITO[place], linewidth=0.6)
    axes.fill_between([0, WANTED_COST], 0, WANTED_DISTANCE, color=LIGHT)
    axes.annotate("goal", (WANTED_COST / 2, WANTED_DISTANCE / 2), ha="center", va="center")
    axes.axhline(figures["equal_weights"]["distance"], color=GREY, linestyle="--", linewidth=0.6)
    axes.annotate("equal weights", (0.02, figures["equal_weights"]["distance"]), (0, 2), textcoords="offset points")
    axes.set_xlim(0, 1.05)
    axes.set_ylim(0, None)
    axes.set_xlabel("CPU seconds, share of the full preparation's")
    axes.set_ylabel("mean distance of lambda from the truth")
    figure.legend(loc="outside right upper")
    save_figure(figure, [output])


def train(seeds: Sequence[int], smaller_seeds: Sequence[int]) -> None:
    """Make every preparation with every seed, seed by seed."""
    about = Experiment.from_values(read_yaml(CONFIG), CONFIG)
    load_libraries()
    for seed in seeds:
        for preparation in PREPARATIONS:
            prepare(about, RECORDS, preparation, seed, ROOT)
        for mini in MINIS:
            prepare(about, RECORDS, Preparation(1, mini, BASE), seed, ROOT, mini_alone=True)
    for seed in smaller_seeds:
        smaller_base(about, SMALLER_WIDTH, Path(SMALLER_BASE))
        prepare(about, RECORDS, SMALLER, seed, ROOT)


def main() -> None:
    """Do one of the three steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(dest="step", required=True)
    training = steps.add_parser("train", help="make the preparations")
    training.add_argument("--seeds", type=int, nargs="+", required=True)
    training.add_argument("--smaller-seeds", type=int, nargs="*", default=[], help="of the smaller model")
    collecting = steps.add_parser("collect", help="compare them")
    collecting.add_argument("--seeds", type=int, nargs="+", required=True)
    collecting.add_argument("--output", type=Path, required=True)
    drawing = steps.add_parser("draw", help="draw the comparison")
    drawing.add_argument("figures", help="what collect wrote")
    drawing.add_argument("output", help=".svg or .png")
    args = parser.parse_args()
    if args.step == "train":
        train(args.seeds, args.smaller_seeds)
    elif args.step == "collect":
        figures = collect(args.seeds)
        write_figures(args.output, figures)
        print(markdown(figures))
    else:
        draw(read_json(args.figures), args.output)


if __name__ == "__main__":
    main()
