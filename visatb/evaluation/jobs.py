"""What jobs that ask models and grade their answers depend on, beside the files that they read."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator

from visatb.config.endpoints import TokenPrices
from visatb.config.types import Parameter, PositiveInt, Section
from visatb.scores.metrics import METRIC_NAMES

Precision = Literal["float32", "bfloat16"]


def _known_metric(name: str) -> str:
    if name not in METRIC_NAMES:
        raise ValueError(f"expected metrics of {', '.join(METRIC_NAMES)}")
    return name


Metric = Annotated[str, AfterValidator(_known_metric)]


class LoadedJob(Section):
    """A model that the job loads itself.

    Attributes:
        batch_size: samples at a time.
        precision: of the computation.
        attention: implementation of attention in transformers.
        gpus: 1, or 0 to compute on the CPU.
    """

    batch_size: PositiveInt
    precision: Precision
    attention: str
    gpus: int = 0


class EndpointJob(Section):
    """A model behind an endpoint. How it is reached is in the environment: `visatb.runtime.untracked`.

    Attributes:
        model: the name by which the endpoint knows it.
        parameters: sent with each request.
    """

    model: str
    parameters: Mapping[str, Parameter]


class PredictionJob(Section):
    """Answers of a run's model to a split.

    Attributes:
        run: the run's name.
        split: ``val`` or ``test``.
        max_new_tokens: task -> the longest answer in tokens, of all tasks to answer.
        shard_size: samples after which answers are saved.
        order_seed: of the random order in which samples are answered; None: as they come.
        first: so many samples of each task are answered; None: all, or as many as a table of sizes says.
        loaded: how the job computes, if it loads the model.
        served: what the server is asked for, if one answers.
    """

    run: str
    split: str
    max_new_tokens: Mapping[str, PositiveInt]
    shard_size: PositiveInt
    order_seed: int | None = None
    first: PositiveInt | None = None
    loaded: LoadedJob | None = None
    served: EndpointJob | None = None


class JudgeJob(EndpointJob):
    """A judge's verdicts on a run's answers to one task.

    Attributes:
        run: the run's name.
        split: ``val`` or ``test``.
        task: the task's name.
        image_folder: what the pictures' names in the files of context are relative to.
        show_image: send the picture along.
        prices: what a million tokens cost, if it is known.
    """

    run: str
    split: str
    task: str
    image_folder: str
    show_image: bool = False
    prices: TokenPrices | None = None


class ScoringJob(Section):
    """Scores of a run's answers.

    Attributes:
        metrics: task -> metric -> its version, so that a new version scores again.
        origin: where the model that answered comes from, if it was not trained here.
    """

    metrics: Mapping[str, Mapping[Metric, int]]
    origin: str | None = None


class ContributionJob(Section):
    """The visual contribution to a run's answers.

    Attributes:
        run: the run's name.
        tasks: those that it answers.
        max_length: longest sample in tokens.
        loaded: how the job computes.
    """

    run: str
    tasks: tuple[str, ...]
    max_length: PositiveInt
    loaded: LoadedJob


class ContributionTableJob(Section):
    """The table of visual contributions.

    Attributes:
        tasks: run -> the tasks that it answers.
    """

    tasks: Mapping[str, tuple[str, ...]]


class BenchmarkJob(Section):
    """A zero-shot benchmark as it is asked.

    Attributes:
        name: its heading in tables.
        task: lmms-eval's name of the task, or a task file; None for one that is known by its name.
        metric: lmms-eval's name of the score; None likewise.
        data: patterns of local files of questions.
        image_folder: what the pictures' names in them are relative to.
    """

    name: str
    task: str | None = None
    metric: str | None = None
    data: tuple[str, ...] = ()
    image_folder: str | None = None


class LoaderJob(Section):
    """A model that lmms-eval loads itself.

    Attributes:
        loader: lmms-eval's name of the model's class.
        arguments: further ``--model_args``.
        precision: of the computation.
        gpus: 1, or 0 to compute on the CPU.
    """

    loader: str
    arguments: Mapping[str, Parameter]
    precision: Precision
    gpus: int = 0


class ZeroShotJob(Section):
    """Answers of a run's model to all zero-shot benchmarks.

    Attributes:
        run: the run's name.
        benchmarks: what is asked, in this order.
        python: interpreter that has lmms-eval, if it is not the job's own.
        limit: the first questions of each benchmark alone.
        cache: folder of downloaded data sets (``HF_HOME``), if not the machine's own.
        loaded: how lmms-eval loads the model, if it does.
        served_model: the name by which a server knows the model, if one answers.
    """

    run: str
    benchmarks: tuple[BenchmarkJob, ...]
    python: str | None = None
    limit: PositiveInt | None = None
    cache: str | None = None
    loaded: LoaderJob | None = None
    served_model: str | None = None


class GradingJob(EndpointJob):
    """A judge's grades of a run's answers to a zero-shot benchmark.

    Attributes:
        run: the run's name.
        benchmark: its heading in tables.
        prices: what a million tokens cost, if it is known.
    """

    run: str
    benchmark: str
    prices: TokenPrices | None = None


class ZeroShotTableJob(Section):
    """The table of zero-shot scores.

    Attributes:
        methods: whose models answered, one row each.
        higher_is_better: benchmark -> whether large scores are good, one column each.
    """

    methods: tuple[str, ...]
    higher_is_better: Mapping[str, bool]
