"""Build the page on which other temperatures, shares and groups can be tried (explorer.html)."""

import argparse

from visatb.balancing.cli import add_balancing, balance_settings
from visatb.balancing.design import Design
from visatb.balancing.weights import measured_balance, validation_samples
from visatb.errors import friendly_exit
from visatb.reporting.explorer.data import explorer_data
from visatb.reporting.explorer.page import explorer_page
from visatb.runtime.files import atomic_path
from visatb.runtime.words_on_command_lines import groups, named_number


@friendly_exit
def main() -> None:
    """Per-sample scores in, page out."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_balancing(parser)
    parser.add_argument("--experiment", required=True, help="its name")
    parser.add_argument("--fixed", type=named_number, nargs="*", default=[], metavar="TASK=WEIGHT")
    parser.add_argument("--bootstrap", type=int, default=2000, help="draws behind the 95 %% intervals")
    parser.add_argument("--seed", type=int, default=0, help="of these draws")
    parser.add_argument("--remark", nargs="*", default=[], help="what readers must know of how the scores came about")
    parser.add_argument("--output", required=True, help="explorer.html")
    args = parser.parse_args()
    members = groups(args.group)
    design = Design(args.column, members, balance_settings(args))
    samples = validation_samples(args.scores, args.column, design.names.scored)
    point, drawn = measured_balance(samples, design, args.bootstrap, args.seed)
    data = explorer_data(point, drawn.measures, args.experiment, members, dict(args.fixed), args.remark)
    with atomic_path(args.output) as path:
        path.write_text(explorer_page(data), encoding="utf-8")


if __name__ == "__main__":
    main()
