"""Empirical-Bayes shrinkage of contributions: each moves towards the mean of all, the further the less sure it is.

The model is normal-normal: a true contribution is drawn from N(mean, variance), its estimate from a normal around it
with the bootstrap's variance. Mean and variance of the prior come from the estimates themselves, by the moments of
DerSimonian and Laird (1986), Controlled Clinical Trials 7, 177-188. Intervals are those of Laird and Louis (1987),
Journal of the American Statistical Association 82, 739-750 (type III): a posterior for each replicate of the prior.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from visatb.balancing import equations
from visatb.balancing.balance import Balance, reweighed
from visatb.balancing.bootstrap import Replicates
from visatb.runtime.arrays import Booleans, Floats

CENTRAL = (15.865525, 84.134475)
"""Percentiles one standard deviation off the median of a normal distribution: ratios have tails without a variance."""

SMALLEST = 1e-12
"""Variances below this are taken for it: nothing is divided by 0."""


class Prior(NamedTuple):
    """Where true contributions are thought to lie, [...] each."""

    mean: Floats
    variance: Floats


def estimate_prior(values: Floats, variances: Floats) -> Prior:
    """Return mean and variance of the prior behind estimates ``values`` [..., P] with known ``variances`` [P]."""
    weights = 1 / np.maximum(variances, SMALLEST)
    centre = (values * weights).sum(axis=-1, keepdims=True) / weights.sum()
    heterogeneity = (weights * (values - centre) ** 2).sum(axis=-1)
    excess = weights.sum() - (weights**2).sum() / weights.sum()
    between = np.maximum(0.0, (heterogeneity - (variances.size - 1)) / np.where(excess > 0, excess, 1.0))
    weights = 1 / np.maximum(variances + between[..., None], SMALLEST)
    return Prior((values * weights).sum(axis=-1) / weights.sum(axis=-1), between)


def kept_share(prior: Prior, variances: Floats) -> Floats:
    """Return [..., P] the share of an estimate's distance from the prior mean that is kept, in [0, 1]."""
    between = prior.variance[..., None]
    return between / np.maximum(between + variances, SMALLEST)


def shrink(values: Floats, variances: Floats) -> Floats:
    """Return the posterior means [..., P] of estimates with known ``variances`` [P]."""
    prior = estimate_prior(values, variances)
    return prior.mean[..., None] + kept_share(prior, variances) * (values - prior.mean[..., None])


def posterior_draws(values: Floats, deviations: Floats, seed: int) -> Floats:
    """Return draws [B, P] from the posterior of true values, given estimates [P] and their ``deviations`` [B, P].

    In each replicate, estimates are simulated from the fitted prior, with the bootstrap's deviations as their errors,
    and a prior is estimated from them; the draw is the posterior mean under it plus the deviation, made smaller by the
    square root of the share kept. So what is correlated in the bootstrap stays so.
    """
    variances = _variances(deviations)
    fitted = estimate_prior(values, variances)
    true_like = fitted.mean + np.sqrt(kept_share(fitted, variances)) * (values - fitted.mean)
    generator = np.random.default_rng([seed, values.size])
    simulated = true_like[generator.integers(values.size, size=deviations.shape)] + deviations
    prior = estimate_prior(simulated, variances)
    kept, mean = kept_share(prior, variances), prior.mean[..., None]
    return mean + kept * (values - mean) + np.sqrt(kept) * deviations


def shrunk(point: Balance, drawn: Replicates, seed: int = 0) -> tuple[Balance, Replicates]:
    """Return a balance and its replicates with shrunk contributions, and the weights that follow from them.

    ``drawn`` are the bootstrap's replicates around ``point``. Contributions of groups that no column is left of are
    filled in from the shrunk ones; D stays as it is.
    """
    entries, measured = _entries(point)
    values = point.C.to_numpy()[entries]
    deviations = drawn.measures.C[:, entries] - values
    means = shrink(values, _variances(deviations))
    C = _with_entries(point.C.to_numpy(), entries, means)
    balance = reweighed(point, equations.averaged(C, point.D.to_numpy(), measured))
    draws = _with_entries(drawn.measures.C, entries, posterior_draws(values, deviations, seed))
    measures = equations.averaged(draws, drawn.measures.D, measured)
    weights = equations.weigh(measures, point.settings.alphas, balance.temperature)
    return balance, replace(drawn, measures=measures, weights=weights)


def _variances(deviations: Floats) -> Floats:
    low, high = np.percentile(deviations, CENTRAL, axis=0)
    variances: Floats = ((high - low) / 2) ** 2
    return variances


def _entries(point: Balance) -> tuple[Booleans, Booleans]:
    """Return which cells of C [G, G] were measured, and which groups [G]."""
    measured = equations.column_shares(point.layout, point.screening.kept).max(axis=0) > 0
    return measured & ~np.eye(measured.size, dtype=bool), measured


def _with_entries(C: Floats, entries: Booleans, values: Floats) -> Floats:
    changed = C.copy()
    changed[..., entries] = values
    return changed
