"""Have a vision model write a question and its answer for each kept type. Nothing is asked twice."""

import argparse

from visatb.errors import friendly_exit
from visatb.taskgalaxy.asking import Use
from visatb.taskgalaxy.command_line import add_looking, endpoints_of, looking_of
from visatb.taskgalaxy.stages import write_questions
from visatb.taskgalaxy.tables import SAMPLE_SCHEMA, kept_rows, write_stage


@friendly_exit
def main() -> None:
    """Candidates in, samples out."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_looking(parser)
    parser.add_argument("--candidates", required=True, help="Parquet")
    parser.add_argument("--output", required=True, help="Parquet")
    arguments = parser.parse_args()
    use = Use()
    looking = looking_of(arguments, "write_questions", "write")
    rows = write_questions(kept_rows(arguments.candidates), looking, endpoints_of(arguments)[0], use)
    write_stage(arguments.output, rows, SAMPLE_SCHEMA, vars(use))


if __name__ == "__main__":
    main()
