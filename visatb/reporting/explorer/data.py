"""What the explorer page computes from: C and D, their bootstrap replicates, and the settings in use."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from visatb.balancing import equations
from visatb.balancing.balance import Balance
from visatb.balancing.equations import Measures
from visatb.balancing.weights import measured_balance, validation_samples
from visatb.reporting.jobs import ExplorerJob
from visatb.runtime.arrays import Floats
from visatb.scores.columns import Groups
from visatb.scores.uncertainty import INTERVAL

REPLICATE_BYTES = 2_900_000
"""Room for replicates in the page, before base64 makes a third more of them; the whole stays below 5 MB."""


def measured_from(scores: Path, job: ExplorerJob) -> tuple[Balance, Measures]:
    """Return the weights in use, and the measures behind them in each replicate of the bootstrap.

    Args:
        scores: folder that holds ``<run>/val/<task>.parquet``.
        job: metrics, groups and settings of the balancing.
    """
    design = job.design()
    samples = validation_samples(scores, design.columns, design.names.scored)
    point, drawn = measured_balance(samples, design, job.bootstrap, job.seed)
    return point, drawn.measures


def explorer_data(
    point: Balance,
    replicates: Measures,
    experiment: str,
    groups: Groups,
    fixed: Mapping[str, float],
    notes: Sequence[str] = (),
) -> dict[str, Any]:
    """Return, as JSON values, all that the page needs to compute lambda for any settings.

    Args:
        point: the weights in use and what they follow from.
        replicates: of the same groups (`visatb.balancing.bootstrap.replicate`). As many as fit into
            `REPLICATE_BYTES` are taken, from the first on.
        experiment: its name.
        groups: group -> its tasks.
        fixed: task -> given weight, of the tasks that take no part.
        notes: what readers must know of how the scores came about.
    """
    packed = _packed(replicates)
    measured = np.isin(np.arange(len(groups)), point.layout.group_of[point.screening.kept])
    return {
        "experiment": experiment,
        "notes": list(notes),
        "groups": [
            {
                "name": name,
                "tasks": list(tasks),
                "measured": bool(is_measured),
                "notes": [str(column) for column in point.unlearned if column.group == name],
            }
            for (name, tasks), is_measured in zip(groups.items(), measured, strict=True)
        ],
        "fixed": dict(fixed),
        "temperature": point.settings.temperature,
        "alphas": list(point.settings.alphas),
        "temperatures": sorted(equations.TEMPERATURES),
        "weightRange": list(equations.WEIGHT_RANGE),
        "rounding": equations.ROUNDING,
        "interval": list(INTERVAL),
        "matrix": _one_matrix(point.C.to_numpy(), point.D.to_numpy()).ravel().tolist(),
        "replicates": {
            "made": len(replicates.D),
            "taken": len(packed),
            "matrices": base64.b64encode(packed.astype("<f8").tobytes()).decode("ascii"),
        },
    }


def _packed(replicates: Measures) -> Floats:
    groups = replicates.D.shape[-1]
    fitting = max(1, REPLICATE_BYTES // (8 * groups * groups))
    return _one_matrix(replicates.C[:fitting], replicates.D[:fitting])


def _one_matrix(C: Floats, D: Floats) -> Floats:
    """Return C [..., G, G] with D [..., G] on its diagonal, which is 1 by definition and need not be told."""
    return np.where(np.eye(C.shape[-1], dtype=bool), D[..., None, :], C)
