"""The schema of the config's `tracking`: services that trainings report to."""

from pydantic import Field

from visatb.config_types import Name, Section


class WandbConfig(Section):
    """Weights & Biases. The key is read from the environment alone (`WANDB_API_KEY`), and so is `WANDB_MODE`."""

    project: Name = Field(description="the project that runs are shown in; a group there is an experiment")
    entity: Name | None = Field(None, description="user or team that the project belongs to; your own if left out")


class TrackingConfig(Section):
    """Where trainings report to. TensorBoard files are written in any case, in `runs/<run>/tensorboard/`."""

    wandb: WandbConfig | None = Field(None, description="Weights & Biases, if it is wanted; needs the package wandb")
