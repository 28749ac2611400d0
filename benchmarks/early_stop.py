"""How much of the evaluation does a planned precision save, and are the weights then as sure as was asked?

python benchmarks/early_stop.py --experiments 100 --output benchmarks/results/early_stop.json

Simulated experiments (simulated_experiments.py) of the size of the paper's Academic benchmark: seven tasks, several
thousand validation samples each. The first samples are the pilot; `evaluation_sizes` plans the sizes from it,
and intervals are made from the first so many samples. Counted are the answers that are not given, the largest
half-width of an interval of lambda against the precision asked for, and how often intervals hold the true lambda.
"""

import argparse
import json
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
from simulated_experiments import SETTINGS, Shape, preparation, true_scores

from visatb.balancing import equations
from visatb.balancing.balance import Balance, balance
from visatb.balancing.bootstrap import replicate
from visatb.balancing.evaluation_sizes import evaluation_sizes
from visatb.balancing.gaps import gap_standard_errors
from visatb.balancing.matrix import validation_matrix
from visatb.runtime.arrays import Floats
from visatb.scores.paired import PairedSamples
from visatb.scores.uncertainty import bounds

SHAPE = Shape(7, (2000, 5000))
DESIGN = SHAPE.design
PILOT, ROUND_TO = 1024, 256
PRECISIONS = (0.05, 0.1, 0.2)


def first(samples: PairedSamples, count: int) -> PairedSamples:
    """Return the first samples of a column."""
    above, below = samples.numerators[:, :count], samples.denominators[:, :count]
    return PairedSamples(samples.column, samples.runs, above, below, list(samples.images)[:count])


def half_widths(samples: list[PairedSamples], replicates: int, seed: int) -> tuple[Balance, Floats, Floats]:
    """Return the weights that follow from samples, and the ends of their intervals."""
    matrix = validation_matrix(samples, DESIGN.names.repetitions)
    errors = gap_standard_errors(samples, DESIGN)
    point = balance(matrix, DESIGN, errors)
    low, high = bounds(replicate(point, samples, replicates, seed).weights.total)
    return point, low, high


def stopped(precision: float, experiments: int, replicates: int, seed: int) -> dict[str, Any]:
    """Return what a precision saves and whether it is kept, over many experiments."""
    saved, widest, held, whole, reached = [], [], [], [], []
    started = time.perf_counter()
    for experiment in range(experiments):
        generator = np.random.default_rng([experiment, seed])
        truth = true_scores(SHAPE, generator)
        samples = preparation(SHAPE, truth, generator)
        totals = {one.column: one.numerators.shape[1] for one in samples}
        pilot = [first(one, PILOT) for one in samples]
        plan = evaluation_sizes(pilot, DESIGN, totals, precision, ROUND_TO)
        sizes = plan.set_index("task")["samples"]
        point, low, high = half_widths([first(one, int(sizes[one.column])) for one in samples], replicates, experiment)
        true = equations.measure(truth, point.layout, point.screening)
        weights = equations.weigh(true, SETTINGS.alphas, point.temperature).total
        saved.append(1 - sizes.sum() / sum(totals.values()))
        whole.append((plan["reason"] == "whole split").mean())
        widest.append(((high - low) / 2).max())
        reached.append(not (plan["reason"] == "whole split").all())
        held.append((low <= weights) & (weights <= high))
    wide, enough = np.array(widest), np.array(reached)
    return {
        "saved": round(float(np.mean(saved)), 4),
        "tasks_evaluated_whole": round(float(np.mean(whole)), 4),
        "median_largest_half_width": round(float(np.median(wide)), 4),
        "share_within_precision": round(float((wide <= precision)[enough].mean()), 4) if enough.any() else None,
        "share_where_precision_is_in_reach": round(float(enough.mean()), 4),
        "coverage_of_lambda": round(float(np.mean(held)), 4),
        "seconds": round(time.perf_counter() - started, 1),
    }


def main() -> None:
    """Simulate each precision and write the shares as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=100, help="of each precision")
    parser.add_argument("--replicates", type=int, default=500, help="draws of the bootstrap in each experiment")
    parser.add_argument("--seed", type=int, default=7, help="of the experiments; margin and pilot were chosen on 7")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    results = {f"{one:g}": stopped(one, args.experiments, args.replicates, args.seed) for one in PRECISIONS}
    head = {"machine": f"{platform.machine()}, 1 core", "experiments": args.experiments, "replicates": args.replicates}
    head |= {"seed": args.seed}
    shape = {"tasks": SHAPE.tasks, "images": SHAPE.images, "pilot": PILOT, "round_to": ROUND_TO}
    document = {**head, **shape, "precisions": results, "commit": commit.stdout.strip()}
    args.output.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
