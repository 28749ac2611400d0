"""A small valid config, to be changed by tests."""

import copy
from typing import Any

Values = dict[str, Any]

MODEL_FILE = "model.yaml"
MODEL_TEXT = "name: tiny\nfamily: llava\ncheckpoint: models/tiny\n"


def task(name: str, metrics: Any = "EM") -> Values:
    """Return a task's section."""
    return {"data": f"{name}/{{split}}.json", "image_folder": name, "metrics": metrics}


VALID: Values = {
    "experiment": "small",
    "model": MODEL_FILE,
    "tasks": {"vqa": task("vqa"), "caption": task("caption", ["CIDEr"]), "bbox": task("bbox", ["IoU", "mean_IoU"])},
}


def config_values(**changes: Any) -> Values:
    """Return the valid config with top-level keys changed."""
    return copy.deepcopy(VALID) | changes
