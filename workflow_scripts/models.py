"""Models: base checkpoints that are assembled or pretrained, and models that were trained elsewhere."""

from pathlib import Path

from visatb.config.model import AssemblyConfig
from visatb.models.jobs import AlignmentJob, ImportJob, VisionJob
from visatb.runtime.cli import run_program


def assemble_model(components: AssemblyConfig, output: Path) -> None:
    """Assemble a LLaVA checkpoint from a language model, a vision tower and a stage-1 projector.

    Args:
        components: where the three lie.
        output: the model folder to make.
    """
    from visatb.models.assembly import Components, assemble

    assemble(Components(**{name: component.source for name, component in components}), output)


def pretrain_vision(job: VisionJob, output: Path, threads: int = 1) -> None:
    """Stage 0 of the demo's base: build a tiny model and teach its vision tower to see the demo's pictures.

    Args:
        job: the model's family and seed, and the numbers of the stage.
        output: model folder to write.
        threads: CPU threads.
    """
    import torch

    from visatb.training.pretraining import pretrain_vision as pretrain

    torch.set_num_threads(threads)
    pretrain(**dict(job), output=output)


def pretrain_alignment(job: AlignmentJob, vision: Path, output: Path, threads: int = 1) -> None:
    """Stage 1 of the demo's base: align projector and language model with a vision tower on plain alt-texts.

    Args:
        job: the seed, and the numbers of the stage.
        vision: model folder that pretrain_vision has written.
        output: model folder to write.
        threads: CPU threads.
    """
    import torch

    from visatb.models.pretrained import note_pretrained
    from visatb.training.pretraining import pretrain_alignment as pretrain

    torch.set_num_threads(threads)
    numbers = {name: value for name, value in job if name != "vision"}
    pretrain(vision, **numbers, output=output)
    note_pretrained(output, job)


def import_model(job: ImportJob, model: Path, output: Path, mixture: Path | None = None) -> None:
    """Let a model that was trained elsewhere stand for a run, if it is of the experiment's kind.

    Args:
        job: the run, and what the model must have started from.
        model: its folder, in the layout of transformers.
        output: the model folder to make.
        mixture: what it must have been trained on, if that is known.
    """
    from visatb.training.imported import AsHere
    from visatb.training.imported import import_model as take_over

    take_over(job.run, model, job.base, output, AsHere(str(mixture), job.freeze) if mixture else None)


if __name__ == "__main__":
    run_program(assemble_model, pretrain_vision, pretrain_alignment, import_model)
