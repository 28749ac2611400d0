"""Have one model answer benchmarks that nothing was trained for, all of them in one start of lmms-eval."""

import argparse
import os
import signal
import sys

from visatb.errors import friendly_exit
from visatb.evaluation.zero_shot.benchmarks import Benchmark
from visatb.evaluation.zero_shot.lmms_eval import Asking, own_loader, server_client
from visatb.evaluation.zero_shot.run import ask_benchmarks
from visatb.runtime.devices import computes_on_cpu
from visatb.runtime.words_on_command_lines import named_value


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="the run's name, for progress lines")
    parser.add_argument("--model", required=True, help="model folder; with --address the server's name for it")
    parser.add_argument("--benchmark", nargs="+", required=True, metavar="NAME")
    parser.add_argument("--task", type=named_value, nargs="*", default=[], metavar="NAME=TASK", help="lmms-eval's")
    parser.add_argument("--metric", type=named_value, nargs="*", default=[], metavar="NAME=METRIC", help="lmms-eval's")
    parser.add_argument("--data", type=named_value, nargs="*", default=[], metavar="NAME=FILE", help="local questions")
    parser.add_argument("--image-folder", type=named_value, nargs="*", default=[], metavar="NAME=FOLDER")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has lmms-eval")
    parser.add_argument("--loader", default="llava_hf", help="lmms-eval's class for the model")
    parser.add_argument("--loader-argument", type=named_value, nargs="*", default=[], metavar="NAME=VALUE")
    parser.add_argument("--address", help="ask a server at this address instead of loading the model")
    parser.add_argument("--key-variable", default="OPENAI_API_KEY", help="environment variable that holds its key")
    parser.add_argument("--concurrency", type=int, default=16, help="requests at a time")
    parser.add_argument("--timeout", type=int, default=600, help="seconds that one attempt may take")
    parser.add_argument("--retries", type=int, default=5, help="attempts in all for one question")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--gpus", type=int, default=0, help="1, or 0 to compute on the CPU")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--limit", type=int, help="the first questions of each benchmark alone")
    parser.add_argument("--cache", help="folder of downloaded data sets (HF_HOME)")
    parser.add_argument("--output", required=True, metavar="FOLDER", help="<benchmark>.json are written there")
    return parser.parse_args()


def asking(args: argparse.Namespace) -> Asking:
    """Return how lmms-eval is started."""
    environment = {"OMP_NUM_THREADS": str(args.threads)} | ({"HF_HOME": args.cache} if args.cache else {})
    if args.address:
        return server_client(
            args.python,
            args.address,
            args.model,
            os.environ.get(args.key_variable),
            {"num_cpus": args.concurrency, "timeout": args.timeout, "max_retries": args.retries},
            args.limit,
            environment,
        )
    device = "cpu"
    if not computes_on_cpu(args.gpus):
        from visatb.runtime.gpus import claim_gpus

        claim_gpus(args.gpus, args.run)
        device = "cuda:0"
    further = dict(args.loader_argument)
    loading = own_loader(args.model, args.loader, device, args.precision, further)
    return Asking(args.python, args.loader, loading, args.limit, environment)


@friendly_exit
def main() -> None:
    """Model and questions in, scores out."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # lets lmms-eval be ended first
    args = arguments()
    data: dict[str, list[str]] = {}
    for name, file in args.data:
        data.setdefault(name, []).append(file)
    tasks, metrics, folders = dict(args.task), dict(args.metric), dict(args.image_folder)
    benchmarks = [
        Benchmark.of(name, tasks.get(name), metrics.get(name), data.get(name, ()), folders.get(name))
        for name in args.benchmark
    ]
    ask_benchmarks(f"zero-shot {args.run}", benchmarks, asking(args), args.output)


if __name__ == "__main__":
    main()
