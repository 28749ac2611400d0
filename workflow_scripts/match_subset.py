"""Find the records of a ready-made subset in their task's train split."""

import argparse

from visatb.data.records import read_split
from visatb.data.subsets import check_nested, rows_of_subset, subset_table
from visatb.errors import friendly_exit
from visatb.runtime.files import read_parquet, write_parquet


@friendly_exit
def main() -> None:
    """Ready-made files and checked records in, row numbers out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", required=True)
    parser.add_argument("--subset", required=True, choices=("mini", "large"))
    parser.add_argument("--files", nargs="+", required=True, help="LLaVA-format JSON or JSON lines")
    parser.add_argument("--image-folder", required=True, help="what image paths are relative to")
    parser.add_argument("--task-field", help="what the task's records say in 'task', if files hold several")
    parser.add_argument("--number-ids", action="store_true", help="instead of refusing ids that are there before")
    parser.add_argument("--other-fields", nargs="*", default=[], help="what records of other tasks say there")
    parser.add_argument("--train", required=True, help="checked records of train, Parquet")
    parser.add_argument("--mini", help="rows of the mini subset, which must lie within this one")
    parser.add_argument("--output", required=True, help="rows of train, Parquet")
    arguments = parser.parse_args()
    where = f"task '{arguments.task}', {arguments.subset}"
    records, _ = read_split(
        arguments.task,
        "train",
        arguments.files,
        arguments.image_folder,
        task_field=arguments.task_field,
        other_fields=arguments.other_fields,
        number_ids=arguments.number_ids,
    )
    train = read_parquet(arguments.train, ["id", "image", "conversations"])
    rows = rows_of_subset(records, train, where)
    if arguments.mini:
        check_nested(read_parquet(arguments.mini)["row"].to_numpy(), rows, train, arguments.task)
    write_parquet(arguments.output, subset_table(rows))


if __name__ == "__main__":
    main()
