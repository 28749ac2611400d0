"""Where a training's course is shown: TensorBoard files, and Weights & Biases if it is asked for."""

import importlib.util
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from visatb.runtime.progress import say
from visatb.runtime.untracked import untracked

NUMBERS = ("loss", "learning_rate", "grad_norm", "epoch", "input_tokens_per_second", "samples_per_second")
OF_TASKS = ("task_loss", "weights")


class Tracker(Protocol):
    """Shows the entries of a `training.jsonl`."""

    def begin(self, earlier: Iterable[Mapping[str, Any]]) -> None:
        """Start, or go on after the entries ``earlier`` of the same training."""

    def show(self, entry: Mapping[str, Any]) -> None:
        """Show one more entry."""

    def end(self) -> None:
        """Write what is not written yet."""


def scalars(entry: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield name and value of what an entry tells: its numbers, and those of tasks as ``task_loss/<task>``."""
    yield from ((name, float(entry[name])) for name in NUMBERS if entry.get(name) is not None)
    for name in OF_TASKS:
        yield from ((f"{name}/{task}", float(value)) for task, value in entry.get(name, {}).items())


class TensorBoard:
    """Event files in ``folder``. What a later attempt does again replaces what was written of these steps."""

    def __init__(self, folder: Path, run: str) -> None:
        self._folder, self._run = folder, run
        self._writer: Any = None

    def begin(self, earlier: Iterable[Mapping[str, Any]]) -> None:
        """Write the folder anew, beginning with ``earlier``: event files cannot take a step back."""
        if importlib.util.find_spec("tensorboardX") is None:
            say(f"[{self._run}] no TensorBoard files: the package tensorboardX is not installed")
            return
        from tensorboardX import SummaryWriter

        shutil.rmtree(self._folder, ignore_errors=True)
        self._writer = SummaryWriter(str(self._folder), flush_secs=30)
        for entry in earlier:
            self.show(entry)

    def show(self, entry: Mapping[str, Any]) -> None:
        """Write one entry."""
        if self._writer is not None:
            for name, value in scalars(entry):
                self._writer.add_scalar(name, value, entry["step"], entry.get("time"))

    def end(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()


@dataclass(frozen=True)
class WandbProject:
    """Where on Weights & Biases a run is shown: ``experiment`` names the group."""

    project: str
    entity: str | None
    experiment: str


def wandb_project() -> WandbProject | None:
    """Return where on Weights & Biases this job is shown, as its untracked section ``tracking`` says."""
    settings = untracked("tracking")
    return WandbProject(**settings) if settings else None


class WeightsAndBiases:
    """A run on Weights & Biases. One that is not reached stops no training."""

    def __init__(self, where: WandbProject, run: str, fingerprint: str, folder: Path) -> None:
        self._where, self._run, self._folder = where, run, folder
        self._id = f"{where.experiment}-{run}-{fingerprint}"
        self._shown: Any = None

    def begin(self, earlier: Iterable[Mapping[str, Any]]) -> None:
        """Go on with the run of the same training, which knows ``earlier``; steps that it has are passed over there."""
        import wandb

        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._shown = wandb.init(
                project=self._where.project,
                entity=self._where.entity,
                group=self._where.experiment,
                name=self._run,
                id=self._id,
                resume="allow",
                dir=str(self._folder),
                settings=wandb.Settings(console="off", silent=True),
            )
        except Exception as error:  # of the network, the account or the service
            say(f"[{self._run}] Weights & Biases: {error}; the training goes on without it")

    def show(self, entry: Mapping[str, Any]) -> None:
        """Send one entry."""
        if self._shown is not None:
            self._shown.log(dict(scalars(entry)), step=entry["step"])

    def end(self) -> None:
        """Send what is left."""
        if self._shown is not None:
            self._shown.finish()
