"""Ask a vision model which of a picture's types suit it. What it was asked before is not asked again."""

import argparse

from visatb.errors import friendly_exit
from visatb.taskgalaxy.asking import Use
from visatb.taskgalaxy.command_line import add_looking, endpoints_of, looking_of
from visatb.taskgalaxy.stages import filter_types
from visatb.taskgalaxy.tables import CANDIDATE_SCHEMA, kept_rows, write_stage


@friendly_exit
def main() -> None:
    """Matches in, candidates out."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_looking(parser)
    parser.add_argument("--matches", required=True, help="Parquet")
    parser.add_argument("--output", required=True, help="Parquet")
    arguments = parser.parse_args()
    use = Use()
    looking = looking_of(arguments, "filter_types", "filter")
    rows = filter_types(kept_rows(arguments.matches), looking, endpoints_of(arguments)[0], use)
    write_stage(arguments.output, rows, CANDIDATE_SCHEMA, vars(use))


if __name__ == "__main__":
    main()
