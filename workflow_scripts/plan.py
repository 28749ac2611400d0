"""Count what an experiment will train and evaluate, before it does."""

import argparse
import json
from pathlib import Path

import pyarrow.parquet as pq

from visatb.errors import friendly_exit
from visatb.experiment import Experiment
from visatb.files import write_table
from visatb.plan import idle_methods, plan
from visatb.progress import say
from visatb.reporting.plan import plan_text


@friendly_exit
def main() -> None:
    """Config and records in, table out; the plan is shown too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, metavar="JSON", help="the experiment's config")
    parser.add_argument("--records", required=True, metavar="FOLDER", help="holds <task>/<split>.parquet")
    parser.add_argument("--output", required=True, help="plan.tsv")
    arguments = parser.parse_args()
    experiment = Experiment.from_values(json.loads(arguments.config))
    records = Path(arguments.records)
    files = {(task, split): records / task / f"{split}.parquet" for task, split in experiment.splits}
    files |= {(task, subset): records / task / f"{subset}.rows.parquet" for task, subset in experiment.ready_made}
    table = plan(experiment, {key: pq.read_metadata(file).num_rows for key, file in files.items()})
    write_table(arguments.output, table)
    rates = experiment.config.sampling
    say(f"\nThe plan of the experiment '{experiment.name}':\n")
    balancing, idle = experiment.config.balancing, idle_methods(experiment, table)
    groups = len(experiment.groups)
    say(plan_text(table, rates.large, rates.mini, groups, balancing.form, idle, balancing.seeds))


if __name__ == "__main__":
    main()
