"""Grow seed types into a tree of three levels by asking a model. What it was asked before is not asked again."""

import argparse

from visatb.errors import friendly_exit
from visatb.taskgalaxy.asking import Use
from visatb.taskgalaxy.command_line import add_asking, asking_of, endpoints_of
from visatb.taskgalaxy.expansion import expand
from visatb.taskgalaxy.prompt_files import read_prompt
from visatb.taskgalaxy.tables import TYPE_SCHEMA, write_stage
from visatb.taskgalaxy.types import read_seeds


@friendly_exit
def main() -> None:
    """Seeds in, types out."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_asking(parser)
    parser.add_argument("--seeds", required=True, help="YAML file")
    parser.add_argument("--prompt", required=True, help="YAML file with the texts system and user")
    parser.add_argument("--numbers", type=int, nargs=3, required=True, help="new names below root, level 1 and level 2")
    parser.add_argument("--output", required=True, help="Parquet")
    arguments = parser.parse_args()
    use = Use()
    rows = expand(
        seeds=read_seeds(arguments.seeds),
        numbers=arguments.numbers,
        prompt=read_prompt("expand", arguments.prompt),
        endpoint=endpoints_of(arguments)[0],
        asking=asking_of(arguments, "expand_types"),
        use=use,
    )
    write_stage(arguments.output, rows, TYPE_SCHEMA, vars(use))


if __name__ == "__main__":
    main()
