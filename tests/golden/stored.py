"""What was recorded, as JSON beside the tests."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).with_name("fixtures")


def read(name: str) -> Any:
    """Return what a fixture holds."""
    return json.loads((FIXTURES / name).read_text(encoding="utf-8"))


def write(name: str, values: Mapping[str, Any]) -> None:
    """Write a fixture, a line for each value."""
    path = FIXTURES / name
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items())
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
