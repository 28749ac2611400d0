"""What jobs that make or take over models depend on, beside the files that they read."""

from visatb.config.model import AlignmentPretraining, VisionPretraining
from visatb.config.types import Part, Section


class VisionJob(VisionPretraining):
    """Stage 0 of a tiny model.

    Attributes:
        family: architecture, ``llava`` or ``qwen2_vl``.
        seed: of weights and pictures.
    """

    family: str
    seed: int


class AlignmentJob(AlignmentPretraining):
    """Stage 1 of a tiny model.

    Attributes:
        seed: of pictures and texts.
        vision: what its vision tower is made of.
    """

    seed: int
    vision: VisionJob


class ImportJob(Section):
    """A model that was trained elsewhere.

    Attributes:
        run: the run that it stands for.
        base: checkpoint folder or hub name that trainings here start from.
        freeze: parts that must not have been trained, where it is of an experiment that is known.
    """

    run: str
    base: str
    freeze: tuple[Part, ...] = ()
