"""Write the weights, and the data mixes that they come to, as other training programs read them."""

import argparse
from pathlib import Path

from visatb.errors import friendly_exit
from visatb.reporting.export.data import write_conversations, write_messages
from visatb.reporting.export.trainers import write_llamafactory, write_llava_next, write_ms_swift, write_trl
from visatb.reporting.export.weights import read_weights_table, task_shares, write_weights
from visatb.runtime.files import read_parquet


@friendly_exit
def main() -> None:
    """Weights and records in, a folder of files out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", required=True)
    parser.add_argument("--objective", choices=("response", "l2t"), default="response", help="of the trainings")
    parser.add_argument("--weights", required=True, help="weights.tsv")
    parser.add_argument("--records", required=True, metavar="FOLDER", help="holds <task>/train.parquet")
    parser.add_argument("--seed", type=int, required=True, help="of the order of samples")
    parser.add_argument("--epochs", type=float, required=True)
    parser.add_argument("--family", choices=("llava", "qwen2_vl"), required=True)
    parser.add_argument("--output", required=True, metavar="FOLDER")
    args = parser.parse_args()

    output, weights = Path(args.output), read_weights_table(args.weights)
    samples = {}
    for task, weight in zip(weights["task"], weights["weight"], strict=True):
        records = read_parquet(Path(args.records) / task / "train.parquet", ["id", "image", "conversations"])
        samples[task] = len(records)
        write_conversations(output / "data" / f"{task}.jsonl", records, task, args.seed)
        write_messages(output / "messages" / f"{task}.jsonl", records, task, args.seed, weight)
    shares = task_shares(weights, samples)
    write_weights(output, args.experiment, args.objective, shares)
    write_llamafactory(output / "llamafactory", shares, args.epochs, args.family)
    write_trl(output / "trl.yaml", shares, args.epochs)
    write_llava_next(output / "llava_next.yaml", shares)
    write_ms_swift(output / "ms_swift", shares)


if __name__ == "__main__":
    main()
