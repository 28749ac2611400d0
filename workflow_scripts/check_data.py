"""Read one split of a task, check every record and write the good ones down."""

import argparse

from visatb.data.records import WantedSplit, write_split
from visatb.errors import friendly_exit
from visatb.runtime.files import write_json


@friendly_exit
def main() -> None:
    """LLaVA-format files in, checked records and a report out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", required=True)
    parser.add_argument("--split", required=True, choices=("train", "val", "test"))
    parser.add_argument("--files", nargs="+", required=True, help="LLaVA-format JSON or JSON lines")
    parser.add_argument("--image-folder", required=True, help="what image paths are relative to")
    parser.add_argument("--tolerated", type=float, default=0.0, help="share of bad records that may be left out")
    parser.add_argument("--metrics", nargs="*", default=[], help="of the task that want boxes as truths")
    parser.add_argument("--task-field", help="what the task's records say in 'task', if files hold several")
    parser.add_argument("--number-ids", action="store_true", help="instead of refusing ids that are there before")
    parser.add_argument("--other-fields", nargs="*", default=[], help="what records of other tasks say there")
    parser.add_argument("--processes", type=int, default=1, help="that look at images")
    parser.add_argument("--output", required=True, help="records, Parquet")
    parser.add_argument("--report", required=True, help="what was found, JSON")
    arguments = parser.parse_args()
    wanted = WantedSplit(
        task=arguments.task,
        split=arguments.split,
        files=arguments.files,
        image_folder=arguments.image_folder,
        boxes=bool(arguments.metrics),
        task_field=arguments.task_field,
        other_fields=arguments.other_fields,
        number_ids=arguments.number_ids,
    )
    report = write_split(arguments.output, wanted, arguments.tolerated, arguments.processes)
    write_json(arguments.report, report.as_json())


if __name__ == "__main__":
    main()
