"""Choose the sampling rates that the config leaves to the data: the smallest that keep to the paper's limits."""

import argparse
import json
from pathlib import Path

import pyarrow.parquet as pq

from visatb.errors import friendly_exit
from visatb.experiment import Experiment
from visatb.files import write_json
from visatb.progress import say
from visatb.sampling_rates import resolved_rates


@friendly_exit
def main() -> None:
    """Numbers of records in, rates and their reasons out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, metavar="JSON", help="the experiment's config")
    parser.add_argument("--records", required=True, metavar="FOLDER", help="holds <task>/train.parquet")
    parser.add_argument("--output", required=True, help="sampling.json")
    arguments = parser.parse_args()
    experiment = Experiment.from_values(json.loads(arguments.config))
    files = {task: Path(arguments.records) / task / "train.parquet" for task in experiment.all_tasks}
    sizes = {(task, "train"): pq.read_metadata(file).num_rows for task, file in files.items()}
    sampling = experiment.config.sampling
    rates = resolved_rates(sampling.large, sampling.mini, experiment.train_sizes(sizes))
    write_json(arguments.output, {"large": rates.large, "mini": rates.mini, "why": list(rates.why)})
    for line in rates.why:
        say(f"[resolve_sampling] {line}")


if __name__ == "__main__":
    main()
