"""Score the answers to one task's samples."""

import argparse

from visatb.errors import friendly_exit
from visatb.evaluation.metric_names import METRIC_NAMES
from visatb.evaluation.scores import score_predictions
from visatb.files import read_parquet, write_parquet


@friendly_exit
def main() -> None:
    """Predictions in, per-sample scores out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--predictions", required=True, help="Parquet")
    parser.add_argument("--verdicts", nargs="?", help="a judge's on these predictions, Parquet; if a metric needs them")
    parser.add_argument("--metrics", nargs="+", required=True, choices=METRIC_NAMES)
    parser.add_argument("--origin", help="where the model that answered comes from, if it was not trained here")
    parser.add_argument("--output", required=True, help="Parquet")
    args = parser.parse_args()
    verdicts = read_parquet(args.verdicts) if args.verdicts else None
    write_parquet(args.output, score_predictions(read_parquet(args.predictions), args.metrics, verdicts, args.origin))


if __name__ == "__main__":
    main()
