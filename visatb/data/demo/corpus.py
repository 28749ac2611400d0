"""Writes the demo corpus: one folder a task, with a LLaVA JSON list for each split and PNG pictures."""

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from visatb.data.demo.exchanges import DEMO_TASKS, SPLITS, demo_sample
from visatb.errors import VisatbError
from visatb.runtime.files import atomic_path, write_json


def draw_corpus(folder: str | Path, seed: int, samples: Mapping[str, int], processes: int = 2) -> None:
    """Write ``<folder>/<task>/<split>.json`` and ``<folder>/<task>/images/*.png`` for the seven tasks.

    ``samples`` is the number of samples a task gets in each of the splits train, val and test. A task's
    folder appears whole or not at all, and replaces an older one. Raises `VisatbError` for an unknown split
    or a negative number.
    """
    for split, number in samples.items():
        if split not in SPLITS or number < 0:
            raise VisatbError(
                f"demo corpus: {number} samples of split {split!r}; "
                f"expected 0 or more of the splits {', '.join(SPLITS)}"
            )
    draw_task = partial(_draw_task, Path(folder), seed, dict(samples))
    if processes <= 1:
        for task in DEMO_TASKS:
            draw_task(task)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        list(pool.map(draw_task, DEMO_TASKS))


def _draw_task(folder: Path, seed: int, samples: dict[str, int], task: str) -> None:
    with atomic_path(folder / task) as temporary:
        (temporary / "images").mkdir(parents=True)
        for split, count in samples.items():
            records = []
            for number in range(count):
                image, record = demo_sample(seed, task, split, number)
                image.save(temporary / record["image"], compress_level=1)
                records.append(record)
            write_json(temporary / f"{split}.json", records)
