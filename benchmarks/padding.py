"""Share of real tokens among those that a training reads where samples are padded to the longest; packed, all are real.

python benchmarks/padding.py --mixture results/demo/mixtures/*.arrow --base data/models/tiny-llava \\
    --output benchmarks/results/padding.json

Of mixtures, the micro-batches are made by the collators that trainings have. Lengths like the papers' are simulated:
the Academic benchmark's number of samples of each task, each with 576 image tokens (texts alone: none), 40 tokens of
the template, and a text whose length is log-normal around the given mean with a standard deviation of 0.8 in its
logarithm, cut at 2048 tokens. The means are assumptions. ``attended`` are the pairs of tokens that attention computes
before masks, as a multiple of those within samples: padded, which is also how packed samples attend, and in one row
under a mask.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from side_by_side import write_figures

from visatb.data.mixtures import read_mixture
from visatb.models.families import load_processor
from visatb.training.batches.collator import Collator
from visatb.training.batches.packing import PackingCollator
from visatb.training.fit import MixtureDataset

ACADEMIC = {  # task: samples, mean tokens of its text (assumed)
    "ShareGPT4V": (98_000, 250),
    "Ref-caption": (41_000, 60),
    "VQAv2": (83_000, 120),
    "GQA": (72_000, 180),
    "ChartQA": (18_000, 60),
    "OCRVQA": (80_000, 130),
    "Ref-bbox": (41_000, 200),
    "ShareGPT": (41_000, 1000),
}
IMAGE, TEMPLATE, LONGEST = 576, 40, 2048


def of_mixture(path: str, processor: Any, batch: int, batches: int, seed: int) -> Iterator[np.ndarray]:
    """Yield the lengths of the samples of micro-batches drawn at random, checked against the packing collator."""
    table = read_mixture(path)
    dataset = MixtureDataset(table)
    tasks = sorted(table["task"].unique().to_pylist())
    collator = Collator(processor, tasks, LONGEST)
    packing = PackingCollator(collator)
    order = np.random.default_rng(seed).permutation(len(dataset))[: batch * batches]
    for start in range(0, len(order) - batch + 1, batch):
        samples = [dataset[int(row)] for row in order[start : start + batch]]
        lengths = collator(samples)["attention_mask"].sum(dim=1).numpy()
        assert packing(samples)["input_ids"].numel() == lengths.sum()
        yield lengths


def simulated(batch: int, batches: int, seed: int) -> Iterator[np.ndarray]:
    """Yield the lengths of micro-batches like the Academic benchmark's."""
    rng = np.random.default_rng(seed)
    lengths = []
    for task, (samples, mean) in ACADEMIC.items():
        text = rng.lognormal(np.log(mean) - 0.8**2 / 2, 0.8, samples)
        lengths.append(TEMPLATE + text.astype(int) + (0 if task == "ShareGPT" else IMAGE))
    drawn = rng.permutation(np.minimum(np.concatenate(lengths), LONGEST))
    yield from drawn[: batch * batches].reshape(-1, batch)


def shares(micro_batches: list[np.ndarray]) -> dict[str, float]:
    """Return what share of the tokens is real if they are padded, and attended pairs."""
    real = sum(int(lengths.sum()) for lengths in micro_batches)
    within = sum(float((lengths.astype(float) ** 2).sum()) for lengths in micro_batches)
    padded = sum(len(lengths) * int(lengths.max()) for lengths in micro_batches)
    return {
        "mean_length": round(real / sum(map(len, micro_batches)), 1),
        "padded": round(real / padded, 4),
        "attended_padded": round(sum(len(one) * float(one.max()) ** 2 for one in micro_batches) / within, 2),
        "attended_in_one_row": round(sum(float(one.sum()) ** 2 for one in micro_batches) / within, 2),
    }


def main() -> None:
    """Measure, print, and write the figures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mixture", nargs="+", default=[], help="files of runs, paths relative to the current folder")
    parser.add_argument("--base", help="checkpoint folder whose processor reads them")
    parser.add_argument("--batch", type=int, default=8, help="samples of a micro-batch of the mixtures")
    parser.add_argument("--micro-batches", type=int, default=100, help="that are drawn of each mixture")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="JSON file for the figures")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {}
    for path in arguments.mixture:
        drawn = of_mixture(
            path, load_processor(arguments.base), arguments.batch, arguments.micro_batches, arguments.seed
        )
        figures[Path(path).stem] = shares(list(drawn))
    for size in (4, 8, 16):
        figures[f"academic, simulated, {size} samples"] = shares(list(simulated(size, 2000, arguments.seed)))
    for name, found in figures.items():
        print(f"{name:32} padded {found['padded']:6.1%}  {found}")
    if arguments.output:
        write_figures(arguments.output, figures)


if __name__ == "__main__":
    main()
