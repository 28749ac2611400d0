"""Adaptive task balancing for visual instruction tuning: measured weights for the tasks of a fine-tuning mix.

What scripts import is here, loaded when it is first used: ``from visatb import WeightedLossMixin``. Modules below may
move.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from visatb.errors import VisatbError
    from visatb.training.loss.mixin import WeightedLossMixin
    from visatb.training.loss.task_ids import with_task_ids
    from visatb.training.loss.task_weights import read_task_weights

__all__ = ["VisatbError", "WeightedLossMixin", "__version__", "read_task_weights", "with_task_ids"]
__version__ = "0.2.0"

_MODULES = {
    "VisatbError": "visatb.errors",
    "WeightedLossMixin": "visatb.training.loss.mixin",
    "read_task_weights": "visatb.training.loss.task_weights",
    "with_task_ids": "visatb.training.loss.task_ids",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562): torch only where it is needed."""
    if name not in _MODULES:
        raise AttributeError(f"module 'visatb' has no attribute '{name}'; public are {', '.join(__all__)}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
