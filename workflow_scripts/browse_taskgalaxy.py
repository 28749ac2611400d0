"""Write a page to leaf through accepted and rejected examples with their pictures."""

import argparse

from visatb.errors import friendly_exit
from visatb.runtime.files import read_parquet
from visatb.runtime.words_on_command_lines import named_value
from visatb.taskgalaxy.browse import write_page


@friendly_exit
def main() -> None:
    """Stages' tables in, page out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=named_value, nargs="+", required=True, metavar="STAGE=FILE")
    parser.add_argument("--votes", required=True, help="Parquet")
    parser.add_argument("--types", required=True, help="Parquet")
    parser.add_argument("--images", required=True, metavar="FOLDER")
    parser.add_argument("--number", type=int, required=True, help="of examples")
    parser.add_argument("--output", required=True, help="HTML")
    arguments = parser.parse_args()
    types = read_parquet(arguments.types).to_pylist()
    write_page(dict(arguments.table), arguments.votes, types, arguments.images, arguments.number, arguments.output)


if __name__ == "__main__":
    main()
