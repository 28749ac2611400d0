"""Gather the scores of the zero-shot benchmarks into their table with dI_zero (Eq. 9 against EW)."""

import argparse

from visatb.errors import friendly_exit
from visatb.evaluation.zero_shot.tables import zero_shot_scores, zero_shot_table
from visatb.reporting.tables.paper_table import markdown_table
from visatb.reporting.tables.result_tables import methods_table
from visatb.runtime.files import write_table, write_text
from visatb.scores.columns import Column


@friendly_exit
def main() -> None:
    """Scores in, tables out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scores", required=True, metavar="FOLDER", help="holds <run>/<benchmark>.json")
    parser.add_argument("--method", nargs="+", required=True)
    parser.add_argument("--benchmark", nargs="+", required=True, metavar="NAME")
    parser.add_argument("--lower-is-better", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--table", required=True, help="zero_shot.tsv")
    parser.add_argument("--markdown", required=True, help="zero_shot.md")
    parser.add_argument("--tidy", required=True, help="zero_shot_scores.tsv")
    args = parser.parse_args()
    columns = [Column(name, "score", name not in args.lower_is_better) for name in args.benchmark]
    scores = zero_shot_scores(args.scores, args.method, args.benchmark)
    table = zero_shot_table(scores, args.method, columns)
    write_table(args.tidy, scores)
    write_table(args.table, table)
    lower = [column for column in columns if not column.higher_is_better]
    write_text(args.markdown, markdown_table(methods_table(table, lower)))


if __name__ == "__main__":
    main()
