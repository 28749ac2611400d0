"""Count how many rows each stage of TaskGalaxy was given and kept, and say what the data set was made of."""

import argparse

from visatb.config.taskgalaxy import TaskGalaxyConfig
from visatb.errors import friendly_exit
from visatb.runtime.files import read_table, write_json, write_table, write_text
from visatb.runtime.progress import say
from visatb.runtime.words_on_command_lines import named_value
from visatb.taskgalaxy.funnel import funnel
from visatb.taskgalaxy.provenance import funnel_text, provenance, provenance_markdown


@friendly_exit
def main() -> None:
    """Stages' tables in, funnel, reasons and provenance out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--section", required=True, metavar="JSON", help="the config's section taskgalaxy")
    parser.add_argument("--table", type=named_value, nargs="+", required=True, metavar="STAGE=FILE")
    parser.add_argument("--file", type=named_value, nargs="+", required=True, metavar="NAME=FILE", help="to be named")
    parser.add_argument("--tasks", required=True, help="table of the tasks")
    parser.add_argument("--funnel", required=True, help="table")
    parser.add_argument("--rejections", required=True, help="table")
    parser.add_argument("--provenance", nargs=2, required=True, metavar="FILE", help="JSON and Markdown")
    arguments = parser.parse_args()
    stages, reasons = funnel(dict(arguments.table))
    config = TaskGalaxyConfig.model_validate_json(arguments.section)
    found = provenance(config, dict(arguments.file), stages)
    write_table(arguments.funnel, stages)
    write_table(arguments.rejections, reasons)
    write_json(arguments.provenance[0], found)
    write_text(arguments.provenance[1], provenance_markdown(found, reasons, read_table(arguments.tasks)))
    say(f"\nTaskGalaxy in {config.folder}:\n\n{funnel_text(stages)}")


if __name__ == "__main__":
    main()
