"""Have a judge grade one run's answers to MM-Vet. What it was asked before is not asked again."""

import argparse
import json

from visatb.command_line import named_value
from visatb.errors import friendly_exit
from visatb.evaluation.judge_client import Endpoint
from visatb.files import write_json
from visatb.zero_shot.grading import grade


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--label", required=True, help="for progress lines")
    parser.add_argument("--samples", required=True, help="lmms-eval's samples, JSON lines")
    parser.add_argument("--endpoint", required=True, help="base address of an OpenAI-compatible API")
    parser.add_argument("--model", required=True, help="the judge, by the name that the endpoint knows")
    parser.add_argument("--parameter", type=named_value, nargs="*", default=[], metavar="NAME=JSON")
    parser.add_argument("--key-variable", default="OPENAI_API_KEY", help="environment variable that holds the key")
    parser.add_argument("--concurrency", type=int, default=8, help="requests at a time")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds that one attempt may take")
    parser.add_argument("--retries", type=int, default=8, help="further attempts after one that failed in passing")
    parser.add_argument("--prices", type=float, nargs=2, metavar="PRICE", help="of 10^6 prompt tokens and reply tokens")
    parser.add_argument("--replies", required=True, metavar="FOLDER", help="where the judge's replies are kept")
    parser.add_argument("--output", required=True, help="the score, JSON")
    return parser.parse_args()


@friendly_exit
def main() -> None:
    """Answers in, score out."""
    args = arguments()
    endpoint = Endpoint(
        url=args.endpoint,
        model=args.model,
        parameters={name: json.loads(value) for name, value in args.parameter},
        key_variable=args.key_variable,
        concurrency=args.concurrency,
        timeout=args.timeout,
        retries=args.retries,
    )
    prices = tuple(args.prices) if args.prices else None
    write_json(args.output, grade(args.label, args.samples, endpoint, args.replies, prices))


if __name__ == "__main__":
    main()
