"""Write the short text that is printed when an experiment is finished."""

import argparse

from visatb.errors import friendly_exit
from visatb.reporting.read_results import (
    read_benchmark,
    read_comparison,
    read_overall_intervals,
    read_scores,
    read_variants,
    read_weights,
)
from visatb.reporting.text.summary import summary_text
from visatb.runtime.files import read_json, write_text


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", required=True, help="weights.tsv")
    parser.add_argument("--balancing", help="balancing.json")
    parser.add_argument("--variant-names", nargs="*", default=[], metavar="NAME", help="of the variants")
    parser.add_argument("--variant-weights", nargs="*", default=[], metavar="FILE", help="weights.tsv of each")
    parser.add_argument("--benchmark", help="benchmark.tsv; left out where no final model was trained")
    parser.add_argument("--comparison", help="weights_comparison.tsv")
    parser.add_argument("--benchmark-intervals", help="benchmark_intervals.tsv")
    parser.add_argument("--scores", nargs="*", default=[], help="scores.tsv, for the counts of unreadable answers")
    parser.add_argument("--see", nargs="*", default=[], metavar="PATH", help="files to send the reader to")
    parser.add_argument("--output", required=True, help="the text file to write; it is printed too")
    return parser.parse_args()


@friendly_exit
def main() -> None:
    """Tables in, text out."""
    args = arguments()
    text = summary_text(
        read_weights(args.weights),
        read_benchmark(args.benchmark) if args.benchmark else None,
        read_scores(args.scores) if args.scores else None,
        args.see,
        read_json(args.balancing) if args.balancing else None,
        read_variants(args.variant_names, args.variant_weights),
        read_comparison(args.comparison) if args.comparison else None,
        read_overall_intervals(args.benchmark_intervals) if args.benchmark_intervals else None,
    )
    write_text(args.output, text)
    print(text, end="")


if __name__ == "__main__":
    main()
