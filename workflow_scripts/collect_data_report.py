"""Gather what was found in the data files of every task and split into one table."""

import argparse

import pandas as pd

from visatb.errors import friendly_exit
from visatb.runtime.files import read_json, write_table


@friendly_exit
def main() -> None:
    """Reports in, table out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", nargs="+", required=True, help="reports of check_data, JSON")
    parser.add_argument("--output", required=True, help="data_report.tsv")
    arguments = parser.parse_args()
    reports = [read_json(path) for path in arguments.reports]
    rows = [
        {
            "task": report["task"],
            "split": report["split"],
            "records": report["records"],
            "of_other_tasks": report["of_other_tasks"],
            "left_out": sum(report["bad"].values()),
            "reasons": ", ".join(f"{kind}: {count}" for kind, count in report["bad"].items()),
        }
        for report in reports
    ]
    write_table(arguments.output, pd.DataFrame(rows))


if __name__ == "__main__":
    main()
