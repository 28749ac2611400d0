"""Count the tokens of each task's train split by what they are, and by whether they are learned (L2T)."""

import argparse
from pathlib import Path

from visatb.errors import friendly_exit
from visatb.runtime.files import write_table
from visatb.training.l2t.task_templates import read_templates


@friendly_exit
def main() -> None:
    """Records and templates in, a table out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", required=True, help="checkpoint folder or hub name, for its tokenizer")
    parser.add_argument("--records", required=True, metavar="FOLDER", help="holds <task>/train.parquet")
    parser.add_argument("--task", nargs="+", required=True)
    parser.add_argument("--templates", required=True, help="templates.tsv")
    parser.add_argument("--instruction-weight", type=float, required=True)
    parser.add_argument("--text-only", action="store_true", help="instructions without an image are learned, too")
    parser.add_argument("--output", required=True, help="instruction_ledger.tsv")
    args = parser.parse_args()
    from visatb.models.families import load_processor
    from visatb.training.l2t.instructions import Instructions
    from visatb.training.l2t.ledger import instruction_ledger

    records = {task: Path(args.records) / task / "train.parquet" for task in args.task}
    instructions = Instructions(args.instruction_weight, read_templates(args.templates), args.text_only)
    write_table(args.output, instruction_ledger(load_processor(args.base), records, instructions))


if __name__ == "__main__":
    main()
