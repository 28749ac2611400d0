"""Answer the samples of one split with one model, all tasks at once. Goes on where it was interrupted."""

import argparse
import os
from pathlib import Path

from visatb.endpoints.cli import add_connection, connection_of
from visatb.endpoints.endpoint import Endpoint
from visatb.errors import friendly_exit
from visatb.evaluation.predictions import Answering, Questions, answer_all
from visatb.runtime.devices import computes_on_cpu
from visatb.runtime.files import read_table
from visatb.runtime.words_on_command_lines import named_number


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="the run's name, for progress lines")
    parser.add_argument("--model", required=True, help="model folder")
    parser.add_argument("--records", required=True, metavar="FOLDER", help="holds <task>/<split>.parquet")
    parser.add_argument("--split", required=True)
    parser.add_argument("--max-new-tokens", type=named_number, nargs="+", required=True, metavar="TASK=TOKENS")
    parser.add_argument("--order-seed", type=int, help="answer in a random order; left out, as records come")
    parser.add_argument("--first", type=int, help="answer so many samples of each task; left out, all")
    parser.add_argument("--sizes", help="evaluation_sizes.tsv: how many samples of each task to answer")
    parser.add_argument("--output", required=True, metavar="FOLDER", help="<task>.parquet are written there")
    parser.add_argument("--shards", required=True, metavar="FOLDER", help="answers so far, to go on from")
    parser.add_argument("--shard-size", type=int, required=True, help="samples after which answers are saved")
    here = parser.add_argument_group("a model that is loaded here")
    here.add_argument("--batch-size", type=int, default=16)
    here.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    here.add_argument("--attention", default="sdpa")
    here.add_argument("--gpus", type=int, default=0, help="1, or 0 to compute on the CPU")
    here.add_argument("--threads", type=int, default=1, help="CPU threads")
    served = parser.add_argument_group("a model that a server answers for")
    served.add_argument("--url", help="base address of an OpenAI-compatible API; {run} is the run's name")
    served.add_argument("--served-model", help="the model, by the name that the server knows")
    add_connection(served)
    return parser.parse_args()


@friendly_exit
def main() -> None:
    """Read what to answer, and have it answered."""
    args = arguments()
    sizes = read_table(args.sizes).set_index("task")["samples"].to_dict() if args.sizes else {}
    questions = [
        Questions(
            task,
            Path(args.records) / task / f"{args.split}.parquet",
            int(tokens),
            args.order_seed,
            int(sizes[task]) if args.sizes else args.first,
        )
        for task, tokens in args.max_new_tokens
    ]
    outputs = {task.task: Path(args.output) / f"{task.task}.parquet" for task in questions}
    answering = served_model(args) if args.url else loaded_model(args)
    answer_all(args.run, questions, outputs, answering, args.shard_size, args.shards)


def loaded_model(args: argparse.Namespace) -> Answering:
    """Set the process up for a model that is loaded here."""
    on_cpu = computes_on_cpu(args.gpus)
    if on_cpu:
        os.environ["OMP_NUM_THREADS"] = str(args.threads)
    from visatb.evaluation.generate import Generation, LoadedModel
    from visatb.runtime.gpus import claim_gpus
    from visatb.runtime.processes import check_devices

    check_devices(args.gpus)
    claim_gpus(args.gpus, args.run)
    generation = Generation(
        batch_size=args.batch_size,
        shard_size=args.shard_size,
        precision=args.precision,
        attention=args.attention,
        device="cpu" if on_cpu else "cuda",
    )
    return LoadedModel(args.model, generation)


def served_model(args: argparse.Namespace) -> Answering:
    """Ask a server, without torch."""
    from visatb.evaluation.served import ServedModel

    endpoint = Endpoint(args.url.replace("{run}", args.run), args.served_model, **connection_of(args))
    return ServedModel(args.run, args.model, endpoint, Path(args.shards) / "replies")


if __name__ == "__main__":
    main()
