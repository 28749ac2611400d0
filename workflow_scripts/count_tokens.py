"""Count the tokens of every task as the training will read them, and the model's parameters; nothing is trained."""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pyarrow as pa

from visatb.data.mixtures import subset_rows
from visatb.errors import VisatbError, friendly_exit
from visatb.planning.token_ledger import COUNTED_AT_MOST, Counts, MicroBatches, token_ledger
from visatb.runtime.files import parquet_batches, parquet_length, taken_rows, write_json, write_parquet, write_table
from visatb.runtime.progress import say
from visatb.runtime.words_on_command_lines import named_value

BATCH = 4096
"""Records that are read at a time."""


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", required=True, metavar="FOLDER", help="holds <task>/<split>.parquet")
    parser.add_argument("--split", type=named_value, nargs="+", required=True, metavar="TASK=SPLIT")
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--base", help="checkpoint folder or hub name")
    model.add_argument("--tiny", metavar="FAMILY", help="a tiny model that is not made yet")
    model.add_argument("--pieces", type=named_value, nargs=3, metavar="PIECE=SOURCE", help="of a LLaVA to be assembled")
    parser.add_argument("--freeze", nargs="*", default=[], help="parts that are not trained")
    parser.add_argument("--max-length", type=int, required=True, help="tokens")
    parser.add_argument("--micro-batch-size", type=int, required=True, help="samples a device holds at a time")
    parser.add_argument("--packing", action="store_true", help="they share a row; left out, each is padded")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--ledger", required=True, help="token_ledger.tsv")
    parser.add_argument("--counts", required=True, help="tokens of each counted record, Parquet")
    parser.add_argument("--sizes", required=True, help="sizes of model and answers, JSON")
    return parser.parse_args()


def model_of(args: argparse.Namespace) -> tuple[Any, Any]:
    """Return configuration and processor of the model; of one on a hub that cannot be had, raise `VisatbError`."""
    from visatb.models.assembly import Pieces, described
    from visatb.models.families import load_config, load_processor
    from visatb.models.tiny import build_tiny

    if args.tiny:
        model, processor = build_tiny(args.tiny, 0)
        with TemporaryDirectory() as folder:  # trainings see it as it is loaded
            model.config.save_pretrained(folder)
            processor.save_pretrained(folder)
            return load_config(folder), load_processor(folder)
    if args.pieces:
        return described(Pieces(**dict(args.pieces)))
    return load_config(args.base), load_processor(args.base)


@friendly_exit
def main() -> None:
    """Records in, ledger and counts out. Where the model cannot be had yet, they are empty and say why."""
    args = arguments()
    try:
        config, processor = model_of(args)
    except VisatbError as error:
        if args.base and Path(args.base).exists():
            raise
        say(f"tokens are not counted: {error}")
        write_results(args, {}, {"missing": str(error)}, blank=0)
        return
    from visatb.planning.token_counts import TokenCounter, model_size

    counter = TokenCounter(processor, args.max_length)
    counts, answers = {}, {}
    for task, split in args.split:
        path, is_train = Path(args.records) / task / f"{split}.parquet", split == "train"
        total = parquet_length(path)
        rows = subset_rows(total, min(total, COUNTED_AT_MOST), args.seed, task)
        # Only the records that are counted are kept in memory.
        table = taken_rows(parquet_batches(path, ["image", "conversations"] if is_train else ["truths"], BATCH), rows)
        if is_train:
            counts[task] = Counts(total, counter.count(table.to_pylist()))
        else:
            texts = table["truths"].combine_chunks().flatten().to_pylist()
            answers[f"{task}/{split}"] = float(counter.answer_tokens(texts).mean())
    size, blank = model_size(config, args.freeze), counter.blank_row()
    facts = {"parameters": size.parameters, "trained": size.trained, "blank_row": blank, "answer_tokens": answers}
    write_results(args, counts, facts, blank)


def write_results(args: argparse.Namespace, counts: dict[str, Counts], facts: dict[str, Any], blank: int) -> None:
    """Write the three files."""
    tables = [one.table.assign(task=task) for task, one in counts.items()]
    counted = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"task": pd.Series(dtype=str)})
    write_parquet(args.counts, pa.Table.from_pandas(counted, preserve_index=False))
    write_json(args.sizes, facts)
    micro_batches = MicroBatches(args.micro_batch_size, args.packing, blank, args.seed)
    write_table(args.ledger, token_ledger(counts, micro_batches))


if __name__ == "__main__":
    main()
