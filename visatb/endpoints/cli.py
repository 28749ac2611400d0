"""What the command lines of programs that ask an endpoint share."""

import argparse
import json
from typing import Any

from visatb.runtime.words_on_command_lines import named_value


def add_connection(parser: argparse._ActionsContainer) -> None:
    """Add how an endpoint is asked."""
    parser.add_argument("--parameter", type=named_value, nargs="*", default=[], metavar="NAME=JSON")
    parser.add_argument("--key-variable", default="OPENAI_API_KEY", help="environment variable that holds the key")
    parser.add_argument("--concurrency", type=int, default=8, help="requests at a time")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds that one attempt may take")
    parser.add_argument("--retries", type=int, default=8, help="further attempts after one that failed in passing")


def connection_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what `add_connection` read, by the names that `visatb.config.endpoints.Endpoint` has for it."""
    return {
        "parameters": {name: json.loads(value) for name, value in arguments.parameter},
        "key_variable": arguments.key_variable,
        "concurrency": arguments.concurrency,
        "timeout": arguments.timeout,
        "retries": arguments.retries,
    }
