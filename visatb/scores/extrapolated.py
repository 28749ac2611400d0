"""Scores of a run that was not trained with the new tasks, extrapolated from the runs before they came."""

import json
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from visatb.errors import VisatbError
from visatb.runtime.arrays import Floats
from visatb.scores.imported import sample_table
from visatb.scores.origins import EXTRAPOLATED
from visatb.scores.paired import PairedSamples, paired_samples
from visatb.scores.table import ABOUT, NO_JUDGE, about_scores

PARTS = {"mini": 1.0, "before-mini": -1.0, "before-plus": 1.0}
"""The runs that an extrapolated score is the sum of, with their signs."""


def extrapolated_table(task: str, parts: Mapping[str, pa.Table]) -> pa.Table:
    """Return V(mini) + V(before-plus) - V(before-mini) sample by sample, as a table of scores.

    Each score enters by its pseudo-values, whose mean is the score and whose spread is that of the score to first
    order; for a plain mean they are the samples' own values. So the chance in the samples that all runs share stays
    paired.

    Args:
        task: the task, for messages.
        parts: `PARTS` -> its table of scores.

    Raises:
        VisatbError: the runs were not scored on the same samples or by the same metrics, or only a value of one is
            known.
    """
    about = {name: about_scores(table) for name, table in parts.items()}
    versions = about["mini"]["versions"]
    for name, own in about.items():
        if own["versions"] != versions:
            raise VisatbError(
                f"{task}: {name} was scored by {own['versions']} (metrics and their versions), mini by {versions}; "
                "score the finished experiment again"
            )
        if own["unpaired"]:
            raise VisatbError(f"{task}: of {name} only a value is known; frozen needs what each sample scored")
    tables = [_of_metric(task, metric, parts) for metric in versions]
    description = {"versions": versions, "judge": NO_JUDGE, "origin": EXTRAPOLATED}
    return pa.concat_tables(tables).replace_schema_metadata({ABOUT: json.dumps(description)})


def _of_metric(task: str, metric: str, parts: Mapping[str, pa.Table]) -> pa.Table:
    frames = {name: table.filter(pc.equal(table["metric"], metric)).to_pandas() for name, table in parts.items()}
    samples = paired_samples(f"{task}, {metric}", frames)
    signs = np.array([PARTS[name] for name in samples.runs])
    values = signs @ pseudo_values(samples)
    first = frames[samples.runs[0]]
    images = first["image"].astype(object).where(first["image"].notna(), None).tolist()
    return sample_table(metric, first["id"].tolist(), images, values, np.ones(len(values)))


def pseudo_values(samples: PairedSamples) -> Floats:
    """Return [runs, samples] values with denominator 1 that have the scores, and their spread to first order."""
    scores = samples.scores()[:, None]
    above, below = samples.numerators, samples.denominators
    values: Floats = scores + (above - scores * below) / below.mean(axis=1, keepdims=True)
    return values
