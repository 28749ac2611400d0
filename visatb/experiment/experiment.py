"""What an experiment consists of: its tasks and groups, the runs to be trained, their mixtures and evaluations."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from glob import glob
from pathlib import Path

from visatb.balancing.design import Design
from visatb.balancing.run_names import RESOURCES
from visatb.config.balancing import BalanceSettings, BalancingConfig
from visatb.config.model import ModelConfig
from visatb.config.resources import TrainingResources
from visatb.config.schema import Config, FixedTaskConfig, TaskConfig
from visatb.config.tasks import SPLITS, SourceConfig
from visatb.errors import VisatbError
from visatb.evaluation.zero_shot.plan import methods
from visatb.experiment.checks.experiment import checked_configs
from visatb.experiment.reuse import Reuse, reuse_of
from visatb.experiment.runs import Run, balancings, experiment_runs, groups_of, measuring_runs
from visatb.scores.columns import Column, columns_of
from visatb.scores.metrics import BOX_METRICS, JUDGED_METRICS
from visatb.scores.table import Evaluation


@dataclass(frozen=True)
class Experiment:
    """A checked config together with its model, and everything that follows from them."""

    config: Config
    model: ModelConfig
    proxy: ModelConfig | None = None
    """The model that the weights are measured with, if it is another one."""

    @classmethod
    def from_values(cls, values: Mapping[str, object], origin: str = "config") -> "Experiment":
        """Build an experiment from a config mapping.

        Raises:
            VisatbError: with every mistake in the config, in words, at once.
        """
        return cls(*checked_configs(values, origin))

    @property
    def models(self) -> list[ModelConfig]:
        """The models that runs are trainings of: the config's own first."""
        return [self.model, *([self.proxy] if self.proxy else [])]

    def model_of(self, run: str) -> ModelConfig:
        """Return the model that ``run`` is a training of: runs that weights are measured by have the proxy's."""
        return self.proxy if self.proxy and "val" in self.runs[run].evaluates else self.model

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.config.experiment

    @property
    def folder(self) -> Path:
        """Where its results lie."""
        return Path(self.config.results) / self.name

    @property
    def tasks(self) -> Mapping[str, TaskConfig]:
        """The balanced tasks."""
        return self.config.tasks

    @property
    def all_tasks(self) -> list[str]:
        """The names of balanced and fixed tasks, in the config's order."""
        return [*self.config.tasks, *self.config.fixed_tasks]

    def settings(self, task: str) -> TaskConfig | FixedTaskConfig:
        """Return the section of a balanced or fixed task."""
        return self.config.fixed_tasks.get(task) or self.tasks[task]

    def files(self, task: str, split: str) -> list[str]:
        """Return the annotation files of a task's split, or those of its ready-made ``mini`` or ``large`` subset."""
        settings = self.settings(task)
        if settings.source:
            return [f"{self.prepared_folder}/{task}/{split}.jsonl"]
        if isinstance(settings, FixedTaskConfig):
            return self._found(settings.data if split == "train" else settings.mini)
        return self._found(getattr(settings.data, split))

    def source_files(self, task: str) -> dict[str, list[str]]:
        """Return split -> the raw files of a task that the workflow prepares."""
        source = self.settings(task).source
        return {split: self._found(names) for split, names in source.files if names} if source else {}

    def _found(self, names: list[str] | None) -> list[str]:
        """Return paths from the working directory. A pattern (``*``) stands for the files that match, if any does."""
        paths = [str(Path(self.config.data_folder) / name) for name in names or ()]
        return [match for path in paths for match in (sorted(glob(path)) if "*" in path else []) or [path]]

    @property
    def prepared_folder(self) -> str:
        """Where the splits of tasks with a source are made."""
        return str(Path(self.config.data_folder) / self.config.prepared_folder)

    @property
    def sources(self) -> dict[str, SourceConfig]:
        """Task -> its source, of the tasks whose splits the workflow prepares."""
        return {task: source for task in self.all_tasks if (source := self.settings(task).source)}

    def image_folder(self, task: str) -> str:
        """Return the folder that a task's image paths are relative to."""
        settings = self.settings(task)
        if settings.source and settings.source.format == "m3it":
            return f"{self.prepared_folder}/images"
        return str(Path(self.config.data_folder) / settings.image_folder)

    def other_fields(self, task: str) -> list[str]:
        """Return what the field ``task`` of records says of the other tasks, if files hold several."""
        if self.settings(task).task_field is None:
            return []
        others = (self.settings(other).task_field or other for other in self.all_tasks if other != task)
        return sorted({field for field in others if field != self.settings(task).task_field})

    @property
    def ready_made(self) -> list[tuple[str, str]]:
        """(task, ``mini`` or ``large``) of every subset that is given and not drawn."""
        subsets = [(task, subset) for task in self.tasks for subset in ("mini", "large")]
        subsets = [(task, subset) for task, subset in subsets if getattr(self.tasks[task].data, subset, None)]
        return subsets + [(task, "mini") for task, settings in self.config.fixed_tasks.items() if settings.mini]

    def box_metrics(self, task: str) -> list[str]:
        """Return those of a task's metrics that want every true answer to be a box."""
        metrics = self.tasks[task].metrics if task in self.tasks else []
        return [metric for metric in metrics if metric in BOX_METRICS]

    @cached_property
    def judged_tasks(self) -> list[str]:
        """The tasks whose answers a judge grades."""
        return [task for task, settings in self.tasks.items() if not set(JUDGED_METRICS).isdisjoint(settings.metrics)]

    def judge_context(self, task: str) -> list[str]:
        """Return the files that describe a task's pictures for the judge."""
        return [str(Path(self.config.data_folder) / name) for name in self.tasks[task].judge_context]

    @property
    def judge_replies(self) -> Path:
        """Where the judge's replies are kept."""
        judge = self.config.evaluation.judge
        return Path(judge.replies) if judge and judge.replies else self.folder / "judge_replies"

    @cached_property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Group -> its tasks. A task that no group names is a group of its own."""
        return groups_of(self.config)

    @cached_property
    def validation_columns(self) -> list[tuple[str, str]]:
        """(task, metric) of every column of the validation matrix."""
        return [(task, metric) for task, settings in self.tasks.items() for metric in settings.metrics]

    @property
    def metrics(self) -> dict[str, list[str]]:
        """Task -> its metrics, which are the columns of tables of scores."""
        return {task: list(settings.metrics) for task, settings in self.tasks.items()}

    @property
    def columns(self) -> list[Column]:
        """The columns of tables of scores."""
        return columns_of(self.metrics)

    @cached_property
    def balancings(self) -> dict[str, BalancingConfig]:
        """How each measured set of weights is made: ``visatb`` first, then every variant."""
        return balancings(self.config)

    def balance_settings(self, weights: str) -> BalanceSettings:
        """Return the settings of ``visatb`` or a variant."""
        return self.balancings[weights].settings

    def design(self, weights: str) -> Design:
        """Return columns, groups and settings of ``visatb`` or a variant as the equations take them."""
        return Design(self.columns, self.groups, self.balance_settings(weights))

    def measured_by(self, weights: str) -> list[Evaluation]:
        """Return every (run, ``val``, task) whose scores the weights of ``visatb`` or of a variant follow from."""
        runs = measuring_runs(self.config, self.groups, self.balance_settings(weights))
        return [(run.name, "val", task) for run in runs for task in run.evaluates["val"]]

    @cached_property
    def runs(self) -> dict[str, Run]:
        """Every run by name: the preparation first, then the final ones in the order of ``methods``."""
        return experiment_runs(self.config)

    @property
    def preparation_runs(self) -> list[Run]:
        """The runs behind the validation matrix."""
        return [run for run in self.runs.values() if "val" in run.evaluates]

    @property
    def final_runs(self) -> list[Run]:
        """The runs that the benchmark table compares."""
        return [run for run in self.runs.values() if "test" in run.evaluates]

    @property
    def notes(self) -> list[str]:
        """What readers of the results must know: what was not made here, and what was measured with another model."""
        measured = (
            f"Weights measured with {self.proxy.name}, final runs are of {self.model.name}." if self.proxy else ""
        )
        return [*filter(None, [measured]), *self.reuse.notes(self.config)]

    @cached_property
    def reuse(self) -> Reuse:
        """What is there already: models and scores that are not made here."""
        return reuse_of(self.config, self.runs)

    @property
    def trained_runs(self) -> list[Run]:
        """The runs that are trained here: not the base model, no imported ones, none whose scores are all imported."""
        idle = {
            run.name for run in self.runs.values() if not any(self.answered_tasks(run.name, s) for s in run.evaluates)
        }
        kept = {*self.reuse.models, *idle.difference(methods(self.config))}
        return [run for run in self.runs.values() if run.is_trained and run.name not in kept]

    def answered_tasks(self, run: str, split: str) -> tuple[str, ...]:
        """Return the tasks whose samples of a split the model of ``run`` has to answer here."""
        tasks = self.runs[run].evaluates.get(split, ())
        return tuple(task for task in tasks if (run, split, task) not in self.reuse.scored)

    def given_weights(self, run: str) -> dict[str, float]:
        """Return the weights of a run that are not measured: of fixed tasks, and of a given-weights run's tasks.

        Empty where every task counts alike.
        """
        mixture = self.runs[run].mixture
        fixed = {task: settings.weight for task, settings in self.config.fixed_tasks.items() if task in mixture}
        given = self.config.given_weights.get(self.runs[run].weights)
        if given is None and all(weight == 1 for weight in fixed.values()):
            return {}
        return dict.fromkeys(mixture, 1.0) | fixed | (given or {})

    @property
    def splits(self) -> list[tuple[str, str]]:
        """Every (task, split) that there are records of; a fixed task has its train split alone."""
        fixed = [(task, "train") for task in self.config.fixed_tasks]
        return [(task, split) for task in self.tasks for split in SPLITS] + fixed

    def rate(self, subset: str) -> float:
        """Return the share of a train split that a subset holds."""
        rate = 1.0 if subset == "train" else getattr(self.config.sampling, subset)
        if isinstance(rate, str):
            raise VisatbError(f"sampling.{subset} is '{rate}': it is known only when the records are counted")
        return rate

    def with_rates(self, large: float, mini: float) -> "Experiment":
        """Return the same experiment with these sampling rates, where the config left them to the data."""
        sampling = self.config.sampling.model_copy(update={"large": large, "mini": mini})
        return replace(self, config=self.config.model_copy(update={"sampling": sampling}))

    def evaluations(self, split: str) -> list[Evaluation]:
        """Return every (run, split, task) that is predicted and scored on ``split``."""
        return [(run.name, split, task) for run in self.runs.values() for task in run.evaluates.get(split, ())]

    def resource_kind(self, run: str) -> str:
        """Return the key under ``resources`` of the config that tells what the training of ``run`` takes."""
        return RESOURCES.get(self.runs[run].kind, "final")

    def resources(self, run: str) -> TrainingResources:
        """Return what the training of ``run`` asks for."""
        resources: TrainingResources = getattr(self.config.resources, self.resource_kind(run))
        return resources
