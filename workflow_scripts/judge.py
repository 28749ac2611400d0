"""Have a judge grade the answers to one task's samples. What it was asked before is not asked again."""

import argparse

from visatb.errors import friendly_exit
from visatb.evaluation.judge.cli import add_judge, endpoint_of, prices_of
from visatb.evaluation.judge.judge import Judging, judge_predictions
from visatb.evaluation.judge.prompt import read_prompt
from visatb.runtime.files import read_parquet, write_parquet


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--label", required=True, help="for progress lines")
    parser.add_argument("--predictions", required=True, help="Parquet")
    parser.add_argument("--prompt", required=True, help="YAML file with the texts system and user")
    parser.add_argument("--context", nargs="*", default=[], help="JSON lines that describe pictures")
    parser.add_argument("--image-folder", default=".", help="what the pictures' names in these files are relative to")
    parser.add_argument("--show-image", action="store_true", help="send the picture along")
    add_judge(parser)
    parser.add_argument("--output", required=True, help="verdicts, Parquet")
    return parser.parse_args()


@friendly_exit
def main() -> None:
    """Predictions in, verdicts out."""
    args = arguments()
    judging = Judging(
        prompt=read_prompt(args.prompt),
        contexts=args.context,
        image_folder=args.image_folder,
        show_image=args.show_image,
        prices=prices_of(args),
    )
    verdicts = judge_predictions(args.label, read_parquet(args.predictions), judging, endpoint_of(args), args.replies)
    write_parquet(args.output, verdicts)


if __name__ == "__main__":
    main()
