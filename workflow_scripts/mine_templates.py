"""Find the sentences that are so frequent in instructions that they say nothing about an image (L2T)."""

import argparse
from pathlib import Path

from visatb.errors import friendly_exit
from visatb.runtime.files import write_table
from visatb.training.l2t.task_templates import Mining, mine_templates


@friendly_exit
def main() -> None:
    """Records in, a table of sentences out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", required=True, metavar="FOLDER", help="holds <task>/train.parquet")
    parser.add_argument("--task", nargs="+", required=True)
    parser.add_argument("--share", type=float, required=True, help="of a task's instructions, from which on")
    parser.add_argument("--count", type=int, required=True, help="instructions at least")
    parser.add_argument("--keep", nargs="+", default=[], metavar="SENTENCE")
    parser.add_argument("--remove", nargs="+", default=[], metavar="SENTENCE")
    parser.add_argument("--text-only", action="store_true", help="count instructions without an image, too")
    parser.add_argument("--edited", help="a table as the output, whose decisions stand above all others")
    parser.add_argument("--output", required=True, help="templates.tsv")
    args = parser.parse_args()
    records = {task: Path(args.records) / task / "train.parquet" for task in args.task}
    mining = Mining(args.share, args.count, args.keep, args.remove, args.text_only)
    write_table(args.output, mine_templates(records, mining, args.edited))


if __name__ == "__main__":
    main()
