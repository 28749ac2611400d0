"""The exact nearest types of each picture by cosine, block by block, limited by the matrix product.

A block's cosines are computed in float32. A row's best ones are then computed again in float64; where the error of
float32 could hide a better one, the whole row is.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from visatb.runtime.progress import Progress

Floats = NDArray[np.float32]
SPARE = 4
"""Further candidates beside the k best that are computed again in float64."""

STRIDE = 16
"""Columns of which the largest is found first: the best ones are among the groups with the largest maxima."""

UNIT_ROUNDOFF = 2.0**-24


def nearest(
    pictures: Floats, types: Floats, k: int, block: int = 512, threads: int | None = None
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return the ``k`` types of the largest cosine for each picture, the best one first, equal ones by their number.

    Args:
        pictures: unit vectors, one a row; may be mapped from a file.
        types: unit vectors, one a row.
        k: at most the number of types.
        block: pictures at a time and thread; each block takes ``8 * block * len(types)`` bytes.
        threads: blocks at a time; the cores of this process if None. BLAS should then have one thread.

    Returns:
        Indices and cosines (products in float64), each ``(len(pictures), k)``.
    """
    k = min(k, len(types))
    indices = np.empty((len(pictures), k), dtype=np.int32)
    cosines = np.empty((len(pictures), k), dtype=np.float64)
    search = _Search(types, k)
    workers = threads or len(os.sched_getaffinity(0))
    progress = Progress("match_types", "pictures", len(pictures))
    with ThreadPoolExecutor(workers) as pool:
        for start, best in _bounded(pool, search, pictures, block, 2 * workers):
            indices[start : start + block], cosines[start : start + block] = best
            progress.at(min(start + block, len(pictures)))
    return indices, cosines


def _bounded(
    pool: ThreadPoolExecutor, search: "_Search", pictures: Floats, block: int, most: int
) -> Iterator[tuple[int, tuple[NDArray[np.int32], NDArray[np.float64]]]]:
    """Yield blocks' results in order, with no more than ``most`` of them under way."""
    starts = range(0, len(pictures), block)
    under_way = {start: pool.submit(search.block, pictures[start : start + block]) for start in starts[:most]}
    for number, start in enumerate(starts):
        yield start, under_way.pop(start).result()
        if number + most < len(starts):
            later = starts[number + most]
            under_way[later] = pool.submit(search.block, pictures[later : later + block])


class _Search:
    """The types, laid out for products with blocks of pictures."""

    def __init__(self, types: Floats, k: int) -> None:
        self._types, self._k = np.ascontiguousarray(types, dtype=np.float32), k
        self._wide = min(len(types), k + SPARE)
        padding = -len(types) % STRIDE
        self._columns = np.zeros((types.shape[1], len(types) + padding), dtype=np.float32)
        self._columns[:, : len(types)] = self._types.T

    def block(self, pictures: Floats) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Return indices and cosines of a block of pictures."""
        rows = np.asarray(pictures, dtype=np.float32)
        scores = rows @ self._columns
        scores[:, len(self._types) :] = -np.inf
        candidates = self._candidates(scores)
        lowest = np.take_along_axis(scores, candidates, axis=1).min(axis=1)
        cosines = np.stack([_products(rows, self._types[candidates[:, n]]) for n in range(self._wide)], axis=1)
        order = np.lexsort((candidates, -cosines), axis=1)[:, : self._k]
        indices, best = np.take_along_axis(candidates, order, axis=1), np.take_along_axis(cosines, order, axis=1)
        if self._wide < len(self._types):
            # Of a type that is no candidate, the cosine is at most the lowest candidate's and the error of float32.
            doubtful = best[:, -1] <= lowest + 2 * rows.shape[1] * UNIT_ROUNDOFF
            for row in np.flatnonzero(doubtful):
                indices[row], best[row] = self._whole_row(rows[row])
        return indices.astype(np.int32), best

    def _candidates(self, scores: Floats) -> NDArray[np.int64]:
        groups = scores.shape[1] // STRIDE
        if groups <= self._wide:
            return _largest(scores, self._wide)
        maxima = scores.reshape(len(scores), STRIDE, groups).max(axis=1)
        chosen = _largest(maxima, self._wide)
        columns = (chosen[:, :, None] + groups * np.arange(STRIDE)).reshape(len(scores), -1)
        within = _largest(np.take_along_axis(scores, columns, axis=1), self._wide)
        return np.take_along_axis(columns, within, axis=1)

    def _whole_row(self, picture: Floats) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        cosines = _products(picture[None], self._types)
        order = np.lexsort((np.arange(len(cosines)), -cosines))[: self._k]
        return order, cosines[order]


def _largest(scores: Floats, number: int) -> NDArray[np.int64]:
    if number == scores.shape[1]:
        return np.broadcast_to(np.arange(number), scores.shape).copy()
    return np.argpartition(scores, -number, axis=1)[:, -number:]


def _products(left: Floats, right: Floats) -> NDArray[np.float64]:
    return np.einsum("nd,nd->n", np.broadcast_to(left, right.shape), right, dtype=np.float64)


def within_floor_and_cap(
    indices: NDArray[np.int32], cosines: NDArray[np.float64], floor: float, cap: int
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which matches reach the floor, and which of these are among the ``cap`` best of their type.

    Of equal cosines the earlier picture's counts as better.
    """
    reaches = cosines >= floor
    rows, columns = np.nonzero(reaches)
    types, values = indices[rows, columns], cosines[rows, columns]
    order = np.lexsort((rows, -values, types))
    grouped = types[order]
    starts = np.flatnonzero(np.r_[True, grouped[1:] != grouped[:-1]]) if len(grouped) else np.array([], dtype=int)
    position = np.arange(len(grouped)) - np.repeat(starts, np.diff(np.r_[starts, len(grouped)]))
    within = np.zeros_like(reaches)
    best = order[position < cap]
    within[rows[best], columns[best]] = True
    return reaches, within


def near_duplicates(vectors: Floats, threshold: float, block: int = 1024) -> list[tuple[int, int, float]]:
    """Return ``(type, earlier type, cosine)`` of every type that is as near as ``threshold`` to one that stays.

    Types are looked at in their order: the first of several near ones stays. The cosine is that to the nearest one that
    stays, in float64.
    """
    wide = vectors.astype(np.float64)
    stays = np.ones(len(wide), dtype=bool)
    duplicates = []
    for start in range(0, len(wide), block):
        rows = wide[start : start + block]
        cosines = rows @ wide[: start + len(rows)].T
        for offset in range(len(rows)):
            number = start + offset
            before = np.flatnonzero(stays[:number])
            if len(before) == 0:
                continue
            best = before[np.argmax(cosines[offset, before])]
            if cosines[offset, best] >= threshold:
                stays[number] = False
                duplicates.append((number, int(best), float(cosines[offset, best])))
    return duplicates
