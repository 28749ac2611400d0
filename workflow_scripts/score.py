"""Score one model's answers to the samples of a split, all tasks at once."""

import argparse
from pathlib import Path

from visatb.errors import friendly_exit
from visatb.runtime.digests import file_digest
from visatb.runtime.files import write_json
from visatb.scores.columns import task_metrics
from visatb.scores.scoring import score_tasks


@friendly_exit
def main() -> None:
    """Predictions in, per-sample scores out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--predictions", required=True, metavar="FOLDER", help="holds <task>.parquet")
    parser.add_argument("--verdicts", metavar="FOLDER", help="holds a judge's <task>.parquet, where a metric needs it")
    parser.add_argument("--metrics", type=task_metrics, nargs="+", required=True, metavar="TASK=METRIC,METRIC")
    parser.add_argument("--origin", help="where the model that answered comes from, if it was not trained here")
    parser.add_argument("--output", required=True, metavar="FOLDER", help="<task>.parquet are written there")
    parser.add_argument("--digests", help="JSON file that is to hold the SHA-256 of every task's file")
    args = parser.parse_args()
    metrics = dict(args.metrics)
    score_tasks(args.predictions, metrics, args.output, args.verdicts, args.origin)
    if args.digests:
        write_json(args.digests, {task: file_digest(Path(args.output) / f"{task}.parquet") for task in metrics})


if __name__ == "__main__":
    main()
