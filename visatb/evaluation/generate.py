"""Answers of a model to the samples of a split: batched, greedy, resumable."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch
from transformers import GenerationConfig, PreTrainedModel, ProcessorMixin

from visatb.errors import VisatbError
from visatb.evaluation.order import answering_order
from visatb.files import read_parquet, write_parquet
from visatb.locking import alone_in
from visatb.progress import Progress, say
from visatb.training.checkpoints import file_digest, fingerprint, folder_digest
from visatb.training.collator import chat_messages, open_image
from visatb.training.models import load_model, load_processor

PREDICTION_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("image", pa.string()),
        ("prompt", pa.string()),
        ("prediction", pa.string()),
        ("truths", pa.list_(pa.string())),
        ("new_tokens", pa.int32()),
        ("finish_reason", pa.string()),
    ]
)


@dataclass(frozen=True)
class Generation:
    """How answers are generated.

    Attributes:
        batch_size: samples at a time.
        shard_size: samples after which answers are saved.
        precision: ``float32`` or ``bfloat16`` (autocast on the CPU).
        attention: the attention implementation.
        device: ``cpu`` or ``cuda``.
    """

    batch_size: int
    shard_size: int
    precision: str
    attention: str
    device: str


@dataclass(frozen=True)
class Questions:
    """The samples of one task.

    Attributes:
        task: its name.
        records: its records file.
        max_new_tokens: the longest answer to generate, in tokens.
        order_seed: of the random order in which samples are answered (`visatb.evaluation.order`); None: as they come.
        first: so many samples of this order are answered; None: all.
    """

    task: str
    records: str | Path
    max_new_tokens: int
    order_seed: int | None = None
    first: int | None = None

    def read(self) -> pa.Table:
        """Return the records to answer, in the order in which they are."""
        records = read_parquet(self.records)
        if self.order_seed is not None:
            records = records.take(answering_order(records["image"].to_pylist(), self.task, self.order_seed))
        return records.slice(0, self.first)


def predict(
    run: str,
    model_folder: str | Path,
    questions: Sequence[Questions],
    outputs: Mapping[str, str | Path],
    generation: Generation,
    shard_folder: str | Path,
) -> None:
    """Answer the questions of every task and write one Parquet file a task (`PREDICTION_SCHEMA`).

    Answers are saved shard by shard in ``shard_folder/<task>/<split>/``, the split being the records file's name,
    under a fingerprint of the model, the records and the settings, so that a killed prediction goes on with the
    first shard that is missing. Shards of other fingerprints are removed once the answers are complete.

    Raises:
        VisatbError: naming an image that is missing or broken.
    """
    digest = folder_digest(model_folder) if Path(model_folder).is_dir() else str(model_folder)
    answering = _Answering(model_folder, generation)
    for task in questions:
        records = task.read()
        folder = Path(shard_folder) / task.task / Path(task.records).stem / _shard_key(digest, task, generation)
        with alone_in(folder.parent, run):
            answers = _answered(run, task, records, folder, answering, generation)
            write_parquet(outputs[task.task], answers)
            _remove_older_answers(folder)


def _answered(
    run: str, task: Questions, records: pa.Table, folder: Path, answering: "_Answering", generation: Generation
) -> pa.Table:
    progress = Progress(run, f"answers {task.task}", len(records))
    parts = []
    for start, size in _shards(len(records), generation.shard_size):
        shard = folder / f"{start:08d}.parquet"
        answers = _saved(shard, size)
        if answers is None:
            answers = answering.model.answer(records.slice(start, size).to_pylist(), task.max_new_tokens)
            write_parquet(shard, answers)
        parts.append(answers)
        progress.at(start + size)
    # Read and fresh shards name the parts of lists differently: the file is the same to the byte, whichever they were.
    return pa.concat_tables(parts).cast(PREDICTION_SCHEMA)


def _saved(shard: Path, size: int) -> pa.Table | None:
    """Return the answers of a shard, or None if they are not there, or not whole."""
    if not shard.is_file():
        return None
    try:
        answers = read_parquet(shard)
    except VisatbError as error:
        say(f"answered again: {error}")
        return None
    return answers if len(answers) == size else None


def _shards(samples: int, size: int) -> Iterator[tuple[int, int]]:
    for start in range(0, samples, size):
        yield start, min(size, samples - start)


def _shard_key(model_digest: str, task: Questions, generation: Generation) -> str:
    settings = {
        "model": model_digest,
        "records": file_digest(task.records),
        "max_new_tokens": task.max_new_tokens,
        "precision": generation.precision,
        "shard_size": generation.shard_size,
    }
    if task.order_seed is not None:
        settings["order_seed"] = task.order_seed
    return fingerprint(settings)


def _remove_older_answers(folder: Path) -> None:
    for other in folder.parent.glob("*/"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)


class _Answering:
    """Loads the model when the first answer is wanted, not before."""

    def __init__(self, folder: str | Path, generation: Generation) -> None:
        self._folder, self._generation = folder, generation

    @cached_property
    def model(self) -> "_Predictor":
        return _Predictor(self._folder, self._generation)


class _Predictor:
    def __init__(self, folder: str | Path, generation: Generation) -> None:
        self._generation = generation
        self._processor: ProcessorMixin = load_processor(folder)
        bfloat16_on_gpu = generation.device != "cpu" and generation.precision == "bfloat16"
        dtype = torch.bfloat16 if bfloat16_on_gpu else torch.float32
        self._model: PreTrainedModel = load_model(folder, dtype, generation.attention).to(generation.device).eval()
        tokenizer = self._processor.tokenizer
        ends = self._model.generation_config.eos_token_id or tokenizer.eos_token_id
        self._ends: list[int] = [ends] if isinstance(ends, int) else list(ends)
        # Whatever else the model brings along, such as a penalty for repetition, would bend the greedy answers.
        self._model.generation_config = GenerationConfig(eos_token_id=self._ends, pad_token_id=tokenizer.pad_token_id)

    def answer(self, rows: Sequence[dict[str, Any]], max_new_tokens: int) -> pa.Table:
        """Return the rows with their answers, in the rows' order; questions of like length share a batch."""
        prompts = [row["conversations"][:-1] for row in rows]
        by_length = sorted(range(len(rows)), key=lambda index: (sum(len(t["value"]) for t in prompts[index]), index))
        answers: dict[int, dict[str, Any]] = {}
        size = self._generation.batch_size
        for start in range(0, len(rows), size):
            batch = by_length[start : start + size]
            generated = self._generate([prompts[i] for i in batch], [rows[i]["image"] for i in batch], max_new_tokens)
            answers.update(zip(batch, generated, strict=True))
        merged = [
            {
                "id": row["id"],
                "image": row["image"],
                "prompt": prompts[index][-1]["value"],
                "truths": row["truths"],
                **answers[index],
            }
            for index, row in enumerate(rows)
        ]
        return pa.Table.from_pylist(merged, schema=PREDICTION_SCHEMA)

    @torch.inference_mode()
    def _generate(
        self, prompts: Sequence[list[dict[str, str]]], images: Sequence[str | None], max_new_tokens: int
    ) -> list[dict[str, Any]]:
        messages = [
            chat_messages(prompt, open_image(image) if image else None)
            for prompt, image in zip(prompts, images, strict=True)
        ]
        inputs = self._processor.apply_chat_template(
            messages,
            tokenize=True,
            return_dict=True,
            add_generation_prompt=True,
            return_tensors="pt",
            processor_kwargs={"padding": True, "padding_side": "left"},
        ).to(self._generation.device)
        autocast = self._generation.device == "cpu" and self._generation.precision == "bfloat16"
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            tokens = self._model.generate(**inputs, generation_config=self._greedy(max_new_tokens))
        return [self._decoded(row) for row in tokens[:, inputs["input_ids"].shape[1] :].tolist()]

    def _greedy(self, max_new_tokens: int) -> GenerationConfig:
        return GenerationConfig(
            do_sample=False,
            num_beams=1,
            max_new_tokens=max_new_tokens,
            eos_token_id=self._ends,
            pad_token_id=self._processor.tokenizer.pad_token_id,
        )

    def _decoded(self, tokens: list[int]) -> dict[str, Any]:
        length = next((index for index, token in enumerate(tokens) if token in self._ends), None)
        text = self._processor.tokenizer.decode(tokens[:length], skip_special_tokens=True)
        return {
            "prediction": text.strip(),
            "new_tokens": len(tokens) if length is None else length + 1,
            "finish_reason": "length" if length is None else "stop",
        }
