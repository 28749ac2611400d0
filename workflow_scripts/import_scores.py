"""Write imported scores of one run on one task as the workflow's own files of scores."""

import argparse

from visatb.errors import VisatbError, friendly_exit
from visatb.runtime.files import read_parquet, write_parquet
from visatb.runtime.words_on_command_lines import named_number, named_value
from visatb.scores.imported import ImportedScore, imported_table


@friendly_exit
def main() -> None:
    """Values, and what each sample scored where that is known, in; a file of scores out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True)
    parser.add_argument("--split", required=True)
    parser.add_argument("--task", required=True)
    parser.add_argument("--value", type=named_number, nargs="+", required=True, metavar="METRIC=VALUE")
    parser.add_argument("--n", type=named_number, nargs="+", required=True, metavar="METRIC=SAMPLES")
    parser.add_argument("--samples", type=named_value, nargs="*", default=[], metavar="METRIC=FILE")
    parser.add_argument("--records", required=True, help="of this split, Parquet")
    parser.add_argument("--output", required=True, help="Parquet")
    args = parser.parse_args()
    numbers, samples = dict(args.n), dict(args.samples)
    if lacking := [metric for metric, _ in args.value if metric not in numbers]:
        raise VisatbError(f"--n: missing for {', '.join(lacking)}")
    scores = [
        ImportedScore(args.run, args.split, args.task, metric, value, int(numbers[metric]), samples.get(metric))
        for metric, value in args.value
    ]
    write_parquet(args.output, imported_table(scores, read_parquet(args.records, ["id", "image"])))


if __name__ == "__main__":
    main()
