"""The fixed random order in which samples are answered where not all of them may be needed."""

import zlib
from collections.abc import Sequence

import numpy as np

from visatb.runtime.arrays import Integers


def answering_order(images: Sequence[str | None], task: str, seed: int) -> Integers:
    """Return a permutation of a task's samples: images in random order, the samples of an image one after the other.

    It depends on ``seed``, the task and the samples alone, so every run answers the same first ones. A sample without
    an image stands for itself.
    """
    names = [f"sample {number}" if image is None else f"image {image}" for number, image in enumerate(images)]
    labels, image_of = np.unique(np.asarray(names, dtype=str), return_inverse=True)
    generator = np.random.default_rng([seed, zlib.crc32(task.encode())])
    return np.argsort(generator.permutation(labels.size)[image_of], kind="stable")
