"""Draw how much better or worse every method is than single-task training, task by task."""

import argparse

from visatb.errors import friendly_exit
from visatb.reporting.figures.benchmark import benchmark_figure
from visatb.reporting.figures.style import save_figure
from visatb.reporting.read_results import read_benchmark
from visatb.scores.benchmark import lower_is_better
from visatb.scores.columns import column


@friendly_exit
def main() -> None:
    """Tables in, figure out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--benchmark", required=True, help="benchmark.tsv")
    parser.add_argument("--column", type=column, nargs="+", required=True, metavar="TASK:METRIC")
    parser.add_argument("--remark", nargs="*", default=[], help="sentences below the figure")
    parser.add_argument("--output", nargs="+", required=True, help="files to write, .svg or .png")
    args = parser.parse_args()
    save_figure(
        benchmark_figure(read_benchmark(args.benchmark), lower_is_better(args.column)), args.output, args.remark
    )


if __name__ == "__main__":
    main()
