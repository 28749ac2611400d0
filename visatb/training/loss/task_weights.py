"""Task weights as files."""

import json
from pathlib import Path

from visatb.errors import VisatbError
from visatb.runtime.files import read_json
from visatb.runtime.tables import read_columns


def read_task_weights(path: str | Path) -> dict[str, float]:
    """Return task -> lambda from an exported ``weights.json``, or from an experiment's ``weights.tsv``.

    Raises:
        VisatbError: the file is missing or neither.
    """
    if Path(path).suffix == ".tsv":
        table = read_columns(path, ["task"], ["weight"])
        return dict(zip(table["task"], table["weight"].astype(float), strict=True))
    tasks = read_json(path)
    tasks = tasks.get("tasks") if isinstance(tasks, dict) else None
    try:
        return {task: float(share["weight"]) for task, share in tasks.items()}  # type: ignore[union-attr]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        expected = json.dumps({"tasks": {"vqa": {"weight": 1.2}}})
        raise VisatbError(f"{path}: not the weights of an experiment; expected an object like {expected}") from error
