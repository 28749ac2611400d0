"""What the command lines of TaskGalaxy's programs share: whom to ask, how, and where replies are kept."""

import argparse
import json
from typing import Any

from visatb.config.taskgalaxy import ModelEndpoint
from visatb.endpoints.endpoint import Endpoint
from visatb.runtime.files import read_parquet
from visatb.taskgalaxy.asking import Asking
from visatb.taskgalaxy.connections import endpoint_from
from visatb.taskgalaxy.prompt_files import read_prompt
from visatb.taskgalaxy.stages import Looking, type_paths


def add_asking(parser: argparse.ArgumentParser) -> None:
    """Add whom to ask, how, and where the replies are kept."""
    parser.add_argument("--endpoint", type=json.loads, nargs="+", required=True, metavar="JSON", help="name and model")
    parser.add_argument("--connections", type=json.loads, required=True, metavar="JSON", help="how they are reached")
    parser.add_argument("--attempts", type=int, default=1, help="times a question is asked")
    parser.add_argument("--replies", required=True, metavar="FOLDER", help="of all stages")


def add_looking(parser: argparse.ArgumentParser) -> None:
    """Add what the stages that send pictures share."""
    add_asking(parser)
    parser.add_argument("--images", required=True, metavar="FOLDER")
    parser.add_argument("--image-side", type=int, default=1024, help="longest side of pictures that are sent")
    parser.add_argument("--types", required=True, help="types.parquet")
    parser.add_argument("--prompt", required=True, help="YAML file with the texts system and user")


def endpoints_of(arguments: argparse.Namespace) -> list[Endpoint]:
    """Return the endpoints that `add_asking` read."""
    reached = arguments.connections["endpoints"]
    return [_endpoint(one["name"], reached[one["name"]] | one) for one in arguments.endpoint]


def asking_of(arguments: argparse.Namespace, stage: str) -> Asking:
    """Return how a stage asks."""
    return Asking(stage, arguments.replies, arguments.attempts, arguments.connections["budget"])


def _endpoint(name: str, values: dict[str, Any]) -> Endpoint:
    return endpoint_from(name, ModelEndpoint.model_validate({k: v for k, v in values.items() if k != "name"}))


def looking_of(arguments: argparse.Namespace, stage: str, prompt: str) -> Looking:
    """Return how a stage that sends pictures asks; ``prompt`` says which one it is."""
    return Looking(
        images=arguments.images,
        side=arguments.image_side,
        prompt=read_prompt(prompt, arguments.prompt),
        paths=type_paths(read_parquet(arguments.types).to_pylist()),
        asking=asking_of(arguments, stage),
    )
