"""Where a task's records come from: annotation files, or a published data set and how it is prepared."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from visatb.config.types import Paths, PositiveInt, Section, Seed, Words

SPLITS = ("train", "val", "test")


class SplitFiles(Section):
    """The annotation files of a task: LLaVA-format JSON or JSON lines, one file or a list of files a split."""

    train: Paths = Field(description="what the task is trained on")
    val: Paths = Field(description="what the preparation runs are scored on; no sample of train or test")
    test: Paths = Field(description="what the final runs are scored on; no sample of train or val")
    mini: Paths | None = Field(None, description="a ready-made mini subset: records of train, if none is to be drawn")
    large: Paths | None = Field(None, description="a ready-made large subset: records of train, with those of mini")


def each_split(value: object) -> object:
    """Let ``folder/{split}.json`` stand for the three files of a task."""
    if not isinstance(value, str):
        return value
    if "{split}" not in value:
        raise ValueError("one path for train, val and test needs {split} in it")
    return {split: value.replace("{split}", split) for split in SPLITS}


class SourceFiles(Section):
    """The raw files of a task's splits; what the steps make of others may be left out."""

    train: Paths = Field(description="files that the train split is made of")
    val: Paths | None = Field(None, description="files that the val split is made of")
    test: Paths | None = Field(None, description="files that the test split is made of")


class HeldOut(Section):
    """How many records of train become val and test."""

    val: PositiveInt = Field(description="records of the val split")
    test: PositiveInt = Field(description="records of the test split")


class DrawnSamples(Section):
    """How many conversations of a split are drawn at random; all, where a split is not named."""

    train: PositiveInt | None = Field(None, description="conversations of train")
    val: PositiveInt | None = Field(None, description="conversations of val")
    test: PositiveInt | None = Field(None, description="conversations of test")


class RefcocoParts(Section):
    """Which part of RefCOCO is which split."""

    train: str = Field("train", description="part that is train")
    val: str = Field("val", description="part that is val")
    test: str = Field("testB", description="part that is test")


class SourceConfig(Section):
    """A data set as it is published, and how the workflow makes the task's splits of it: in the order of these keys."""

    format: Literal["llava", "m3it", "sharegpt", "refcoco"] = Field("llava", description="see data/README.md")
    files: Annotated[SourceFiles, BeforeValidator(each_split, json_schema_input_type=SourceFiles | str)] = Field(
        description="the raw files by split, or one path with `{split}` in it; relative to `data_folder`"
    )
    blocked_words: Words = Field(
        default_factory=list, description="`sharegpt`: conversations that say one of them, in any case, are filtered"
    )
    ask: Literal["caption", "box"] | None = Field(
        None, description="`refcoco`: whether a box is given and its caption asked for, or the other way round"
    )
    parts: RefcocoParts = Field(RefcocoParts(), description="`refcoco`: the part of each split")
    box_decimals: PositiveInt = Field(2, description="`refcoco`: decimals of a box, a share (0-1) of the padded image")
    image_prefix: str = Field("", description="`refcoco`: what goes before image names, e.g. `coco/train2014/`")
    hold_out: HeldOut | None = Field(None, description="random records of train that become val and test")
    merge_references: bool = Field(
        False, description="val and test: records of one image become one, their answers its references"
    )
    halve_val: bool = Field(False, description="a random half of val becomes test")
    merge_images: bool = Field(False, description="train: records of one image become one conversation")
    max_exchanges: PositiveInt | None = Field(
        None, description="train: longer conversations are cut into ones of so many questions with their answers"
    )
    samples: DrawnSamples | None = Field(None, description="conversations that are drawn at random, by split")
    instruction: str | None = Field(None, description="goes on a line below a question; `instruct` says which")
    instruct: Literal["every", "first"] = Field("every", description="questions that get the instruction")
    max_tokens: PositiveInt | None = Field(
        None, description="later exchanges with which a conversation has more tokens are taken away"
    )
    tokenizer: str | None = Field(None, description="what `max_tokens` counts with: a folder, or a hub name")
    seed: Seed = Field(0, description="of everything that is drawn here; that of the experiment has no part in it")
