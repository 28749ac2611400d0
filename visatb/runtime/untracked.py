"""What jobs need to know and results do not depend on: of all in ``VISATB_UNTRACKED``, the part of one section."""

import json
import os
from typing import Any

VARIABLE = "VISATB_UNTRACKED"


def untracked(section: str) -> dict[str, Any]:
    """Return the values of a section, e.g. ``tracking``; nothing where the variable says nothing of it."""
    return dict(json.loads(os.environ.get(VARIABLE) or "{}").get(section, {}))
