"""Adaptive task balancing for visual instruction tuning: measured weights for the tasks of a fine-tuning mix."""

__version__ = "0.1.0"
