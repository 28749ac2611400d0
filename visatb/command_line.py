"""Pieces that the command lines of several workflow scripts share."""

import argparse
from collections.abc import Sequence

from visatb.evaluation.metrics import METRICS
from visatb.validation_matrix import BalanceSettings, Column


def named_value(text: str) -> tuple[str, str]:
    """Split ``name=value``."""
    name, found, value = text.partition("=")
    if not (name and found):
        raise argparse.ArgumentTypeError(f"expected name=value, found '{text}'")
    return name, value


def named_number(text: str) -> tuple[str, float]:
    """Split ``name=number``."""
    name, value = named_value(text)
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected name=number, found '{text}'") from None


def column(text: str) -> Column:
    """Read ``task:metric`` as a validation column."""
    task, _, metric = text.rpartition(":")
    if not task or metric not in METRICS:
        raise argparse.ArgumentTypeError(f"expected task:metric with a metric of {', '.join(METRICS)}, found '{text}'")
    return Column(task, metric, METRICS[metric].higher_is_better)


def task_metrics(text: str) -> tuple[str, list[str]]:
    """Read ``task=metric,metric``."""
    task, value = named_value(text)
    metrics = value.split(",")
    if unknown := [metric for metric in metrics if metric not in METRICS]:
        raise argparse.ArgumentTypeError(f"{task}: expected metrics of {', '.join(METRICS)}, found {unknown}")
    return task, metrics


def number_or_auto(text: str) -> float | str:
    """Read a number, or ``auto``."""
    return text if text == "auto" else float(text)


def add_columns_and_groups(parser: argparse.ArgumentParser) -> None:
    """Add what the scores are and which tasks belong together."""
    parser.add_argument("--column", type=column, nargs="+", required=True, metavar="TASK:METRIC")
    parser.add_argument("--group", type=named_value, nargs="+", required=True, metavar="GROUP=TASK,TASK")


def add_validation(parser: argparse.ArgumentParser) -> None:
    """Add where validation scores lie, and the columns of the validation matrix."""
    parser.add_argument("--scores", required=True, metavar="FOLDER", help="holds <run>/val/<task>.parquet")
    parser.add_argument("--column", type=column, nargs="+", required=True, metavar="TASK:METRIC")


def add_seeds(parser: argparse.ArgumentParser) -> None:
    """Add how often the runs are trained that are repeated with other seeds."""
    parser.add_argument("--seeds", type=int, default=1, help="trainings of mini and of each plus run")
    parser.add_argument("--mini-seeds", type=int, help="trainings of mini, if not as many")


def add_balancing(parser: argparse.ArgumentParser) -> None:
    """Add what decides on the weights: columns, groups and balancing settings."""
    add_validation(parser)
    parser.add_argument("--group", type=named_value, nargs="+", required=True, metavar="GROUP=TASK,TASK")
    parser.add_argument("--form", choices=("paired", "simple"), default="paired", help="Eq. 3 or 10")
    parser.add_argument("--difficulty", choices=("repurposed", "precise"), default="repurposed", help="Eq. 6, or 11/12")
    parser.add_argument("--estimator", choices=("paper", "shrunk"), default="paper", help="of C")
    add_seeds(parser)
    parser.add_argument("--on-unlearned", choices=("drop", "clip", "error"), default="drop")
    parser.add_argument("--temperature", type=number_or_auto, default="auto", help="T of Eq. 4, 5, 7; a number or auto")
    parser.add_argument("--alpha-out", type=float, default=0.25)
    parser.add_argument("--alpha-in", type=float, default=0.25)
    parser.add_argument("--alpha-difficulty", type=float, default=0.5)


def balance_settings(arguments: argparse.Namespace) -> BalanceSettings:
    """Return the settings that `add_balancing` read."""
    return BalanceSettings(
        temperature=arguments.temperature,
        alpha_out=arguments.alpha_out,
        alpha_in=arguments.alpha_in,
        alpha_difficulty=arguments.alpha_difficulty,
        on_unlearned=arguments.on_unlearned,
        form=arguments.form,
        difficulty=arguments.difficulty,
        estimator=arguments.estimator,
        seeds=arguments.seeds,
        mini_seeds=arguments.mini_seeds,
    )


def groups(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Return group -> tasks from ``group=task,task`` pairs, or run -> tasks."""
    return {group: tasks.split(",") for group, tasks in pairs}
