"""Samples a second of the predictor, against the authors' scheme and against one sample at a time.

The ways take turns, each answering the same questions of all tasks with the same trained model, already loaded:

- ``batched``: the predictor as the workflow uses it;
- ``one_by_one``: the predictor with a batch of one sample, and each task's own limit;
- ``authors``: a plain loop as the authors' evaluation is: a batch of one sample, up to 2,048 new tokens.

Answers must be the same: in float32 a difference ends the script, in bfloat16 differences are counted. The authors' way
has no limit a task, so its answers are cut at the task's limit before they are compared.

    python benchmarks/evaluation.py --model results/demo/runs/mini/model --records results/demo/records \\
        --max-new-tokens caption=64 vqa=8 gqa=8 chart=8 ocr=8 region=24 bbox=16 \\
        --output benchmarks/results/evaluation.json
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from side_by_side import medians, ratio, taking_turns, write_figures

from visatb.data.chat import chat_messages, open_image
from visatb.evaluation.generate import Generation, LoadedModel
from visatb.evaluation.predictions import SamplePrompt
from visatb.models.families import load_model, load_processor
from visatb.runtime.files import read_parquet

AUTHORS_LIMIT = 2048
Texts = list[str]


def asked_questions(arguments: argparse.Namespace) -> list[SamplePrompt]:
    """Return the first val samples of every task."""
    asked = []
    for task, limit in (word.split("=", 1) for word in arguments.max_new_tokens):
        for row in read_parquet(Path(arguments.records) / task / "val.parquet").to_pylist()[: arguments.samples]:
            asked.append(SamplePrompt(row["id"], row["conversations"][:-1], row["image"], int(limit), task))
    return asked


def answered_by_predictor(model: LoadedModel, asked: Sequence[SamplePrompt]) -> Texts:
    """Return the predictor's answers."""
    return [answer["prediction"] for answer in model.answer(asked, lambda _: None)]


class AuthorsWay:
    """A model, a sample and a call of ``generate`` at a time."""

    def __init__(self, folder: str, how: Generation) -> None:
        self._how = how
        dtype = torch.bfloat16 if how.device != "cpu" and how.precision == "bfloat16" else torch.float32
        self._model = load_model(folder, dtype, how.attention).to(how.device).eval()
        self._processor = load_processor(folder)
        self._model.generation_config.pad_token_id = self._processor.tokenizer.pad_token_id

    @torch.inference_mode()
    def __call__(self, asked: Sequence[SamplePrompt]) -> Texts:
        """Return the answers, each up to its task's limit."""
        autocast = self._how.device == "cpu" and self._how.precision == "bfloat16"
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            return [self._one(sample) for sample in asked]

    def _one(self, sample: SamplePrompt) -> str:
        inputs = self._processor.apply_chat_template(
            chat_messages(sample.turns, open_image(sample.image) if sample.image else None),
            tokenize=True,
            return_dict=True,
            add_generation_prompt=True,
            return_tensors="pt",
        ).to(self._how.device)
        tokens = self._model.generate(**inputs, do_sample=False, num_beams=1, max_new_tokens=AUTHORS_LIMIT)
        new = tokens[0, inputs["input_ids"].shape[1] :][: sample.max_new_tokens]
        return str(self._processor.tokenizer.decode(new, skip_special_tokens=True)).strip()


def timed(
    way: Callable[[Sequence[SamplePrompt]], Texts], asked: Sequence[SamplePrompt], cpu: list[float], told: list[Texts]
) -> Callable[[], float]:
    """Return what measures samples per second; processor seconds and answers go into the lists."""

    def measure() -> float:
        began, began_cpu = time.perf_counter(), time.process_time()
        told.append(way(asked))
        cpu.append(len(asked) / (time.process_time() - began_cpu))
        return len(asked) / (time.perf_counter() - began)

    return measure


def main() -> None:
    """Let the ways take turns and print medians and ratios."""
    arguments = read_arguments()
    if arguments.device == "cpu":
        torch.set_num_threads(arguments.threads)
    how = Generation(arguments.batch_size, 256, arguments.precision, arguments.attention, arguments.device)
    asked = asked_questions(arguments)
    batched, alone = (LoadedModel(arguments.model, one) for one in (how, replace(how, batch_size=1)))
    ways: dict[str, Callable[[Sequence[SamplePrompt]], Texts]] = {
        "batched": lambda some: answered_by_predictor(batched, some),
        "one_by_one": lambda some: answered_by_predictor(alone, some),
        "authors": AuthorsWay(arguments.model, how),
    }
    for way in ways.values():
        way(asked[:: max(1, len(asked) // 8)])  # loads and warms up
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    told: dict[str, list[Texts]] = {name: [] for name in ways}
    found = taking_turns(
        {name: timed(way, asked, cpu[name], told[name]) for name, way in ways.items()}, arguments.rounds
    )
    figures = {
        "settings": {**vars(how), "threads": torch.get_num_threads(), "torch": torch.__version__},
        "samples": len(asked),
        "samples_per_second": {name: [round(one, 1) for one in rounds] for name, rounds in found.items()},
        "median_samples_per_second": medians(found, 1),
        "median_samples_per_processor_second": medians(cpu, 1),
        "batched_over_authors": ratio(found, "batched", "authors"),
        "batched_over_one_by_one": ratio(found, "batched", "one_by_one"),
        "batched_over_authors_by_processor_time": ratio(cpu, "batched", "authors"),
        "different_answers": differences(told),
    }
    print(json.dumps(figures, indent=2))
    if arguments.precision == "float32" and any(figures["different_answers"].values()):
        raise SystemExit("error: the ways answer differently in float32")
    if arguments.output:
        write_figures(arguments.output, figures)


def differences(told: dict[str, list[Texts]]) -> dict[str, Any]:
    """Count, of each way, the samples whose answer is another one than batched; and, of batched, between rounds."""
    first = told["batched"][0]
    return {
        name: max(sum(a != b for a, b in zip(first, texts, strict=True)) for texts in rounds)
        for name, rounds in told.items()
    }


def read_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="a trained model")
    parser.add_argument("--records", required=True, metavar="FOLDER", help="holds <task>/val.parquet")
    parser.add_argument("--max-new-tokens", nargs="+", required=True, metavar="TASK=TOKENS")
    parser.add_argument("--samples", type=int, default=48, help="val samples of each task")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--attention", default="eager")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", help="JSON file for the figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
