"""Choose the sampling rates that are left to the data: the smallest that keep to the paper's limits."""

import argparse
from pathlib import Path

import pyarrow.parquet as pq

from visatb.errors import friendly_exit
from visatb.planning.sampling_rates import TrainSizes, resolved_rates
from visatb.runtime.files import write_json
from visatb.runtime.progress import say
from visatb.runtime.words_on_command_lines import groups, named_value, number_or_auto


@friendly_exit
def main() -> None:
    """Numbers of records in, rates and their reasons out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", required=True, type=Path, metavar="FOLDER", help="holds <task>/train.parquet")
    parser.add_argument("--large", type=number_or_auto, required=True, help="R_large, a number or auto")
    parser.add_argument("--mini", type=number_or_auto, required=True, help="R_mini, a number or auto")
    parser.add_argument("--group", type=named_value, nargs="+", required=True, metavar="GROUP=TASK,TASK")
    parser.add_argument("--fixed", nargs="*", default=[], metavar="TASK", help="tasks that are not balanced")
    parser.add_argument("--global-batch-size", type=int, required=True, help="samples an optimiser step")
    parser.add_argument("--epochs", type=float, required=True)
    parser.add_argument("--output", required=True, help="sampling.json")
    arguments = parser.parse_args()

    def records(tasks: list[str]) -> dict[str, int]:
        return {task: pq.read_metadata(arguments.records / task / "train.parquet").num_rows for task in tasks}

    of_groups = {group: records(tasks) for group, tasks in groups(arguments.group).items()}
    sizes = TrainSizes(of_groups, records(arguments.fixed), arguments.global_batch_size, arguments.epochs)
    rates = resolved_rates(arguments.large, arguments.mini, sizes)
    write_json(arguments.output, {"large": rates.large, "mini": rates.mini, "why": list(rates.why)})
    for line in rates.why:
        say(f"[resolve_sampling] {line}")


if __name__ == "__main__":
    main()
