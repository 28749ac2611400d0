"""Proposed groups of an experiment: what they follow from, the file that a config names, and the words of it."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from visatb.balancing.grouping import Grouping, contribution_distances, instruction_distances, propose, saved_cost
from visatb.balancing.jobs import GroupingJob
from visatb.data.questions import sampled_questions
from visatb.errors import VisatbError
from visatb.runtime.files import read_json
from visatb.runtime.tables import read_matrix, text_table


def by_contributions(job: GroupingJob, contributions: Path, balancing: Path) -> Grouping:
    """Return groups that follow from measured contributions.

    Args:
        job: the groups as they are.
        contributions: ``contributions.tsv``.
        balancing: ``balancing.json``, which says what was not measured.

    Raises:
        VisatbError: the contributions are those of other groups, or too few.
    """
    C = read_matrix(contributions, "from")
    if list(C.index) != list(C.columns) or set(C.index) != set(job.groups) or C.isna().to_numpy().any():
        raise VisatbError(
            f"{contributions}: is of {', '.join(C.index)}, expected one value for every pair of {', '.join(job.groups)}"
        )
    return propose(contribution_distances(C, read_json(balancing)["not_measured"]), job.number)


def by_instructions(job: GroupingJob, records: Path) -> Grouping:
    """Return groups that follow from the words of questions.

    Args:
        job: the groups as they are, and how questions are drawn.
        records: folder that holds ``<task>/train.parquet``.

    Raises:
        VisatbError: it is not said how many questions are drawn, a task has none, or there are too few groups.
    """
    if job.samples is None or job.seed is None:
        raise VisatbError("samples, seed: missing; groups by instructions need both")
    files = {group: [records / task / "train.parquet" for task in tasks] for group, tasks in job.groups.items()}
    questions = {group: sampled_questions(own, job.samples, job.seed) for group, own in files.items()}
    return propose(instruction_distances(questions), job.number)


def groups_yaml(grouping: Grouping, job: GroupingJob, by: str, file: Path) -> str:
    """Return the text of the file that a config may name under ``groups``: the groups of several tasks.

    Args:
        grouping: the proposal.
        job: the groups as they were.
        by: what the proposal follows from, ``contributions`` or ``instructions``.
        file: where it is written.
    """
    tasks = {name: _tasks(own, job) for name, own in grouping.groups.items()}
    together = {name: members for name, members in tasks.items() if len(members) > 1}
    head = f"# Proposed by propose_groups from {by}. To use them: `groups: {file}` in a config.\n"
    return head + yaml.safe_dump({"groups": together}, sort_keys=False, allow_unicode=True)


def _tasks(groups: Sequence[str], job: GroupingJob) -> list[str]:
    return [task for group in groups for task in job.groups[group]]


def proposal_text(grouping: Grouping, before: int, rate_mini: float) -> str:
    """Return the proposal as text: its table, the silhouettes that were tried, and the cost that is saved.

    Args:
        grouping: the proposal.
        before: the number of groups as they are.
        rate_mini: R_mini, the share of the train split in a mini subset.
    """
    after = len(grouping.groups)
    saved = saved_cost(before, after, rate_mini)
    tried = ", ".join(f"{number}: {value:.2f}" for number, value in sorted(grouping.silhouettes.items()))
    table = text_table(grouping.table().round(3).astype(str), left=["group", "tasks", "nearest"])
    return (
        f"\n{table}\n\nMean silhouette by number of groups: {tried or 'none'}.\n{after} groups instead of {before}"
        f" save {saved:.3f} of a training on the full mix in the preparation."
    )
