"""What is shown of a plan in the terminal before anything is trained."""

import pandas as pd

from visatb.planning.estimate import Estimate
from visatb.planning.plan import idle_methods
from visatb.reporting.tables.costs import ledger_text
from visatb.reporting.text.plan import plan_text


def shown_plan(estimated: Estimate, ledger: pd.DataFrame) -> str:
    """Return the token ledger, or why there is none, and the plan.

    Args:
        estimated: the plan and what it was made from.
        ledger: a row a task, empty where tokens were not counted.
    """
    experiment = estimated.experiment
    balancing = experiment.config.balancing
    tokens = ledger_text(ledger) or (
        f"Tokens are not counted ({estimated.missing}). When it is there: snakemake --forcerun count_tokens plan"
    )
    text = plan_text(
        estimated.plan,
        experiment.rate("large"),
        experiment.rate("mini"),
        len(experiment.groups),
        balancing.form,
        idle_methods(experiment, estimated.plan),
        balancing.seeds,
        balancing.mini_seeds,
        on_gpus=experiment.config.resources.final.gpus > 0,
        speeds_known=bool(estimated.speeds),
        chosen_rates=estimated.chosen_rates,
    )
    return f"\nThe plan of the experiment '{experiment.name}':\n\n{tokens}\n\n{text}"
