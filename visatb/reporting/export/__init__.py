"""Weights and data mixes as files of other training programs."""
