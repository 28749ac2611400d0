"""What the command lines of programs that ask a judge share."""

import argparse
import json

from visatb.command_line import named_value
from visatb.endpoint import Endpoint


def add_judge(parser: argparse.ArgumentParser) -> None:
    """Add whom to ask, how, and where the replies are kept."""
    parser.add_argument("--endpoint", required=True, help="base address of an OpenAI-compatible API")
    parser.add_argument("--model", required=True, help="the judge, by the name that the endpoint knows")
    parser.add_argument("--parameter", type=named_value, nargs="*", default=[], metavar="NAME=JSON")
    parser.add_argument("--key-variable", default="OPENAI_API_KEY", help="environment variable that holds the key")
    parser.add_argument("--concurrency", type=int, default=8, help="requests at a time")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds that one attempt may take")
    parser.add_argument("--retries", type=int, default=8, help="further attempts after one that failed in passing")
    parser.add_argument("--prices", type=float, nargs=2, metavar="PRICE", help="of 10^6 prompt tokens and reply tokens")
    parser.add_argument("--replies", required=True, metavar="FOLDER", help="where the judge's replies are kept")


def endpoint_of(arguments: argparse.Namespace) -> Endpoint:
    """Return the judge that `add_judge` read."""
    return Endpoint(
        url=arguments.endpoint,
        model=arguments.model,
        parameters={name: json.loads(value) for name, value in arguments.parameter},
        key_variable=arguments.key_variable,
        concurrency=arguments.concurrency,
        timeout=arguments.timeout,
        retries=arguments.retries,
    )


def prices_of(arguments: argparse.Namespace) -> tuple[float, float] | None:
    """Return what a million prompt tokens and reply tokens cost, if that was said."""
    return (arguments.prices[0], arguments.prices[1]) if arguments.prices else None
