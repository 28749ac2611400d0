"""The names of the metrics, all of them and by what they need, for those who check configs and data."""

from visatb.evaluation.metrics import METRICS

METRIC_NAMES = tuple(METRICS)
BOX_METRICS = tuple(name for name, metric in METRICS.items() if metric.needs == "boxes")
JAVA_METRICS = tuple(name for name, metric in METRICS.items() if metric.needs == "java")
JUDGED_METRICS = tuple(name for name, metric in METRICS.items() if metric.needs == "verdicts")
