"""Preparations of an experiment with other sampling rates, other seeds or a smaller model, made in a single process.

What the workflow's jobs compute is computed here by the same library calls (mixture, training, answers, scores), so the
scores are the same, but the libraries are loaded once and not once a job. CPU seconds are those of this process, which
a busy machine does not change. What is there already is not made again.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visatb.data.mixtures import write_mixture
from visatb.data.order import answering_order
from visatb.experiment.experiment import Experiment
from visatb.experiment.runs import Run
from visatb.planning.measured_costs import training_cost
from visatb.runtime.files import read_parquet, write_json, write_parquet
from visatb.scores.paired import PairedSamples, paired_samples
from visatb.scores.scoring import score_predictions
from visatb.training.history_file import read_training_log


@dataclass(frozen=True)
class Preparation:
    """Sampling rates, as 1 / R, and the folder of the base checkpoint that the runs start from."""

    large: int
    mini: int
    base: str

    def folder(self, root: Path, run: Run, seed: int) -> Path:
        """Return where a run lies; `mini` is the same one for every R_large."""
        rates = f"mini-1-{self.mini}" if run.kind == "mini" else f"large-1-{self.large}_mini-1-{self.mini}"
        return root / Path(self.base).name / f"seed-{seed}" / f"{run.name}_{rates}"

    def is_made(self, about: Experiment, root: Path, seed: int) -> bool:
        """Return whether all of its runs are there."""
        return all((self.folder(root, run, seed) / "cost.json").exists() for run in about.preparation_runs)


def first_samples(
    about: Experiment,
    runs: Sequence[Run],
    records: Path,
    root: Path,
    preparation: Preparation,
    seed: int,
    answers: int,
) -> list[PairedSamples]:
    """Return what ``runs`` scored on each task's first samples, in the order in which they would be answered."""
    found = []
    for task, metric in about.validation_columns:
        known = read_parquet(records / task / "val.parquet", ["id", "image"])
        ids = known["id"].take(answering_order(known["image"].to_pylist(), task, seed)[:answers]).to_pylist()
        tables = {}
        for run in runs:
            scores = read_parquet(preparation.folder(root, run, seed) / "scores" / f"{task}.parquet").to_pandas()
            tables[run.name] = scores[scores["metric"] == metric].set_index("id").loc[ids].reset_index()
        found.append(paired_samples(task, tables))
    return found


@dataclass(frozen=True)
class Making:
    """One run that is made: of which experiment, from which checked records, how, with which seeds, and where."""

    about: Experiment
    records: Path
    preparation: Preparation
    seed: int
    run: Run
    folder: Path
    training_seed: int

    def mix(self) -> None:
        """Draw what the run is trained on."""
        rates = {"large": 1 / self.preparation.large, "mini": 1 / self.preparation.mini}
        write_mixture(self.folder / "mixture.arrow", self.records, self.run.mixture, rates, self.seed)

    def train(self) -> None:
        """Train the run's model."""
        from visatb.experiment.jobs.training import machine_job, training_job
        from visatb.training.fit import fit

        about = {"base": self.preparation.base, "seed": self.training_seed, "weights": {}}
        job = training_job(self.about, self.run.name).model_copy(update=about)
        here = {"gpus": 0, "workers": 0, "deepspeed": None, "gradient_checkpointing": False}
        machine = machine_job(self.about, self.run.name).model_copy(update=here)
        fit(job, machine, self.folder / "mixture.arrow", self.folder, self.folder / "model")

    def answer(self) -> None:
        """Have the model answer the validation split of every task."""
        from visatb.evaluation.generate import Generation, predict
        from visatb.evaluation.predictions import Questions

        settings, tasks = self.about.config.evaluation, self.about.tasks
        questions = [Questions(task, self.records / task / "val.parquet", tasks[task].max_new_tokens) for task in tasks]
        outputs = {task: self.folder / "predictions" / f"{task}.parquet" for task in tasks}
        number_format, attention = self.about.config.training.precision, self.about.model.attention
        generation = Generation(settings.batch_size, settings.shard_size, number_format, attention, "cpu")
        predict(self.run.name, self.folder / "model", questions, outputs, generation, self.folder / "answers")

    def score(self) -> None:
        """Score the answers."""
        for task, settings in self.about.tasks.items():
            answers = read_parquet(self.folder / "predictions" / f"{task}.parquet")
            write_parquet(self.folder / "scores" / f"{task}.parquet", score_predictions(answers, settings.metrics))

    def amounts(self) -> dict[str, float]:
        """Return steps and tokens of the training, answers and generated tokens."""
        log = read_training_log(self.folder / "training.jsonl")
        files = sorted((self.folder / "predictions").glob("*.parquet"))
        generated = [read_parquet(path, ["new_tokens"])["new_tokens"].to_pylist() for path in files]
        return {
            "steps": training_cost(log)["steps"],
            "input_tokens": sum(line["input_tokens"] for line in log),
            "answers": sum(map(len, generated)),
            "new_tokens": sum(map(sum, generated)),
        }

    def made(self) -> dict[str, float]:
        """Do all of it, anew, and return what it took; scores and history stay."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.mix()
        seconds = {"train_seconds": cpu_seconds(self.train), "answer_seconds": cpu_seconds(self.answer)}
        self.score()
        for name in ("model", "checkpoints", "answers", "tensorboard"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        return {**self.amounts(), **seconds}


def prepare(
    about: Experiment, records: Path, preparation: Preparation, seed: int, root: Path, mini_alone: bool = False
) -> None:
    """Make the preparation runs that are not there; what each took goes to ``cost.json`` in its folder.

    ``mini_alone``: make the run `mini` and no other.
    """
    for run in about.preparation_runs:
        if run.kind == "mini" or not mini_alone:
            prepare_run(about, records, preparation, seed, root, run, seed)


def prepare_run(
    about: Experiment,
    records: Path,
    preparation: Preparation,
    seed: int,
    root: Path,
    run: Run,
    training_seed: int,
) -> None:
    """Make a run that is not there; ``seed`` draws its subset, ``training_seed`` the order in which it is trained."""
    folder = preparation.folder(root, run, seed)
    if not (folder / "cost.json").exists():
        making = Making(about, records, preparation, seed, run, folder, training_seed)
        write_json(folder / "cost.json", making.made())


def smaller_base(about: Experiment, width: int, output: Path) -> None:
    """Pretrain a base checkpoint as the experiment's own is, with layers of another width, if it is not there."""
    from visatb.models import tiny
    from visatb.training.pretraining import pretrain_alignment, pretrain_vision

    how, vision = about.model.pretraining, output.with_name(f"{output.name}-vision")
    if how is None or output.exists():
        return
    whole = tiny.WIDTH, tiny.FEED_FORWARD
    tiny.WIDTH, tiny.FEED_FORWARD = width, width * tiny.FEED_FORWARD // tiny.WIDTH
    try:
        pretrain_vision(about.model.family, how.seed, **dict(how.vision), output=vision)
        pretrain_alignment(vision, how.seed, **dict(how.alignment), output=output)
    finally:
        tiny.WIDTH, tiny.FEED_FORWARD = whole


def load_libraries() -> None:
    """Import what trainings and answers need, so that none of them is billed for it."""
    import visatb.evaluation.generate
    import visatb.training.fit  # noqa: F401


def cpu_seconds(work: Callable[[], Any]) -> float:
    """Return the CPU seconds that ``work`` takes."""
    started = time.process_time()
    work()
    return round(time.process_time() - started, 3)
