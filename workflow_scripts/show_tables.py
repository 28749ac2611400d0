"""Write tables as pages that a report can show."""

import argparse
from pathlib import Path

from visatb.errors import friendly_exit
from visatb.reporting.tables.web_table import web_table
from visatb.runtime.files import read_table, write_text


@friendly_exit
def main() -> None:
    """Tables in, pages out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", nargs="+", required=True, metavar="FILE", help="tab-separated tables")
    parser.add_argument("--folder", required=True, help="to write <name of the table>.html to")
    args = parser.parse_args()
    for path in map(Path, args.tables):
        write_text(Path(args.folder) / f"{path.stem}.html", web_table(read_table(path), path.name))


if __name__ == "__main__":
    main()
