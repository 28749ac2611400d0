"""How often do the 95 % intervals hold the truth? Simulated experiments in which it is known.

python benchmarks/coverage.py --experiments 1000 --output benchmarks/results/coverage.json

Each experiment has true scores of its own, drawn at random, and answers drawn from them (simulated_experiments.py). The
workflow's own code makes scores, weights and intervals of them. Counted is which share of the intervals holds the
truth: of V, C and D in the columns that were used, of C_out, C_in and lambda of every group, of dI and dE of every
method. The truth follows from the true scores with the temperature and the ill-posed columns of the experiment.
"""

import argparse
import json
import platform
import subprocess
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from simulated_experiments import KINDS, Shape, answered, preparation, true_scores

from visatb.balancing import equations
from visatb.balancing.balance import Balance, balance
from visatb.balancing.bootstrap import Replicates, replicate
from visatb.balancing.gaps import gap_standard_errors
from visatb.balancing.matrix import validation_matrix
from visatb.balancing.shrinkage import shrunk
from visatb.errors import VisatbError
from visatb.runtime.arrays import Booleans, Floats
from visatb.scores.improvement_intervals import overall_intervals, task_improvements
from visatb.scores.uncertainty import bounds

SHAPES = {
    "7 tasks": Shape(7, (200, 600)),
    "7 tasks, small gaps": Shape(7, (200, 600), gap=(0.04, 0.10)),
    "17 tasks": Shape(17, (200, 600)),
    "3 tasks, few images": Shape(3, (80, 160)),
    "7 tasks, 3 seeds": Shape(7, (200, 600), seeds=3, seed_spread=0.02),
    "4 tasks, 2 seeds": Shape(4, (200, 600), seeds=2, seed_spread=0.02),
}
METHODS = ("ew", "tla", "visatb")
METHOD_SPREAD = (0.0, 0.03)
"""Mean and standard deviation of a method's true score less that of single-task training."""

Held = dict[str, list[Booleans]]


def measured(shape: Shape, experiment: int, replicates: int, held: Held) -> None:
    """Simulate one preparation and note which of its intervals hold the truth."""
    generator = np.random.default_rng([experiment, shape.tasks, shape.seeds])
    truth = true_scores(shape, generator)
    samples = preparation(shape, truth, generator)
    matrix = validation_matrix(samples, shape.design.names.repetitions)
    point = balance(matrix, shape.design, gap_standard_errors(samples, shape.design))
    drawn = replicate(point, samples, replicates, experiment)
    held["V"].append(_inside(drawn.values, truth))
    _note("", point, drawn, truth, held)
    _note("shrunk ", *shrunk(point, drawn, experiment), truth, held)


def _note(prefix: str, point: Balance, drawn: Replicates, truth: Floats, held: Held) -> None:
    true = equations.measure(truth, point.layout, point.screening)
    weights = equations.weigh(true, point.settings.alphas, point.temperature)
    used = np.zeros(len(point.names.groups), dtype=bool)
    used[point.layout.group_of[point.screening.kept]] = True
    pairs = used & ~np.eye(used.size, dtype=bool)
    found, lambdas = drawn.measures, drawn.weights
    held[f"{prefix}C"].append(_inside(found.C[:, pairs], true.C[pairs]))
    if not prefix:
        held["D"].append(_inside(found.D[:, used], true.D[used]))
    held[f"{prefix}C_out"].append(_inside(found.C_out, true.C_out))
    held[f"{prefix}C_in"].append(_inside(found.C_in, true.C_in))
    held[f"{prefix}lambda"].append(_inside(lambdas.total, weights.total))
    error = np.stack([point.C.to_numpy()[pairs] - true.C[pairs]])
    held[f"squared error of {prefix}C"].append(error**2)
    held[f"squared error of {prefix}lambda"].append((point.weights.to_numpy() - weights.total) ** 2)


def benchmarked(shape: Shape, experiment: int, replicates: int, held: Held) -> None:
    """Simulate the final runs on the test splits and note which intervals of dI and dE hold the truth."""
    generator = np.random.default_rng([experiment, shape.tasks, 99])
    single = generator.uniform(0.45, 0.8, shape.tasks)
    scores = {method: np.clip(single + generator.normal(*METHOD_SPREAD, shape.tasks), 0.1, 0.95) for method in METHODS}
    samples = []
    for place, name in enumerate(shape.names):
        shares = {f"single-{name}": single[place]} | {method: scores[method][place] for method in METHODS}
        images = int(generator.integers(*shape.images))
        samples.append(answered(name, KINDS[place % len(KINDS)], shares, images, generator))
    runs = {"stl": [f"single-{name}" for name in shape.names]} | {m: [m] * shape.tasks for m in METHODS}
    table = overall_intervals(samples, runs, "stl", shape.columns, replicates, experiment)
    gains = {method: task_improvements(scores[method], single, shape.columns) for method in METHODS}
    overall = {
        "dI": {method: 100 * gain.mean() for method, gain in gains.items()},
        "dE": {method: 100 * np.maximum(-gain, 0).mean() for method, gain in gains.items()},
    }
    for row in table.itertuples():
        truth = overall[row.quantity][row.method] - (overall[row.quantity][row.other] if row.other else 0.0)
        name = row.quantity if not row.other else f"difference in {row.quantity}"
        held[name].append(np.array([row.low <= truth <= row.high]))


def _inside(drawn: Floats, truth: Floats) -> Booleans:
    low, high = bounds(drawn)
    return ((low <= truth) & (truth <= high)).ravel()


def covered(shape: Shape, experiments: range, replicates: int) -> dict[str, Any]:
    """Return the share of intervals that hold the truth, by quantity, and what else describes the experiments."""
    held: Held = defaultdict(list)
    started, refused = time.perf_counter(), 0
    for experiment in experiments:
        try:
            measured(shape, experiment, replicates, held)
        except VisatbError:  # no column could be used
            refused += 1
        benchmarked(shape, experiment, replicates, held)
    shares = {
        name: round(float(np.concatenate([one.ravel() for one in found]).mean()), 5) for name, found in held.items()
    }
    used = sum(one.size for one in held["D"]) / (shape.tasks * (len(experiments) - refused))
    return {
        "coverage": {name: share for name, share in shares.items() if not name.startswith("squared")},
        "mean_squared_error": {name[17:]: share for name, share in shares.items() if name.startswith("squared")},
        "columns_used": round(used, 4),
        "without_any_column": refused,
        "seconds": round(time.perf_counter() - started, 1),
    }


def main() -> None:
    """Simulate shapes and write the shares as JSON, each shape with the commit that it was measured on."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=1000, help="of each shape")
    parser.add_argument(
        "--first", type=int, default=0, help="number of the first experiment; other numbers, other data"
    )
    parser.add_argument("--replicates", type=int, default=600, help="draws of the bootstrap in each experiment")
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES), help="others stay in the output")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    known = json.loads(args.output.read_text(encoding="utf-8"))["shapes"] if args.output.is_file() else {}
    numbers = range(args.first, args.first + args.experiments)
    about = {
        "experiments": args.experiments,
        "first": args.first,
        "replicates": args.replicates,
        "commit": commit.stdout.strip(),
    }
    for name in args.shapes:
        known[name] = about | covered(SHAPES[name], numbers, args.replicates)
    document = {"machine": f"{platform.machine()}, 1 core", "shapes": {name: known[name] for name in SHAPES}}
    args.output.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
