"""Propose which tasks to balance as one, from measured contributions or from the words of their questions."""

import argparse
from pathlib import Path

import yaml

from visatb.balancing.grouping import Grouping, contribution_distances, instruction_distances, propose, saved_cost
from visatb.data.questions import sampled_questions
from visatb.errors import VisatbError, friendly_exit
from visatb.reporting.figures.groups import groups_figure
from visatb.reporting.figures.style import save_figure
from visatb.reporting.read_results import read_contributions
from visatb.runtime.files import read_json, write_table, write_text
from visatb.runtime.progress import say
from visatb.runtime.tables import text_table
from visatb.runtime.words_on_command_lines import groups as read_groups
from visatb.runtime.words_on_command_lines import named_value

LABELS = {
    "contributions": "distance: 1 - mean contribution to each other",
    "instructions": "distance: 1 - cosine of the questions' words",
}


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--contributions", help="contributions.tsv")
    source.add_argument("--records", metavar="FOLDER", help="holds <task>/train.parquet")
    parser.add_argument("--balancing", help="balancing.json, with --contributions: says which were not measured")
    parser.add_argument("--group", type=named_value, nargs="+", required=True, metavar="GROUP=TASK,TASK")
    parser.add_argument("--samples", type=int, default=1000, help="questions a task, with --records")
    parser.add_argument("--seed", type=int, default=0, help="of their drawing")
    parser.add_argument("--number", type=int, help="of groups; by default the one with the best silhouette")
    parser.add_argument("--rate-mini", type=float, required=True, help="R_mini, for the cost that is saved")
    parser.add_argument("--groups", required=True, help="groups.yaml, to be named in a config")
    parser.add_argument("--table", required=True, help="groups.tsv")
    parser.add_argument("--figure", nargs="+", required=True, help="files to write, .svg or .png")
    return parser.parse_args()


@friendly_exit
def main() -> None:
    """Contributions or questions in; groups, their table and the tree out."""
    args = arguments()
    members = read_groups(args.group)
    by = "contributions" if args.contributions else "instructions"
    if args.contributions:
        C = read_contributions(args.contributions)
        if set(C.index) != set(members):
            raise VisatbError(f"{args.contributions}: is of {', '.join(C.index)}, expected {', '.join(members)}")
        distances = contribution_distances(C, read_json(args.balancing)["not_measured"] if args.balancing else ())
    else:
        files = {group: [Path(args.records) / task / "train.parquet" for task in own] for group, own in members.items()}
        distances = instruction_distances(
            {group: sampled_questions(own, args.samples, args.seed) for group, own in files.items()}
        )
    grouping = propose(distances, args.number)
    together = {
        name: [task for group in own for task in members[group]]
        for name, own in grouping.groups.items()
        if len(own) > 1 or len(members[own[0]]) > 1
    }
    head = f"# Proposed by propose_groups from {by}. To use them: `groups: {args.groups}` in a config.\n"
    write_text(args.groups, head + yaml.safe_dump({"groups": together}, sort_keys=False, allow_unicode=True))
    write_table(args.table, grouping.table())
    save_figure(groups_figure(grouping, LABELS[by]), args.figure)
    say(_words(grouping, len(members), args.rate_mini))


def _words(grouping: Grouping, before: int, rate_mini: float) -> str:
    after = len(grouping.groups)
    saved = saved_cost(before, after, rate_mini)
    tried = ", ".join(f"{number}: {value:.2f}" for number, value in sorted(grouping.silhouettes.items()))
    table = text_table(grouping.table().round(3).astype(str), left=["group", "tasks", "nearest"])
    return (
        f"\n{table}\n\nMean silhouette by number of groups: {tried or 'none'}.\n{after} groups instead of {before}"
        f" save {saved:.3f} of a training on the full mix in the preparation."
    )


if __name__ == "__main__":
    main()
