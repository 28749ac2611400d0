"""Count what TaskGalaxy will ask and what that may cost, before anything is sent."""

import argparse

from visatb.config.taskgalaxy import TaskGalaxyConfig
from visatb.errors import friendly_exit
from visatb.runtime.files import write_table
from visatb.taskgalaxy.plan import planned


@friendly_exit
def main() -> None:
    """Config in, table out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--section", required=True, metavar="JSON", help="the config's section taskgalaxy")
    parser.add_argument("--output", required=True, help="plan.tsv")
    arguments = parser.parse_args()
    config = TaskGalaxyConfig.model_validate_json(arguments.section)
    write_table(arguments.output, planned(config))


if __name__ == "__main__":
    main()
