"""Typeset the weights and what they are made of as papers print them."""

import argparse

from visatb.errors import friendly_exit
from visatb.reporting.read_results import read_weights
from visatb.reporting.tables.latex import latex_table
from visatb.reporting.tables.paper_table import markdown_table
from visatb.reporting.tables.result_tables import weights_table
from visatb.runtime.files import write_text


@friendly_exit
def main() -> None:
    """A table in, the same in Markdown and LaTeX out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", required=True, help="weights.tsv")
    parser.add_argument("--markdown", required=True, help="weights.md")
    parser.add_argument("--latex", required=True, help="weights.tex")
    args = parser.parse_args()
    table = weights_table(read_weights(args.weights))
    write_text(args.markdown, markdown_table(table))
    write_text(args.latex, latex_table(table))


if __name__ == "__main__":
    main()
