"""Count what an experiment will train and evaluate, and estimate what that costs, before it does."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from visatb.errors import friendly_exit
from visatb.experiment.experiment import Experiment
from visatb.planning.costs import Basis
from visatb.planning.plan import Sizes, idle_methods, plan
from visatb.planning.throughput import Speeds, speeds
from visatb.planning.token_ledger import read_counts
from visatb.reporting.tables.costs import ledger_text
from visatb.reporting.text.plan import plan_text
from visatb.runtime.files import read_json, read_parquet, read_table, write_table
from visatb.runtime.progress import say


def basis(counts: Path, facts: Mapping[str, Any], sizes: Sizes, files: Mapping[Any, Path], speeds: Speeds) -> Basis:
    """Return what the costs are estimated from."""
    train = {task: size for (task, split), size in sizes.items() if split == "train"}
    answers = {tuple(place.rsplit("/", 1)): mean for place, mean in facts.get("answer_tokens", {}).items()}
    return Basis(
        read_counts(read_parquet(counts).to_pandas(), train),
        facts.get("blank_row", 0),
        answers,
        facts.get("parameters"),
        facts.get("trained"),
        speeds,
        {place: file.stat().st_size for place, file in files.items()},
    )


@friendly_exit
def main() -> None:
    """Config, records and token counts in, table out; the plan is shown too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, metavar="JSON", help="the experiment's config")
    parser.add_argument("--records", required=True, metavar="FOLDER", help="holds <task>/<split>.parquet")
    parser.add_argument("--ledger", required=True, help="token_ledger.tsv")
    parser.add_argument("--counts", required=True, type=Path, help="tokens of each counted record")
    parser.add_argument("--sizes", required=True, help="sizes of model and answers")
    parser.add_argument("--sampling", help="sampling.json, where the config leaves rates to the data")
    parser.add_argument("--output", required=True, help="plan.tsv")
    arguments = parser.parse_args()
    experiment = Experiment.from_values(json.loads(arguments.config))
    rates = read_json(arguments.sampling) if arguments.sampling else {"why": []}
    if arguments.sampling:
        experiment = experiment.with_rates(rates["large"], rates["mini"])
    records = Path(arguments.records)
    files = {(task, split): records / task / f"{split}.parquet" for task, split in experiment.splits}
    files |= {(task, subset): records / task / f"{subset}.rows.parquet" for task, subset in experiment.ready_made}
    sizes = {key: pq.read_metadata(file).num_rows for key, file in files.items()}
    facts = read_json(arguments.sizes)
    known = speeds(experiment.config.throughput, experiment.folder)
    table = plan(experiment, sizes, basis(arguments.counts, facts, sizes, files, known))
    write_table(arguments.output, table.assign(note="; ".join(rates["why"])))
    say(f"\nThe plan of the experiment '{experiment.name}':\n")
    if ledger := ledger_text(read_table(arguments.ledger)):
        say(ledger + "\n")
    else:
        say(f"Tokens are not counted ({facts['missing']}). When it is there: snakemake --forcerun count_tokens plan\n")
    resources = experiment.config.resources
    say(
        plan_text(
            table,
            experiment.rate("large"),
            experiment.rate("mini"),
            len(experiment.groups),
            experiment.config.balancing.form,
            idle_methods(experiment, table),
            experiment.config.balancing.seeds,
            experiment.config.balancing.mini_seeds,
            on_gpus=resources.final.gpus > 0,
            speeds_known=bool(known),
            chosen_rates=rates["why"],
        )
    )


if __name__ == "__main__":
    main()
