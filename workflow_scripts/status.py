"""Print what of an experiment is done, running, failed or left. Nothing is locked or changed."""

import argparse
import json

from visatb.errors import friendly_exit
from visatb.experiment.experiment import Experiment
from visatb.experiment.status import status
from visatb.reporting.text.status import status_text


@friendly_exit
def main() -> None:
    """Config in, text out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, metavar="JSON", help="the experiment's config")
    arguments = parser.parse_args()
    print(status_text(status(Experiment.from_values(json.loads(arguments.config)))))


if __name__ == "__main__":
    main()
