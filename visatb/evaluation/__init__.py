"""Predictions, metrics and scores."""
