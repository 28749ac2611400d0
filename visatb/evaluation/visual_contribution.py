"""Visual contribution: how much likelier an image makes the true answer than an image of noise does (L2T, Fig. 5).

VC = log p(answer | image, question) - log p(answer | noise, question)
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
import torch.nn.functional as F
from PIL import Image
from transformers import PreTrainedModel, ProcessorMixin

from visatb.data.chat import open_image
from visatb.evaluation.generate import Generation
from visatb.models.families import load_model, load_processor
from visatb.runtime.files import atomic_path, read_parquet, write_parquet
from visatb.runtime.progress import Progress
from visatb.training.batches.collator import IGNORED, Collator, Sample

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("image", pa.string()),
        ("tokens", pa.int32()),
        ("log_p", pa.float64()),
        ("log_p_noise", pa.float64()),
        ("contribution", pa.float64()),
    ]
)


def noise_like(image: Image.Image, name: str) -> Image.Image:
    """Return an image of the same size whose pixels are drawn evenly, the same ones for the same ``name``."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    pixels = np.random.default_rng(seed).integers(0, 256, (image.height, image.width, 3), dtype=np.uint8)
    return Image.fromarray(pixels, "RGB")


def measure_visual_contribution(
    run: str,
    model_folder: str | Path,
    records: Mapping[str, str | Path],
    output: str | Path,
    generation: Generation,
    max_length: int,
) -> None:
    """Write ``<output>/<task>.parquet`` (`SCHEMA`): a row for each sample with an image, in the records' order.

    Args:
        run: the run's name, for progress lines.
        model_folder: its model.
        records: task -> its samples (Parquet).
        output: the folder that appears when all is measured.
        generation: how it is computed; of it batch size, precision, attention and device.
        max_length: longest sample in tokens. Of one that is longer, the tokens of the answer within it count.

    Raises:
        VisatbError: naming an image that is missing or broken.
    """
    scorer = _Scorer(model_folder, list(records), generation, max_length)
    with atomic_path(output) as temporary:
        temporary.mkdir()
        for task, path in records.items():
            rows = [row for row in read_parquet(path).to_pylist() if row["image"] is not None]
            progress = Progress(run, f"visual contribution {task}", max(1, len(rows)))
            scored: list[dict[str, Any]] = []
            for start in range(0, len(rows), generation.batch_size):
                scored += scorer.score(task, rows[start : start + generation.batch_size])
                progress.at(len(scored))
            write_parquet(temporary / f"{task}.parquet", pa.Table.from_pylist(scored, schema=SCHEMA))


class _Scorer:
    def __init__(self, folder: str | Path, tasks: Sequence[str], generation: Generation, max_length: int) -> None:
        self._generation = generation
        bfloat16_on_gpu = generation.device != "cpu" and generation.precision == "bfloat16"
        dtype = torch.bfloat16 if bfloat16_on_gpu else torch.float32
        self._model: PreTrainedModel = load_model(folder, dtype, generation.attention).to(generation.device).eval()
        processor: ProcessorMixin = load_processor(folder)
        self._collator = Collator(processor, tasks, max_length)

    def score(self, task: str, rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield the rows' results."""
        images = [open_image(row["image"]) for row in rows]
        noise = [noise_like(image, row["id"]) for image, row in zip(images, rows, strict=True)]
        seen, unseen = (self._log_p(task, rows, shown) for shown in (images, noise))
        for row, (tokens, log_p), (_, log_p_noise) in zip(rows, seen, unseen, strict=True):
            yield {
                "id": row["id"],
                "image": row["image"],
                "tokens": tokens,
                "log_p": log_p,
                "log_p_noise": log_p_noise,
                "contribution": log_p - log_p_noise,
            }

    @torch.inference_mode()
    def _log_p(
        self, task: str, rows: Sequence[dict[str, Any]], images: Sequence[Image.Image]
    ) -> list[tuple[int, float]]:
        """Return the tokens of each row's last answer, its end-of-turn token included, and the sum of their log p."""
        samples: list[Sample] = [
            {"conversations": row["conversations"], "image": image, "task": task}
            for row, image in zip(rows, images, strict=True)
        ]
        batch = {key: value.to(self._generation.device) for key, value in self._collator(samples).items()}
        labels = last_answers(batch.pop("labels"))[:, 1:]
        del batch["task_ids"]
        autocast = self._generation.device == "cpu" and self._generation.precision == "bfloat16"
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            logits = self._model(**batch, use_cache=False).logits[:, :-1]
        answered = labels != IGNORED
        log_p = torch.zeros(labels.shape, dtype=torch.float64, device=labels.device)
        log_p[answered] = -F.cross_entropy(logits[answered].float(), labels[answered], reduction="none").double()
        return list(zip(answered.sum(dim=1).tolist(), log_p.sum(dim=1).tolist(), strict=True))


def last_answers(labels: torch.Tensor) -> torch.Tensor:
    """Return labels [samples, tokens] without those before the last stretch of supervised tokens in each row."""
    answered = labels != IGNORED
    starts = answered & ~F.pad(answered[:, :-1], (1, 0))
    number = starts.cumsum(dim=1)
    return labels.masked_fill(~(answered & (number == number[:, -1:])), IGNORED)
