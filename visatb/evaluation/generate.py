"""Answers of a model that is loaded here: batched and greedy, each the one that the model gives to it alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from transformers import BatchFeature, GenerationConfig, PreTrainedModel, ProcessorMixin, StoppingCriteria
from transformers.generation import StoppingCriteriaList

from visatb.data.chat import chat_messages, height_and_width, open_image
from visatb.evaluation.predictions import Answer, Questions, SamplePrompt, answer_all
from visatb.models.families import load_model, load_processor
from visatb.runtime.digests import model_digest

CHARACTERS = 4
"""Of a token of text, about."""


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


def predict(
    run: str,
    model_folder: str | Path,
    questions: Sequence[Questions],
    outputs: Mapping[str, str | Path],
    generation: Generation,
    shard_folder: str | Path,
) -> None:
    """Have a model that is loaded here answer the questions of every task (`answer_all`)."""
    answering = LoadedModel(model_folder, generation)
    answer_all(run, questions, outputs, answering, generation.shard_size, shard_folder)


class LoadedModel:
    """A model that is loaded when the first answer is wanted, not before."""

    def __init__(self, folder: str | Path, generation: Generation) -> None:
        self._folder, self._generation = folder, generation

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """What the answers depend on."""
        return {"model": model_digest(self._folder), "precision": self._generation.precision}

    @property
    def at_a_time(self) -> int:
        """As many as a shard holds."""
        return self._generation.shard_size

    def answer(self, prompts: Sequence[SamplePrompt], at: Callable[[int], None]) -> list[Answer]:
        """Return the answers; samples of like limit and length share a batch, whatever their tasks."""
        lengths = [(prompt.max_new_tokens, self._predictor.about_tokens(prompt)) for prompt in prompts]
        order = sorted(range(len(prompts)), key=lambda number: (lengths[number], number))
        size, answers = self._generation.batch_size, dict[int, Answer]()
        batches = [order[start : start + size] for start in range(0, len(order), size)]
        generated = self._predictor.generate([[prompts[number] for number in batch] for batch in batches])
        for batch, batch_answers in zip(batches, generated, strict=True):
            answers.update(zip(batch, batch_answers, strict=True))
            at(len(answers))
        return [answers[number] for number in range(len(prompts))]

    def saved(self) -> None:
        """Nothing is kept here."""

    @cached_property
    def _predictor(self) -> "_Predictor":
        return _Predictor(self._folder, self._generation)


class _OwnLimits(StoppingCriteria):
    """Ends each row of a batch at its own limit."""

    def __init__(self, prompt: int, limits: torch.Tensor) -> None:
        self._lengths = prompt + limits

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        return input_ids.shape[1] >= self._lengths


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

    def about_tokens(self, prompt: SamplePrompt) -> float:
        """Return how long a sample is, the better to find others as long: of a picture its size alone is looked at."""
        text = sum(len(turn["value"]) for turn in prompt.turns) / CHARACTERS
        processor = self._processor.image_processor
        size = height_and_width(prompt.image) if hasattr(processor, "get_number_of_image_patches") else None
        return text + (processor.get_number_of_image_patches(*size) / processor.merge_size**2 if size else 0)

    def generate(self, batches: Sequence[Sequence[SamplePrompt]]) -> Iterator[list[Answer]]:
        """Yield the answers to each batch; while one is answered, the next one's images are read and resized."""
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(self._inputs, batches[0])
            for number, batch in enumerate(batches):
                inputs = coming.result()
                if number + 1 < len(batches):
                    coming = ahead.submit(self._inputs, batches[number + 1])
                yield self._answers(batch, inputs.to(self._generation.device))

    def _inputs(self, batch: Sequence[SamplePrompt]) -> BatchFeature:
        messages = [chat_messages(prompt.turns, open_image(prompt.image) if prompt.image else None) for prompt in batch]
        return self._processor.apply_chat_template(
            messages,
            tokenize=True,
            return_dict=True,
            add_generation_prompt=True,
            return_tensors="pt",
            processor_kwargs={"padding": True, "padding_side": "left"},
        )

    @torch.inference_mode()
    def _answers(self, batch: Sequence[SamplePrompt], inputs: BatchFeature) -> list[Answer]:
        prompt_length = inputs["input_ids"].shape[1]
        limits = torch.tensor([prompt.max_new_tokens for prompt in batch], device=self._generation.device)
        autocast = self._generation.device == "cpu" and self._generation.precision == "bfloat16"
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            tokens = self._model.generate(
                **inputs,
                generation_config=self._greedy(int(limits.max())),
                stopping_criteria=StoppingCriteriaList([_OwnLimits(prompt_length, limits)]),
            )
        return [
            self._decoded(row[: prompt.max_new_tokens])
            for prompt, row in zip(batch, tokens[:, prompt_length:].tolist(), strict=True)
        ]

    def _greedy(self, max_new_tokens: int) -> GenerationConfig:
        return GenerationConfig(
            do_sample=False,
            num_beams=1,
            max_new_tokens=max_new_tokens,
            eos_token_id=self._ends,
            pad_token_id=self._processor.tokenizer.pad_token_id,
        )

    def _decoded(self, tokens: list[int]) -> Answer:
        length = next((index for index, token in enumerate(tokens) if token in self._ends), None)
        text = self._processor.tokenizer.decode(tokens[:length], skip_special_tokens=True)
        return {
            "prediction": text.strip(),
            "new_tokens": len(tokens) if length is None else length + 1,
            "finish_reason": "length" if length is None else "stop",
        }
