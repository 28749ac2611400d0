"""Types in clusters of near ones: spherical k-means, the same for the same seed."""

import numpy as np
from numpy.typing import NDArray

from visatb.taskgalaxy.embedding import Vectors

ROUNDS = 100


def clusters(vectors: Vectors, number: int, seed: int) -> NDArray[np.int64]:
    """Return the cluster of each unit vector, numbered from 0 in the order of their first members.

    Starts are drawn as in k-means++, by 1 - cosine to the nearest one. An emptied cluster takes the vector that fits
    its own worst. There are fewer clusters where there are fewer different vectors.
    """
    wide = vectors.astype(np.float64)
    number = min(number, len(np.unique(wide, axis=0)))
    centres = _starts(wide, number, np.random.default_rng(seed))
    assigned = np.full(len(wide), -1)
    for _ in range(ROUNDS):
        cosines = wide @ centres.T
        nearest = cosines.argmax(axis=1)
        for empty in sorted(set(range(number)) - set(nearest.tolist())):
            sizes = np.bincount(nearest, minlength=number)
            fits = np.where(sizes[nearest] > 1, cosines[np.arange(len(wide)), nearest], np.inf)
            nearest[fits.argmin()] = empty
        if (nearest == assigned).all():
            break
        assigned = nearest
        sums = np.stack([wide[assigned == cluster].sum(axis=0) for cluster in range(number)])
        centres = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    _, first = np.unique(assigned, return_index=True)
    rank = {int(assigned[member]): order for order, member in enumerate(sorted(first))}
    return np.array([rank[int(cluster)] for cluster in assigned])


def _starts(vectors: NDArray[np.float64], number: int, rng: np.random.Generator) -> NDArray[np.float64]:
    chosen = [int(rng.integers(len(vectors)))]
    far = np.ones(len(vectors))
    while len(chosen) < number:
        far = np.minimum(far if len(chosen) > 1 else np.inf, 1 - vectors @ vectors[chosen[-1]]).clip(min=0)
        far[chosen] = 0
        chosen.append(
            int(rng.choice(len(vectors), p=far / far.sum())) if far.sum() else int(rng.integers(len(vectors)))
        )
    return vectors[chosen]
