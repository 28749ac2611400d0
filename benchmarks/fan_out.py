"""Two trainings with one thread each, side by side, against the same two one after the other with two threads.

python benchmarks/fan_out.py --mixture results/demo/mixtures/mini.arrow --base data/models/tiny-llava
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = Path(__file__).parent.parent / "workflow_scripts" / "training.py"
RECIPE = {"global_batch_size": 8, "learning_rate": 0.001, "warmup": 0.05, "beta2": 0.98, "max_length": 256}
MACHINE = {"micro_batch_size": 8, "packing": False, "gpus": 0, "workers": 0, "attention": "eager"}


def start(arguments: argparse.Namespace, threads: int, seed: int, folder: str) -> subprocess.Popen[bytes]:
    """Start one training."""
    run = f"{folder}/{threads}-{seed}-{time.monotonic_ns()}"
    job = {"run": "fan-out", "base": arguments.base, "freeze": ["vision_tower"], "seed": seed, "recipe": RECIPE}
    command = [sys.executable, str(PROGRAM), "train", "--job", json.dumps(job), "--machine", json.dumps(MACHINE)]
    command += ["--threads", str(threads), "--mixture", arguments.mixture, "--folder", run, "--output", f"{run}/model"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)


def seconds(arguments: argparse.Namespace, side_by_side: bool) -> float:
    """Return the wall-clock seconds of two trainings."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        running = []
        for seed in (0, 1):
            running.append(start(arguments, 1 if side_by_side else 2, seed, folder))
            if not side_by_side:
                running[-1].wait()
        if any(process.wait() for process in running):
            sys.exit("error: a training failed; run it by hand to see why")
        return time.perf_counter() - started


def main() -> None:
    """Alternate the two ways and print medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mixture", required=True)
    parser.add_argument("--base", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", help="JSON file for the figures")
    arguments = parser.parse_args()
    rounds = [(seconds(arguments, True), seconds(arguments, False)) for _ in range(arguments.rounds)]
    beside, after = (statistics.median(times) for times in zip(*rounds, strict=True))
    result = {
        "machine": f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores",
        "rounds": [[round(value, 1) for value in pair] for pair in rounds],
        "side_by_side_s": round(beside, 1),
        "one_after_the_other_s": round(after, 1),
        "ratio": round(after / beside, 2),
    }
    print(json.dumps(result, indent=2))
    if arguments.output:
        Path(arguments.output).write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
