"""How sure is V_j(j+mini) - V_j(mini), the denominator of Eq. 3?"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from visatb.balancing.design import Design
from visatb.balancing.seed_variance import seed_variances
from visatb.scores.paired import PairedSamples, by_column, influences, spread


def gap_standard_errors(samples: Sequence[PairedSamples], design: Design) -> pd.Series:
    """Return, by column name, the standard error of V_j(j+mini) - V_j(mini) over the same samples.

    Where runs are repeated with other seeds, it is that of the difference of their means, the chance in seeds included.

    Raises:
        VisatbError: where a column or a run has no samples.
    """
    names, layout = design.names, design.layout
    errors, base = {}, names.runs[layout.baseline]
    seeds = dict(zip(names.columns, seed_variances(samples, names), strict=True))
    for column, paired in by_column(samples, names.scored).items():
        own = names.runs[layout.trained[layout.group_of[names.columns.index(column)]]]
        _, numerators, denominators = paired.image_sums()
        rows = {run: [paired.runs.index(again) for again in names.repetitions[run]] for run in (own, base)}
        moved = influences(numerators, denominators)
        gap = moved[rows[own]].mean(axis=0) - moved[rows[base]].mean(axis=0)
        between = seeds[column] * sum(1 / len(again) for run, again in rows.items() if run != "base")
        errors[column] = float(np.hypot(spread(gap), np.sqrt(between)))
    return pd.Series(errors)
