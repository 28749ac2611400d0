"""Have a judge grade the answers to one task's samples. What it was asked before is not asked again."""

import argparse
import json

from visatb.command_line import named_value
from visatb.errors import friendly_exit
from visatb.evaluation.judge import Judging, judge_predictions
from visatb.evaluation.judge_client import Endpoint
from visatb.evaluation.judge_prompt import read_prompt
from visatb.files import read_parquet, write_parquet


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--label", required=True, help="for progress lines")
    parser.add_argument("--predictions", required=True, help="Parquet")
    parser.add_argument("--prompt", required=True, help="YAML file with the texts system and user")
    parser.add_argument("--context", nargs="*", default=[], help="JSON lines that describe pictures")
    parser.add_argument("--image-folder", default=".", help="what the pictures' names in these files are relative to")
    parser.add_argument("--show-image", action="store_true", help="send the picture along")
    parser.add_argument("--endpoint", required=True, help="base address of an OpenAI-compatible API")
    parser.add_argument("--model", required=True, help="the judge, by the name that the endpoint knows")
    parser.add_argument("--parameter", type=named_value, nargs="*", default=[], metavar="NAME=JSON")
    parser.add_argument("--key-variable", default="OPENAI_API_KEY", help="environment variable that holds the key")
    parser.add_argument("--concurrency", type=int, default=8, help="requests at a time")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds that one attempt may take")
    parser.add_argument("--retries", type=int, default=8, help="further attempts after one that failed in passing")
    parser.add_argument(
        "--prices", type=float, nargs=2, metavar="PRICE", help="of 10^6 prompt tokens and verdict tokens"
    )
    parser.add_argument("--replies", required=True, metavar="FOLDER", help="where the judge's replies are kept")
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
        prices=tuple(args.prices) if args.prices else None,
    )
    endpoint = Endpoint(
        url=args.endpoint,
        model=args.model,
        parameters={name: json.loads(value) for name, value in args.parameter},
        key_variable=args.key_variable,
        concurrency=args.concurrency,
        timeout=args.timeout,
        retries=args.retries,
    )
    verdicts = judge_predictions(args.label, read_parquet(args.predictions), judging, endpoint, args.replies)
    write_parquet(args.output, verdicts)


if __name__ == "__main__":
    main()
