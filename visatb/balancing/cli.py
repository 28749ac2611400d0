"""What the command lines of programs that balance share."""

import argparse

from visatb.config.balancing import AlphaConfig, BalanceSettings
from visatb.runtime.words_on_command_lines import named_value, number_or_auto
from visatb.scores.columns import column


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
        alpha=AlphaConfig.of(arguments.alpha_out, arguments.alpha_in, arguments.alpha_difficulty),
        on_unlearned=arguments.on_unlearned,
        form=arguments.form,
        difficulty=arguments.difficulty,
        estimator=arguments.estimator,
        seeds=arguments.seeds,
        mini_seeds=arguments.mini_seeds,
    )
