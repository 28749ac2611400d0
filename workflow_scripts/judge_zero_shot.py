"""Have a judge grade one run's answers to MM-Vet. What it was asked before is not asked again."""

import argparse

from visatb.errors import friendly_exit
from visatb.evaluation.judge.cli import add_judge, endpoint_of, prices_of
from visatb.evaluation.zero_shot.grading import grade
from visatb.runtime.files import write_json


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--label", required=True, help="for progress lines")
    parser.add_argument("--samples", required=True, help="lmms-eval's samples, JSON lines")
    add_judge(parser)
    parser.add_argument("--output", required=True, help="the score, JSON")
    return parser.parse_args()


@friendly_exit
def main() -> None:
    """Answers in, score out."""
    args = arguments()
    write_json(args.output, grade(args.label, args.samples, endpoint_of(args), args.replies, prices_of(args)))


if __name__ == "__main__":
    main()
