"""What the jobs that draw, typeset and export depend on, as a rule hands it to their program."""

from collections.abc import Mapping
from typing import Literal

from visatb.balancing.jobs import WeightsJob
from visatb.balancing.variants import variant_blocks
from visatb.config.types import Section
from visatb.experiment.experiment import Experiment
from visatb.experiment.jobs.balancing import weights_job
from visatb.scores.columns import Column, columns_of

TaskGroups = Mapping[str, tuple[str, ...]]
"""Group -> its tasks."""


class ColumnsSection(Section):
    """A job that reads columns of scores.

    Attributes:
        metrics: task -> its metrics, a column each.
    """

    metrics: Mapping[str, tuple[str, ...]]

    def columns(self) -> list[Column]:
        """Return the columns with the direction of their metrics."""
        return columns_of(self.metrics)


class BalancingFiguresJob(Section):
    """The figures of contributions, difficulties and weights.

    Attributes:
        notes: sentences below them: what readers must know of how the scores came about.
    """

    notes: tuple[str, ...] = ()


class BenchmarkFiguresJob(ColumnsSection):
    """The figures of the benchmark.

    Attributes:
        notes: sentences below them.
    """

    notes: tuple[str, ...] = ()


class TrainingFiguresJob(Section):
    """The figures of trainings.

    Attributes:
        tasks: all tasks, in the order of their colours.
    """

    tasks: tuple[str, ...]


class VisualContributionFigureJob(Section):
    """The figure of visual contributions.

    Attributes:
        places: (run, task) of each panel's answers.
    """

    places: tuple[tuple[str, str], ...]


class BenchmarkTableJob(ColumnsSection):
    """The benchmark as papers print it.

    Attributes:
        groups: group -> its tasks.
        blocks: method -> its setting, of variants that are compared with each other below the methods.
    """

    groups: TaskGroups
    blocks: tuple[Mapping[str, str], ...] = ()


class DataTableJob(ColumnsSection):
    """The tasks' data as papers print them.

    Attributes:
        groups: group -> its tasks.
        instructions: task -> its response-format instruction.
    """

    groups: TaskGroups
    instructions: Mapping[str, str] = {}


class ExplorerJob(WeightsJob):
    """The page on which other settings can be tried.

    Attributes:
        experiment: its name.
    """

    experiment: str


class ExportJob(Section):
    """The weights as files of other training programs.

    Attributes:
        experiment: its name.
        objective: what the trainings learned behind the weights.
        seed: of the order of samples.
        epochs: passes over the data.
        family: of the model.
    """

    experiment: str
    objective: Literal["response", "l2t"]
    seed: int
    epochs: float
    family: Literal["llava", "qwen2_vl"]


class CostJob(Section):
    """What the experiment really took.

    Attributes:
        gpus: run -> GPUs of its training, 0 for CPUs.
    """

    gpus: Mapping[str, int]


def balancing_figures_job(experiment: Experiment) -> BalancingFiguresJob:
    """Return what the figures of contributions, difficulties and weights depend on."""
    return BalancingFiguresJob(notes=experiment.notes)


def benchmark_figures_job(experiment: Experiment) -> BenchmarkFiguresJob:
    """Return what the figures of the benchmark depend on."""
    return BenchmarkFiguresJob(metrics=experiment.metrics, notes=experiment.notes)


def training_figures_job(experiment: Experiment) -> TrainingFiguresJob:
    """Return what the figures of trainings depend on."""
    return TrainingFiguresJob(tasks=experiment.all_tasks)


def visual_contribution_figure_job(experiment: Experiment) -> VisualContributionFigureJob:
    """Return what the figure of visual contributions depends on."""
    return VisualContributionFigureJob(places=[(run, task) for run, _, task in experiment.evaluations("test")])


def benchmark_table_job(experiment: Experiment) -> BenchmarkTableJob:
    """Return what the typeset benchmark depends on. Variants that have a row stand in blocks of what they change."""
    settings = {name: experiment.balance_settings(name) for name in experiment.balancings}
    blocks = variant_blocks(settings, experiment.config.methods)
    return BenchmarkTableJob(metrics=experiment.metrics, groups=experiment.groups, blocks=blocks)


def data_table_job(experiment: Experiment) -> DataTableJob:
    """Return what the typeset table of the data depends on."""
    instructions = {task: source.instruction for task, source in experiment.sources.items() if source.instruction}
    return DataTableJob(metrics=experiment.metrics, groups=experiment.groups, instructions=instructions)


def explorer_job(experiment: Experiment) -> ExplorerJob:
    """Return what the explorer depends on."""
    return ExplorerJob(**dict(weights_job(experiment, "visatb")), experiment=experiment.name)


def export_job(experiment: Experiment) -> ExportJob:
    """Return what exported weights and data mixes depend on."""
    config = experiment.config
    return ExportJob(
        experiment=experiment.name,
        objective=config.objective,
        seed=config.seed,
        epochs=config.training.epochs,
        family=experiment.model.family,
    )


def cost_job(experiment: Experiment) -> CostJob:
    """Return what the account of costs depends on."""
    wanted = {run.name: experiment.resources(run.name) for run in experiment.trained_runs}
    return CostJob(gpus={run: resources.gpus * resources.nodes for run, resources in wanted.items()})
