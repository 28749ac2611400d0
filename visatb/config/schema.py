"""The schema of an experiment's config: every key with its meaning, unit and default."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from visatb.config.balancing import BalancingConfig, DwaConfig, Igbv1Config, VariantConfig
from visatb.config.endpoints import JudgeConfig, ServedConfig
from visatb.config.resources import ResourcesConfig, Throughput, ThroughputConfig
from visatb.config.reuse import AddingConfig, GroupingConfig, ImportsConfig
from visatb.config.taskgalaxy import TaskGalaxyConfig
from visatb.config.tasks import SPLITS, SourceConfig, SplitFiles, each_split
from visatb.config.training import L2TConfig, TrackingConfig, TrainingConfig
from visatb.config.types import (
    Name,
    Number,
    Paths,
    PositiveFloat,
    PositiveInt,
    RateOrAuto,
    Section,
    Seed,
    Share,
    Words,
)
from visatb.config.zero_shot import ZeroShotConfig

RESERVED_NAMES = ("mini", "base", *SPLITS)


class TaskConfig(Section):
    """One kind of instruction data with its own metric."""

    data: Annotated[SplitFiles | None, BeforeValidator(each_split, json_schema_input_type=SplitFiles | str | None)] = (
        Field(
            None,
            description="the annotation files by split, or one path with `{split}` in it; relative to `data_folder`",
        )
    )
    source: SourceConfig | None = Field(None, description="instead of `data`: what the workflow makes it from")
    task_field: str | None = Field(
        None, description="what the records' `task` says, where files hold several tasks; the others' are passed over"
    )
    image_folder: str = Field(
        ".", description="folder that image paths in the data files are relative to; itself relative to `data_folder`"
    )
    metrics: Annotated[Words, Field(min_length=1)] = Field(
        description=(
            "`EM`, `IoU`, `mean_IoU`, `CIDEr`, `CIDEr-PTB`, `GLEU` or `judge`; of several, C, D and I are averaged"
        )
    )
    max_new_tokens: PositiveInt = Field(64, description="longest answer that is generated, in tokens")
    judge_context: Words = Field(
        default_factory=list,
        description="JSON-lines files that describe val and test pictures for the judge; relative to `data_folder`",
    )


class FixedTaskConfig(Section):
    """A task with a given weight: part of every training mixture, of no validation."""

    data: Paths | None = Field(None, description="the annotation files of its train split; relative to `data_folder`")
    mini: Paths | None = Field(None, description="a ready-made mini subset: records of train, if none is to be drawn")
    source: SourceConfig | None = Field(None, description="instead of `data`, as of a balanced task")
    task_field: str | None = Field(None, description="as of a balanced task")
    image_folder: str = Field(".", description="as of a balanced task")
    weight: PositiveFloat = Field(1.0, description="its weight in every run; that of an average task is 1")


class SamplingConfig(Section):
    """Rates of the nested random subsets; the same for every task."""

    large: RateOrAuto = Field(
        1.0,
        description=(
            "R_large: share of a task's train split in its large subset; `auto` is the smallest with more than 10,000 "
            "samples and 100 steps of every large subset, 1 where data are too small for that"
        ),
    )
    mini: RateOrAuto = Field(
        0.03125,
        description=(
            "R_mini: share of the train split in the mini subset, within large; `auto` is the smallest with 1,000 "
            "samples of every task and more than 100 steps over all minis, half of R_large at most"
        ),
    )

    @property
    def is_resolved(self) -> bool:
        """Whether both rates are numbers."""
        return self.large != "auto" and self.mini != "auto"


class EvaluationConfig(Section):
    """How answers are generated (always greedy) and judged."""

    batch_size: PositiveInt = Field(16, description="samples that are answered at a time")
    shard_size: PositiveInt = Field(256, description="samples after which predictions are saved, to resume from")
    precision: PositiveFloat | None = Field(
        None,
        description="largest half-width of a 95 % interval of a weight that is wanted, e.g. 0.05; only so many `val` "
        "samples are answered as it takes; left out, all are",
    )
    pilot: PositiveInt = Field(
        1024, description="`val` samples of each task that are answered first, to plan for `precision`"
    )
    endpoint: ServedConfig | None = Field(
        None, description="a server that answers, instead of models loaded by the jobs; see docs/cluster.md"
    )
    judge: JudgeConfig | None = Field(None, description="who grades the answers of tasks with the metric `judge`")
    visual_contribution: bool = Field(
        False, description="measure by how much the image makes the true answers of test likelier than a noise image"
    )


class CorpusSamples(Section):
    """Samples a task and split."""

    train: PositiveInt = Field(description="samples in each task's train split")
    val: PositiveInt = Field(description="samples in each task's val split")
    test: PositiveInt = Field(description="samples in each task's test split")


class CorpusConfig(Section):
    """The synthetic demo corpus, drawn into data_folder by the workflow. Leave it out for data of your own."""

    seed: Annotated[int, Number] = Field(0, description="of the drawing")
    samples: CorpusSamples = Field(description="how much is drawn")


class Config(Section):
    """One experiment."""

    experiment: Name = Field(description="its name: results lie in `<results>/<experiment>/`")
    extends: str | None = Field(None, description="a config file whose keys hold where this one says nothing")
    results: str = Field("results", description="folder in which the experiment's folder is made")
    seed: Seed = Field(0, description="of sampling, initialisation, batches and bootstrap")
    data_folder: str = Field(".", description="folder that the files and image folders of tasks are relative to")
    prepared_folder: str = Field(
        "prepared", description="where splits made from a `source` go; itself relative to `data_folder`"
    )
    model: str = Field(description="a model file, e.g. `config/models/llava-1.5-7b.yaml`")
    measure_with: str | None = Field(
        None, description="another model file, of a smaller model that the weights are measured with"
    )
    corpus: CorpusConfig | None = Field(None, description="the demo corpus, if it is to be drawn")
    tasks: dict[Name, TaskConfig] = Field(description="the tasks to balance, by name")
    groups: dict[Name, Words] = Field(
        default_factory=dict,
        description="tasks that are balanced as one: name -> tasks; the others stand for themselves. Or the file with "
        "such a key that `snakemake propose_groups` has written",
    )
    fixed_tasks: dict[Name, FixedTaskConfig] = Field(
        default_factory=dict, description="tasks that are trained on with a given weight, by name"
    )
    sampling: SamplingConfig = Field(SamplingConfig(), description="sizes of the mini and large subsets")
    objective: Literal["response", "l2t"] = Field(
        "response", description="what all runs learn: the answers, or what the instructions say about the image as well"
    )
    l2t: L2TConfig | None = Field(None, description="the objective `l2t`, if it is not to have its defaults")
    training: TrainingConfig = Field(TrainingConfig(), description="how every run is trained")
    balancing: BalancingConfig = Field(BalancingConfig(), description="from scores to weights")
    evaluation: EvaluationConfig = Field(EvaluationConfig(), description="how answers are generated")
    compare_with: Words = Field(
        default_factory=list,
        description="names of other experiments on the same test splits, for the table of `snakemake compare`",
    )
    zero_shot: ZeroShotConfig | None = Field(
        None, description="benchmarks that nothing was trained for, if they are wanted; see docs/zero_shot.md"
    )
    taskgalaxy: TaskGalaxyConfig | None = Field(
        None, description="the data set that the tasks are of, if the workflow is to make it; see docs/taskgalaxy.md"
    )
    methods: Words = Field(
        default_factory=lambda: ["stl", "ew", "visatb"],
        description="final runs to compare: `stl`, `ew`, `tla`, `rlw`, `dwa`, `igbv1`, `visatb` and the names under "
        "`variants` and `given_weights`",
    )
    dwa: DwaConfig = Field(DwaConfig(), description="the method `dwa`")
    igbv1: Igbv1Config = Field(Igbv1Config(), description="the method `igbv1`")
    variants: dict[Name, VariantConfig] = Field(
        default_factory=dict, description="ablations of `visatb` to compare with: name -> what differs from `balancing`"
    )
    given_weights: dict[Name, dict[str, PositiveFloat]] = Field(
        default_factory=dict, description="weights of your own to compare with: name -> task -> weight"
    )
    imports: ImportsConfig = Field(ImportsConfig(), description="models and scores that are there; see docs/reuse.md")
    adding: AddingConfig | None = Field(None, description="tasks that come to a finished experiment; see docs/reuse.md")
    grouping: GroupingConfig = Field(GroupingConfig(), description="how `snakemake propose_groups` groups tasks")
    on_bad_records: Share = Field(
        0.0, description="share of bad records in a split up to which the rest is used; 0 refuses any"
    )
    duplicate_ids: Literal["refuse", "number"] = Field(
        "refuse", description="a record whose id was there before is a bad one, or its id gets an ending (`-2`, ...)"
    )
    resources: ResourcesConfig = Field(ResourcesConfig(), description="what jobs ask the scheduler for")
    throughput: Throughput = Field(
        ThroughputConfig(), description="how fast the machines are; a number stands for `training`"
    )
    tracking: TrackingConfig = Field(TrackingConfig(), description="where trainings report to, beside TensorBoard")
    python: str | None = Field(None, description="interpreter for training and prediction, if not the workflow's own")
