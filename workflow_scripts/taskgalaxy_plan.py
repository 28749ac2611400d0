"""Count what TaskGalaxy will ask and what that may cost, before anything is sent."""

import argparse

from visatb.config_taskgalaxy import TaskGalaxyConfig
from visatb.errors import friendly_exit
from visatb.files import write_table
from visatb.progress import say
from visatb.taskgalaxy.plan import plan_text, planned


@friendly_exit
def main() -> None:
    """Config in, table out; the plan is shown too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--section", required=True, metavar="JSON", help="the config's section taskgalaxy")
    parser.add_argument("--output", required=True, help="plan.tsv")
    parser.add_argument("--show", action="store_true", help="print the plan too")
    arguments = parser.parse_args()
    config = TaskGalaxyConfig.model_validate_json(arguments.section)
    table = planned(config)
    write_table(arguments.output, table)
    if arguments.show:
        say(f"\nThe plan of {config.folder}:\n\n{plan_text(table, config.budget)}")


if __name__ == "__main__":
    main()
