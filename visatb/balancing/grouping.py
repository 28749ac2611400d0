"""Which tasks could be balanced as one: hierarchical clustering of measured contributions, or of instructions.

Clustering is average linkage. The number of groups is given, or the one with the best mean silhouette; if no number has
one above 0, the tasks do not fall into groups and each stays alone.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import silhouette_score
from sklearn.metrics.pairwise import cosine_distances

from visatb.config.types import NAME_LENGTH
from visatb.errors import VisatbError
from visatb.runtime.arrays import Floats


@dataclass(frozen=True)
class Grouping:
    """A proposal.

    Attributes:
        groups: name -> tasks, of groups of one task too.
        distances: tasks x tasks.
        tree: the linkage matrix of scipy, whose leaves are the rows of ``distances``.
        cut: the distance at which the tree falls into these groups.
        silhouettes: number of groups -> mean silhouette, from -1 to 1, of every number that was tried.
    """

    groups: Mapping[str, Sequence[str]]
    distances: pd.DataFrame
    tree: NDArray[np.float64]
    cut: float
    silhouettes: Mapping[int, float]

    def table(self) -> pd.DataFrame:
        """Return ``group``, ``tasks``, ``spread`` and ``nearest``: mean distances within and to the nearest group."""
        return pd.DataFrame(
            [(name, ",".join(tasks), self._spread(tasks), *self._nearest(name)) for name, tasks in self.groups.items()],
            columns=["group", "tasks", "spread", "nearest", "nearest_distance"],
        )

    def _spread(self, tasks: Sequence[str]) -> float:
        inside = self.distances.loc[list(tasks), list(tasks)].to_numpy()
        return float(inside[~np.eye(len(tasks), dtype=bool)].mean()) if len(tasks) > 1 else 0.0

    def _nearest(self, name: str) -> tuple[str, float]:
        own = list(self.groups[name])
        others = {
            other: float(self.distances.loc[own, list(tasks)].to_numpy().mean())
            for other, tasks in self.groups.items()
            if other != name
        }
        return min(others.items(), key=lambda pair: pair[1]) if others else ("", np.nan)


def contribution_distances(C: pd.DataFrame, not_measured: Collection[str] = ()) -> pd.DataFrame:
    """Return 1 - (C[i -> j] + C[j -> i]) / 2, at least 0: how far two tasks are from serving as each other's data.

    A column that could not be measured leaves one direction; two such tasks are as far apart as the farthest pair.

    Args:
        C: contributions, from in the rows, to in the columns.
        not_measured: whose columns hold the mean of others.
    """
    values = C.loc[:, C.index].to_numpy(dtype=np.float64, copy=True)
    values[:, np.isin(C.index, list(not_measured))] = np.nan
    both = np.stack([values, values.T])
    known = np.isfinite(both)
    mean = np.where(known, both, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    distances = np.maximum(1.0 - mean, 0.0)
    unknown = ~known.any(axis=0)
    distances[unknown] = distances[~unknown].max(initial=0.0)
    np.fill_diagonal(distances, 0.0)
    return pd.DataFrame(distances, index=C.index, columns=C.index)


def instruction_distances(questions: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Return the cosine distances of the tasks' questions: 0 for the same words as often, 1 for none in common.

    A task is one text of all its questions; words and pairs of words are weighted by TF-IDF over the tasks.

    Raises:
        VisatbError: no question of a task holds a word.
    """
    silent = [task for task, asked in questions.items() if not any(text.strip() for text in asked)]
    if silent:
        raise VisatbError(f"tasks {', '.join(silent)} have no questions in words; group them by contributions")
    vectors = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b").fit_transform(
        " \n ".join(asked) for asked in questions.values()
    )
    names = list(questions)
    return pd.DataFrame(_symmetric(cosine_distances(vectors)), index=names, columns=names)


def propose(distances: pd.DataFrame, number: int | None = None) -> Grouping:
    """Return groups of the tasks (or groups) that ``distances`` is about.

    Args:
        distances: symmetric, 0 on its diagonal.
        number: how many groups; by default the number with the best silhouette.

    Raises:
        VisatbError: there are fewer than three tasks, or fewer than ``number``, or a group was asked of all.
    """
    names = [str(name) for name in distances.index]
    if len(names) < 3:
        raise VisatbError(f"{len(names)} tasks or groups cannot be put together and still be balanced; at least 3 can")
    if number is not None and not 2 <= number <= len(names):
        raise VisatbError(f"grouping.number: {number} groups of {len(names)}; expected 2 to {len(names)}")
    values = _symmetric(distances.to_numpy(dtype=np.float64))
    tree = linkage(squareform(values, checks=False), method="average")
    silhouettes = {}
    for count in range(2, len(names)):
        labels = fcluster(tree, count, criterion="maxclust")
        if 1 < len(set(labels)) < len(names):
            silhouettes[len(set(labels))] = float(silhouette_score(values, labels, metric="precomputed"))
    best = max(silhouettes, key=lambda count: silhouettes[count], default=len(names))
    chosen = number or (best if silhouettes.get(best, 0.0) > 0 else len(names))
    labels = fcluster(tree, chosen, criterion="maxclust")
    members: dict[int, list[str]] = {}
    for name, label in zip(names, labels, strict=True):
        members.setdefault(int(label), []).append(name)
    groups = {group_name(tasks, names): tasks for tasks in members.values()}
    named = pd.DataFrame(values, index=names, columns=names)
    return Grouping(groups, named, tree, _cut(tree, len(groups)), silhouettes)


def group_name(tasks: Sequence[str], taken: Collection[str] = ()) -> str:
    """Return the name of a group: its tasks with a plus between them, or its first one and how many more."""
    name = "+".join(tasks)
    if len(name) > NAME_LENGTH or (len(tasks) > 1 and name in taken):
        name = f"{tasks[0][: NAME_LENGTH - 12]}+{len(tasks) - 1}-more"
    return name


def saved_cost(before: int, after: int, rate_mini: float) -> float:
    """Return what fewer groups save of the preparation's R_large + N R_mini, in trainings on the full mix."""
    return (before - after) * rate_mini


def _symmetric(values: Floats) -> Floats:
    """Return a distance matrix without the rounding that scipy would not take."""
    even = np.maximum((values + values.T) / 2, 0.0)
    np.fill_diagonal(even, 0.0)
    return even


def _cut(tree: NDArray[np.float64], number: int) -> float:
    """Return the distance between the merge that makes ``number`` groups and the next one."""
    heights: list[float] = [0.0, *tree[:, 2].tolist(), float(tree[-1, 2]) * 1.1]
    made = len(tree) + 1 - number
    return (heights[made] + heights[made + 1]) / 2
