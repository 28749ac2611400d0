"""Typeset the benchmark as papers print it: best bold, second best underlined, groups, variants as blocks."""

import argparse

from visatb.balancing.cli import add_columns_and_groups
from visatb.errors import friendly_exit
from visatb.reporting.read_results import read_benchmark
from visatb.reporting.tables.latex import latex_table
from visatb.reporting.tables.paper_table import markdown_table
from visatb.reporting.tables.result_tables import methods_table
from visatb.runtime.files import write_text
from visatb.runtime.words_on_command_lines import groups, named_value


@friendly_exit
def main() -> None:
    """A table in, the same in Markdown and LaTeX out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--benchmark", required=True, help="benchmark.tsv")
    add_columns_and_groups(parser)
    parser.add_argument(
        "--block",
        type=named_value,
        nargs="+",
        action="append",
        default=[],
        metavar="METHOD=SETTING",
        help="variants that are compared with each other below the methods; once for each block",
    )
    parser.add_argument("--markdown", required=True, help="benchmark.md")
    parser.add_argument("--latex", required=True, help="benchmark.tex")
    args = parser.parse_args()
    blocks = [dict(block) for block in args.block]
    table = methods_table(read_benchmark(args.benchmark), args.column, groups(args.group), blocks)
    write_text(args.markdown, markdown_table(table))
    write_text(args.latex, latex_table(table))


if __name__ == "__main__":
    main()
