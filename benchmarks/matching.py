"""How much memory and time exact matching of pictures to types takes, beside the matrix product alone.

python benchmarks/matching.py --pictures 50000 --types 20000 --width 768 --output benchmarks/results/matching.json

Random unit vectors are written to a file and mapped from it, as the workflow does it. Matching and the product alone,
in blocks of the same size on as many threads, alternate; ratios are of neighbouring rounds. The peak is the resident
memory of this process, with what is mapped from files, which the system takes back where memory is short; what grows
with the pictures beside it are the results, 12 bytes a match.
"""

import argparse
import json
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # one thread a product: blocks are computed side by side

import platform
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import numpy as np

from visatb.runtime.files import write_json
from visatb.taskgalaxy.embedding import Vectors, unit_vectors
from visatb.taskgalaxy.matching import nearest


def write_vectors(path: Path, number: int, width: int, draw: np.random.Generator) -> Vectors:
    """Write random unit vectors to a file, some at a time, and return them mapped from it."""
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(number, width))
    for start in range(0, number, 8192):
        array[start : start + 8192] = unit_vectors(draw.normal(size=(min(8192, number - start), width)))
    array.flush()
    return np.load(path, mmap_mode="r")


def product_alone(pictures: Vectors, types: Vectors, block: int, threads: int) -> None:
    """Compute all products block by block and keep nothing."""
    columns = np.ascontiguousarray(types.T)

    def product(start: int) -> float:
        return float((np.asarray(pictures[start : start + block]) @ columns)[0, 0])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(product, range(0, len(pictures), block)))


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Return how long work takes, and how long it keeps cores busy, which other work on the machine changes less."""
    started, before = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - started, time.process_time() - before


def measured_round(pictures: Vectors, types: Vectors, args: argparse.Namespace) -> dict[str, float]:
    """Measure the product alone, then matching."""
    product = seconds(lambda: product_alone(pictures, types, args.block, args.threads))
    matching = seconds(lambda: nearest(pictures, types, args.top_k, args.block, args.threads))
    names = ("product_s", "product_core_s", "matching_s", "matching_core_s")
    return dict(zip(names, (*product, *matching), strict=True))


def main() -> None:
    """Measure and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=50_000)
    parser.add_argument("--types", type=int, default=20_000)
    parser.add_argument("--width", type=int, default=768, help="of a vector")
    parser.add_argument("--top-k", type=int, default=10)
    parser.add_argument("--block", type=int, default=512, help="pictures at a time and thread")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", required=True, help="JSON")
    args = parser.parse_args()
    draw = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        pictures = write_vectors(Path(folder) / "pictures.npy", args.pictures, args.width, draw)
        types = np.array(write_vectors(Path(folder) / "types.npy", args.types, args.width, draw))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rounds = [measured_round(pictures, types, args) for _ in range(args.rounds)]
    ratios = [one["matching_s"] / one["product_s"] for one in rounds]
    core_ratios = [one["matching_core_s"] / one["product_core_s"] for one in rounds]
    found = {
        "machine": f"{platform.machine()}, {args.threads} threads, numpy {np.__version__}",
        "settings": {name: value for name, value in vars(args).items() if name != "output"},
        "rounds": [{name: round(value, 2) for name, value in one.items()} for one in rounds],
        "ratios": [round(ratio, 2) for ratio in ratios],
        "median_ratio": round(median(ratios), 2),
        "core_ratios": [round(ratio, 2) for ratio in core_ratios],
        "median_core_ratio": round(median(core_ratios), 2),
        "products_per_second": round(args.pictures * args.types / median(one["matching_s"] for one in rounds)),
        "memory_before_mb": round(before / 1024),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    write_json(args.output, found)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
