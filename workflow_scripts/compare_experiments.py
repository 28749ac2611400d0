"""Put the methods of several experiments on the same test splits into one table."""

import argparse

from visatb.errors import friendly_exit
from visatb.reporting.tables.paper_table import markdown_table
from visatb.reporting.tables.result_tables import methods_table
from visatb.reporting.tables.tables import method_label
from visatb.runtime.files import write_table, write_text
from visatb.scores.columns import column
from visatb.scores.comparison import comparison_table


@friendly_exit
def main() -> None:
    """Benchmark tables in, one table out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", required=True, metavar="FOLDER", help="holds <experiment>/benchmark.tsv")
    parser.add_argument("--experiment", nargs="+", required=True)
    parser.add_argument("--column", type=column, nargs="+", required=True, metavar="TASK:METRIC")
    parser.add_argument("--table", required=True, help="comparison.tsv")
    parser.add_argument("--markdown", required=True, help="comparison.md")
    args = parser.parse_args()
    table = comparison_table(args.results, args.experiment, args.column)
    labels = [f"{method_label(row.method)} ({row.experiment})" for row in table.itertuples()]
    shown = table.drop(columns="experiment").assign(method=labels)
    write_table(args.table, table)
    write_text(args.markdown, markdown_table(methods_table(shown, args.column)))


if __name__ == "__main__":
    main()
