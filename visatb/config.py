"""The schema of an experiment's config: every key with its meaning, unit and default."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

NAME_PATTERN = re.compile(r"[^\W_][\w.+-]*")
SPLITS = ("train", "val", "test")
METHODS = ("stl", "ew", "visatb")
RESERVED_NAMES = ("mini", "base", "train", "val", "test")


def _checked_name(name: str) -> str:
    if not NAME_PATTERN.fullmatch(name) or len(name) > 60:
        raise ValueError(
            "a name becomes part of file names: use letters, digits, '_', '.', '+' and '-', "
            "start with a letter or digit, and keep to 60 characters"
        )
    return name


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Name = Annotated[str, AfterValidator(_checked_name)]
Paths = Annotated[list[str], BeforeValidator(_as_list), Field(min_length=1)]
Rate = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
PositiveInt = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A part of the config in which unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SplitFiles(Section):
    """The annotation files of a task: LLaVA-format JSON or JSON lines, one file or a list of files a split."""

    train: Paths
    val: Paths
    test: Paths


class TaskConfig(Section):
    """One kind of instruction data with its own metric."""

    data: SplitFiles
    image_folder: str = Field(description="folder that the image paths in the data files are relative to")
    metrics: Annotated[list[str], BeforeValidator(_as_list), Field(min_length=1)] = Field(
        description="EM, IoU, mean_IoU, CIDEr, CIDEr-PTB or GLEU; several are averaged after Eq. 3 and Eq. 9"
    )
    max_new_tokens: PositiveInt = Field(64, description="longest answer that is generated, in tokens")


class FixedTaskConfig(Section):
    """A task with a given weight: part of every training mixture, of no validation."""

    data: Paths
    image_folder: str
    weight: PositiveFloat = 1.0


class SamplingConfig(Section):
    """Rates of the nested random subsets; the same for every task."""

    large: Rate = Field(1.0, description="R_large: share of a task's train split in its large subset")
    mini: Rate = Field(0.03125, description="R_mini: share of the train split in the mini subset, within large")


class TrainingConfig(Section):
    """How every run of the experiment is trained; the same for all, so that their scores compare."""

    epochs: PositiveFloat = Field(1.0, description="passes over the mixture")
    global_batch_size: PositiveInt = Field(128, description="samples of one optimiser step, over all devices")
    micro_batch_size: PositiveInt = Field(16, description="samples that one device holds at a time")
    learning_rate: PositiveFloat = 2.0e-5
    warmup: Share = Field(0.03, description="share of the steps in which the learning rate rises")
    schedule: Literal["cosine", "linear", "constant_with_warmup"] = "cosine"
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    beta1: Share = 0.9
    beta2: Share = 0.999
    max_gradient_norm: PositiveFloat = 1.0
    max_length: PositiveInt = Field(2048, description="longest sample in tokens, image tokens included")
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    gradient_checkpointing: bool = False
    normalization: Literal["step", "micro_batch"] = Field(
        "step", description="Eq. 2 over the whole optimiser step, or per micro-batch as in the authors' code"
    )
    deepspeed: str | None = Field(None, description="a DeepSpeed config file, e.g. config/deepspeed/zero3.json")
    save_steps: PositiveInt = Field(200, description="optimiser steps between two checkpoints")
    keep_checkpoints: Annotated[int, Field(ge=2)] = Field(2, description="how many of them are kept")


class AlphaConfig(Section):
    """The shares of the three weights in Eq. 8; they sum to 1."""

    out: Share = 0.25
    in_: Share = Field(0.25, alias="in")
    difficulty: Share = 0.5


class BalancingConfig(Section):
    """From scores to weights."""

    temperature: PositiveFloat | Literal["auto"] = Field("auto", description="T of Eq. 4, 5 and 7")
    alpha: AlphaConfig = AlphaConfig()
    on_unlearned: Literal["drop", "clip", "error"] = Field(
        "drop", description="what becomes of a column whose own task did not improve beyond its noise"
    )
    difficulty: Literal["repurposed", "precise"] = Field("repurposed", description="Eq. 6, or Eq. 12 with 2N more runs")
    bootstrap: PositiveInt = Field(2000, description="resamples behind the 95 % intervals")


class EvaluationConfig(Section):
    """How answers are generated (always greedy)."""

    batch_size: PositiveInt = 16
    shard_size: PositiveInt = Field(256, description="samples after which predictions are saved, to resume from")


class JobResources(Section):
    """What one job asks the scheduler for."""

    nodes: PositiveInt = 1
    gpus: Annotated[int, Field(ge=0)] = Field(1, description="GPUs a node; 0 trains on the CPU")
    cpus: PositiveInt = Field(8, description="CPU cores a node")
    mem_mb: PositiveInt = Field(64000, description="memory a node in MB")
    runtime: PositiveInt = Field(720, description="time limit in minutes")


class ResourcesConfig(Section):
    """Resources by kind of job."""

    preparation: JobResources = JobResources()
    final: JobResources = JobResources()
    predict: JobResources = JobResources()


class CorpusSamples(Section):
    """Samples a task and split."""

    train: PositiveInt
    val: PositiveInt
    test: PositiveInt


class CorpusConfig(Section):
    """The synthetic demo corpus, drawn by the workflow itself. Leave this section out for data of your own."""

    folder: str
    seed: int = 0
    samples: CorpusSamples


class Config(Section):
    """One experiment."""

    experiment: Name
    extends: str | None = Field(None, description="a config file whose keys hold where this one says nothing")
    results: str = Field("results", description="folder in which results/<experiment>/ is made")
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    model: str = Field(description="a model file, e.g. config/models/llava-1.5-7b.yaml")
    corpus: CorpusConfig | None = None
    tasks: dict[Name, TaskConfig]
    groups: dict[Name, list[str]] = Field(default_factory=dict, description="tasks that are balanced as one")
    fixed_tasks: dict[Name, FixedTaskConfig] = Field(default_factory=dict)
    sampling: SamplingConfig = SamplingConfig()
    training: TrainingConfig = TrainingConfig()
    balancing: BalancingConfig = BalancingConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    methods: list[str] = Field(
        default_factory=lambda: list(METHODS),
        description="final runs: stl, ew, visatb and the names under given_weights",
    )
    given_weights: dict[Name, dict[str, PositiveFloat]] = Field(
        default_factory=dict, description="weights of your own to compare with: name -> task -> weight"
    )
    on_bad_records: Rate | Literal[0] = Field(
        0, description="share of bad records in a data file up to which the rest is used; 0 refuses any"
    )
    resources: ResourcesConfig = ResourcesConfig()
    python: str | None = Field(None, description="interpreter for training and prediction, if not the workflow's own")


class VisionPretraining(Section):
    """Stage 0 of a model that the workflow makes itself: its vision encoder."""

    images: PositiveInt
    batch_size: PositiveInt = 64
    learning_rate: PositiveFloat = 1.0e-3


class AlignmentPretraining(Section):
    """Stage 1 of a model that the workflow makes itself: projector and language model on image descriptions."""

    samples: PositiveInt
    batch_size: PositiveInt = 16
    learning_rate: PositiveFloat = 1.5e-3


class PretrainingConfig(Section):
    """How a tiny model's base checkpoint is made."""

    seed: int = 0
    threads: PositiveInt = 2
    vision: VisionPretraining
    alignment: AlignmentPretraining


class ModelConfig(Section):
    """A model: where its checkpoint lies and what of it is trained."""

    name: Name
    family: Literal["llava", "qwen2_vl"]
    checkpoint: str = Field(description="folder in transformers layout, or a hub name")
    revision: str | None = Field(None, description="commit of the hub repository")
    freeze: list[Literal["vision_tower", "projector", "language_model"]] = Field(
        default_factory=lambda: ["vision_tower"]
    )
    attention: Literal["eager", "sdpa", "flash_attention_2"] = "sdpa"
    pretraining: PretrainingConfig | None = None
