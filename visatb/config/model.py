"""The schema of a model file: where the checkpoint lies, how it is made if the workflow makes it, what is trained."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from visatb.config.types import Name, Number, Part, PositiveFloat, PositiveInt, Section


class VisionPretraining(Section):
    """Stage 0 of a model that the workflow makes itself: its vision encoder."""

    images: PositiveInt = Field(description="pictures that it is trained on")
    batch_size: PositiveInt = Field(64, description="pictures of one optimiser step")
    learning_rate: PositiveFloat = Field(1.0e-3, description="AdamW's highest learning rate")


class AlignmentPretraining(Section):
    """Stage 1 of a model that the workflow makes itself: projector and language model on image descriptions."""

    samples: PositiveInt = Field(description="descriptions that it is trained on")
    batch_size: PositiveInt = Field(16, description="descriptions of one optimiser step")
    learning_rate: PositiveFloat = Field(1.5e-3, description="AdamW's highest learning rate")


class PretrainingConfig(Section):
    """How a tiny model's base checkpoint is made."""

    seed: Annotated[int, Number] = Field(0, description="of pictures, initialisation and batches")
    threads: PositiveInt = Field(2, description="CPU threads")
    vision: VisionPretraining = Field(description="the vision encoder")
    alignment: AlignmentPretraining = Field(description="projector and language model")


class ComponentConfig(Section):
    """One of the components that a checkpoint is assembled from."""

    checkpoint: str = Field(description="a folder, or a hub name; of the projector also a file, `mm_projector.bin`")
    revision: str | None = Field(None, description="commit, tag or branch of the hub name; its newest if left out")

    @property
    def source(self) -> str:
        """The folder, file or hub name, the latter with ``@revision``."""
        return _source(self.checkpoint, self.revision)


def _as_component(value: object) -> object:
    """Let a name stand for a component of its newest revision."""
    return {"checkpoint": value} if isinstance(value, str) else value


def _source(checkpoint: str, revision: str | None) -> str:
    return checkpoint if revision is None else f"{checkpoint}@{revision}"


Component = Annotated[ComponentConfig, BeforeValidator(_as_component, json_schema_input_type=ComponentConfig | str)]


class AssemblyConfig(Section):
    """The components of a LLaVA as stage 2 starts it; the workflow writes them as one checkpoint."""

    language_model: Component = Field(
        description="a Vicuna: safetensors or `pytorch_model*.bin`; a text is its `checkpoint`"
    )
    vision_tower: Component = Field(description="a CLIP, or its vision half; a text is its `checkpoint`")
    projector: Component = Field(
        description="what LLaVA's stage 1 leaves, `mm_projector.bin`; a text is its `checkpoint`"
    )


class ModelConfig(Section):
    """A model: where its checkpoint lies and what of it is trained."""

    name: Name = Field(description="what tables and figures call it")
    family: Literal["llava", "qwen2_vl"] = Field(description="architecture")
    checkpoint: str = Field(description="folder in transformers layout, or a hub name")
    revision: str | None = Field(None, description="commit, tag or branch of the hub name; its newest if left out")
    freeze: list[Part] = Field(["vision_tower"], description="parts that are not trained")
    attention: Literal["eager", "sdpa", "flash_attention_2"] = Field(
        "sdpa", description="implementation of attention in transformers"
    )
    pretraining: PretrainingConfig | None = Field(
        None, description="how the checkpoint is made, if the workflow is to make it (tiny models)"
    )
    assemble: AssemblyConfig | None = Field(
        None, description="what the checkpoint is assembled from, if the workflow is to do it (LLaVA)"
    )

    @property
    def source(self) -> str:
        """The folder or hub name of the checkpoint, the latter with ``@revision``."""
        return _source(self.checkpoint, self.revision)

    @property
    def is_made_here(self) -> bool:
        """Whether the workflow makes the checkpoint itself."""
        return self.pretraining is not None or self.assemble is not None
