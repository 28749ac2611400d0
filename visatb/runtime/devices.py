"""Where a job computes. Imports nothing heavy: programs ask before they import torch."""

import os


def computes_on_cpu(gpus: int) -> bool:
    """Tell whether no GPU is used: none was asked for, or accelerate's own ``ACCELERATE_USE_CPU`` forbids it."""
    return gpus == 0 or os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
