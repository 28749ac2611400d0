"""What the command lines of programs that ask a judge share."""

import argparse

from visatb.endpoints.cli import add_connection, connection_of
from visatb.endpoints.endpoint import Endpoint


def add_judge(parser: argparse.ArgumentParser) -> None:
    """Add whom to ask, how, and where the replies are kept."""
    parser.add_argument("--endpoint", required=True, help="base address of an OpenAI-compatible API")
    parser.add_argument("--model", required=True, help="the judge, by the name that the endpoint knows")
    add_connection(parser)
    parser.add_argument("--prices", type=float, nargs=2, metavar="PRICE", help="of 10^6 prompt tokens and reply tokens")
    parser.add_argument("--replies", required=True, metavar="FOLDER", help="where the judge's replies are kept")


def endpoint_of(arguments: argparse.Namespace) -> Endpoint:
    """Return the judge that `add_judge` read."""
    return Endpoint(url=arguments.endpoint, model=arguments.model, **connection_of(arguments))


def prices_of(arguments: argparse.Namespace) -> tuple[float, float] | None:
    """Return what a million prompt tokens and reply tokens cost, if that was said."""
    return (arguments.prices[0], arguments.prices[1]) if arguments.prices else None
