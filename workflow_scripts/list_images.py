"""List the pictures of a folder, with those that cannot be used and why."""

import argparse

from visatb.errors import friendly_exit
from visatb.taskgalaxy.pictures import list_pictures
from visatb.taskgalaxy.tables import PICTURE_SCHEMA, write_stage


@friendly_exit
def main() -> None:
    """Folder in, table out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", required=True, metavar="FOLDER")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--output", required=True, help="Parquet")
    arguments = parser.parse_args()
    write_stage(arguments.output, list_pictures(arguments.images, arguments.processes), PICTURE_SCHEMA)


if __name__ == "__main__":
    main()
