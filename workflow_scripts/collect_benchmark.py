"""Gather the test scores of the final runs into the benchmark table with dI, dE and dI_zero (Eq. 9)."""

import argparse

from visatb.errors import friendly_exit
from visatb.runtime.files import read_table, write_table
from visatb.scores.benchmark import benchmark_intervals, benchmark_table, test_scores
from visatb.scores.columns import column


@friendly_exit
def main() -> None:
    """Per-sample scores in, tables out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scores", required=True, metavar="FOLDER", help="holds <run>/test/<task>.parquet")
    parser.add_argument("--method", nargs="+", required=True)
    parser.add_argument("--column", type=column, nargs="+", required=True, metavar="TASK:METRIC")
    parser.add_argument(
        "--zero-shot", nargs="?", help="zero_shot.tsv, whose dI_zero goes into the table, if there is one"
    )
    parser.add_argument("--bootstrap", type=int, default=2000, help="draws behind the 95 %% intervals")
    parser.add_argument("--seed", type=int, default=0, help="of these draws")
    parser.add_argument("--table", required=True, help="benchmark.tsv")
    parser.add_argument("--tidy", required=True, help="test_scores.tsv")
    parser.add_argument("--intervals", required=True, help="benchmark_intervals.tsv")
    args = parser.parse_args()
    scores = test_scores(args.scores, args.method, args.column)
    table = benchmark_table(scores, args.method, args.column)
    intervals = benchmark_intervals(args.scores, table, args.column, args.bootstrap, args.seed)
    if args.zero_shot:
        table = table.merge(read_table(args.zero_shot)[["method", "dI_zero"]], on="method", how="left")
    write_table(args.tidy, scores)
    write_table(args.intervals, intervals)
    write_table(args.table, table)


if __name__ == "__main__":
    main()
