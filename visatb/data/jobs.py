"""What jobs that make data depend on, beside the files that they read."""

from collections.abc import Mapping
from typing import Literal

from visatb.config.tasks import SourceConfig
from visatb.config.types import Section


class SplitJob(Section):
    """One split of a task, or a ready-made subset of its train split, and what is expected of its records.

    Attributes:
        task: the task's name.
        split: ``train``, ``val`` or ``test``.
        image_folder: what image paths are relative to.
        boxes: whether every answer must be a box.
        task_field: what the records' ``task`` says, where one file holds several tasks. The others' are passed over.
        other_fields: what it may say of other tasks; anything else is an unknown task.
        number_ids: give an id that was there before the ending ``-2``, ``-3``, ... instead of refusing its record.
        tolerated: share of bad records, 0 to 1, up to which the rest is used.
    """

    task: str
    split: Literal["train", "val", "test"]
    image_folder: str
    boxes: bool = False
    task_field: str | None = None
    other_fields: tuple[str, ...] = ()
    number_ids: bool = False
    tolerated: float = 0.0


class SourceJob(Section):
    """A task whose splits are made from a published data set.

    Attributes:
        task: the task's name.
        source: what they are made from, and how.
        task_field: what the records' ``task`` says, where one file holds several tasks.
        other_fields: what it says of the others.
        tolerated: share of bad records, 0 to 1, up to which the rest is used.
    """

    task: str
    source: SourceConfig
    task_field: str | None = None
    other_fields: tuple[str, ...] = ()
    tolerated: float = 0.0


class MixtureJob(Section):
    """The training set of a run.

    Attributes:
        subsets: task -> ``mini``, ``large`` or ``train``.
        rates: subset -> share of the train split that it holds, of those that the config gives.
        seed: of the drawing.
    """

    subsets: Mapping[str, Literal["mini", "large", "train"]]
    rates: Mapping[str, float]
    seed: int
