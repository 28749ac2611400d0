"""Write down versions, fingerprints of config, model and data, and the machine."""

import argparse
import json

from visatb.errors import friendly_exit
from visatb.experiment.provenance import provenance, provenance_table
from visatb.runtime.files import write_json, write_table
from visatb.runtime.words_on_command_lines import named_value


@friendly_exit
def main() -> None:
    """Config and mixtures in, table out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", required=True, help="its name")
    parser.add_argument("--config", required=True, metavar="JSON", help="the experiment's config")
    parser.add_argument("--source", required=True, metavar="FOLDER", help="the workflow's code")
    parser.add_argument("--mixtures", nargs="+", required=True, metavar="FILE", help="mixtures/<run>.arrow of each run")
    parser.add_argument("--runs", required=True, metavar="FOLDER", help="holds <run>/checkpoints")
    parser.add_argument("--program", type=named_value, nargs="*", default=[], metavar="NAME=VERSION")
    parser.add_argument("--json", required=True, metavar="FILE", help="provenance.json")
    parser.add_argument("--table", required=True, metavar="FILE", help="provenance.tsv")
    args = parser.parse_args()
    config = json.loads(args.config)
    found = provenance(args.experiment, config, args.source, args.mixtures, args.runs, dict(args.program))
    write_json(args.json, found)
    write_table(args.table, provenance_table(found))


if __name__ == "__main__":
    main()
