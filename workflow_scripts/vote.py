"""Have judges vote on each question and its answer. Nothing is asked twice."""

import argparse

from visatb.errors import friendly_exit
from visatb.taskgalaxy.asking import Use
from visatb.taskgalaxy.command_line import add_looking, endpoints_of, looking_of
from visatb.taskgalaxy.stages import vote
from visatb.taskgalaxy.tables import JUDGED_SCHEMA, VOTE_SCHEMA, kept_rows, write_stage


@friendly_exit
def main() -> None:
    """Samples in, votes and judged samples out."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_looking(parser)
    parser.add_argument("--samples", required=True, help="Parquet")
    parser.add_argument("--min-votes", type=int, required=True, help="by which a sample is accepted")
    parser.add_argument("--votes", required=True, help="Parquet")
    parser.add_argument("--output", required=True, help="Parquet")
    arguments = parser.parse_args()
    use = Use()
    looking = looking_of(arguments, "vote", "vote")
    votes, judged = vote(kept_rows(arguments.samples), looking, endpoints_of(arguments), arguments.min_votes, use)
    write_stage(arguments.votes, votes, VOTE_SCHEMA)
    write_stage(arguments.output, judged, JUDGED_SCHEMA, vars(use))


if __name__ == "__main__":
    main()
