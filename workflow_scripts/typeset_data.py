"""Typeset what the tasks are: sizes of their splits, metrics and response-format instructions."""

import argparse

from visatb.balancing.cli import add_columns_and_groups
from visatb.errors import friendly_exit
from visatb.reporting.tables.latex import latex_table
from visatb.reporting.tables.paper_table import markdown_table
from visatb.reporting.tables.result_tables import data_table
from visatb.runtime.files import write_text
from visatb.runtime.tables import read_columns
from visatb.runtime.words_on_command_lines import groups, named_value


@friendly_exit
def main() -> None:
    """A table in, the same in Markdown and LaTeX out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-report", required=True, help="data_report.tsv")
    add_columns_and_groups(parser)
    parser.add_argument("--instruction", type=named_value, nargs="+", default=[], metavar="TASK=TEXT")
    parser.add_argument("--markdown", required=True, help="data.md")
    parser.add_argument("--latex", required=True, help="data.tex")
    args = parser.parse_args()
    report = read_columns(args.data_report, ["task", "split"], ["records", "left_out"])
    table = data_table(report, args.column, groups(args.group), dict(args.instruction))
    write_text(args.markdown, markdown_table(table))
    write_text(args.latex, latex_table(table))


if __name__ == "__main__":
    main()
