"""Makes the demo's base checkpoint in two stages, as LLaVA's was made: a vision encoder, then its alignment.

Stage 0 stands in for a pretrained encoder such as CLIP: the tower learns to tell what is in every cell of a
picture, and the heads that it learned with are thrown away. Stage 1 teaches projector and language model to
read pictures from texts found beside them, with the tower frozen and without any instruction.
"""

import random
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy, pad
from transformers import PreTrainedModel, ProcessorMixin, get_cosine_schedule_with_warmup

from visatb.data.demo.exchanges import alt_text
from visatb.data.demo.scenes import (
    CELL,
    COLORS,
    GRID,
    SHAPES,
    SIZES,
    STEP,
    Picture,
    Thing,
    draw,
    random_chart,
    random_number,
    random_scene,
)
from visatb.errors import VisatbError
from visatb.models.families import freeze, load_model, load_processor
from visatb.models.tiny import MAX_LENGTH, build_tiny
from visatb.runtime.files import atomic_path
from visatb.runtime.progress import Progress, say
from visatb.training.batches.collator import IGNORED, Collator, Sample
from visatb.training.loss.head import head_sees_only
from visatb.training.muon import Muon

KINDS = ("nothing", *SHAPES, "bar", *"0123456789")

SIDES = ("left", "top", "right", "bottom")

UNKNOWN = -100

# Number of classes of each question about a cell.
QUESTIONS = {
    "kind": len(KINDS),
    "color": len(COLORS),
    "size": len(SIZES),
    **dict.fromkeys(SIDES, CELL // STEP + 1),
    "row": GRID,
    "column": GRID,
    "framed": 2,
}


BETAS = (0.9, 0.98)
WARMUP = 0.05
Batch = dict[str, torch.Tensor]


def pretrain_vision(
    family: str, seed: int, images: int, batch_size: int, learning_rate: float, output: str | Path
) -> None:
    """Train the vision tower of a tiny model on ``images`` pictures and write the model folder ``output``.

    Raises:
        VisatbError: the family is not known.
    """
    model, processor = build_tiny(family, seed)
    model.set_attn_implementation("eager")
    freeze(model, ("projector", "language_model"))
    torch.manual_seed(seed)
    heads = nn.Linear(_cell_features(model, _pictures(processor, seed, range(1))).shape[-1], sum(QUESTIONS.values()))
    batches = (_pictures(processor, seed, numbers) for numbers in _batched(images, batch_size))
    _train(
        "pretrain_vision",
        nn.ModuleDict({"model": model, "heads": heads}),
        batches,
        lambda batch: _cell_loss(heads(_cell_features(model, batch)), batch["targets"]),
        steps=-(-images // batch_size),
        learning_rate=learning_rate,
    )
    _report_accuracy(model, heads, _pictures(processor, seed, range(images, images + 256)))
    _save(model, processor, output)


def pretrain_alignment(
    vision: str | Path, seed: int, samples: int, batch_size: int, learning_rate: float, output: str | Path
) -> None:
    """Train projector and language model of the folder ``vision`` on alt-texts and write the folder ``output``.

    Raises:
        VisatbError: ``vision`` is no folder of a known model family.
    """
    if not Path(vision).is_dir():
        raise VisatbError(f"{vision}: no such folder; it is written by pretrain_vision")
    processor = load_processor(vision)
    model = load_model(vision, torch.float32, attention="eager")
    freeze(model, ("vision_tower",))
    torch.manual_seed(seed)
    if model.config.model_type == "llava":
        _start_projector(model, _pictures(processor, seed, range(256)))
    collator = Collator(processor, ["alt_text"], MAX_LENGTH)
    batches = (
        collator([_alt_text_sample(seed, number) for number in numbers]) for numbers in _batched(samples, batch_size)
    )
    _train(
        "pretrain_alignment",
        model,
        batches,
        lambda batch: _answer_loss(model, batch),
        steps=-(-samples // batch_size),
        learning_rate=learning_rate,
    )
    _save(model, processor, output)


def _batched(total: int, size: int) -> Iterator[range]:
    return (range(start, min(start + size, total)) for start in range(0, total, size))


def _pictures(processor: ProcessorMixin, seed: int, numbers: range) -> Batch:
    pictures = []
    for number in numbers:
        rng = random.Random(f"{seed}/vision/{number}")
        kind = rng.choices(("scene", "chart", "number"), weights=(6, 2, 2))[0]
        if kind == "scene":
            pictures.append(random_scene(rng, framed=rng.random() < 0.5))
        else:
            pictures.append(random_chart(rng) if kind == "chart" else random_number(rng))
    batch = dict(processor.image_processor([draw(picture) for picture in pictures], return_tensors="pt"))
    return batch | {"targets": torch.stack([cell_targets(picture) for picture in pictures])}


def _cell_features(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    """Return what the projector is given for each cell: [pictures, 16, features]."""
    pictures = len(batch["targets"])
    if model.config.model_type == "qwen2_vl":
        states = model.model.visual(batch["pixel_values"], batch["image_grid_thw"]).last_hidden_state
        return states.view(pictures, GRID * GRID, -1)
    states = model.model.vision_tower(batch["pixel_values"], output_hidden_states=True).hidden_states
    return states[model.config.vision_feature_layer][:, 1:]


def _cell_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    parts = logits.float().split(list(QUESTIONS.values()), dim=-1)
    losses = [
        cross_entropy(part.flatten(0, 1), targets[..., i].flatten(), ignore_index=UNKNOWN)
        for i, part in enumerate(parts)
    ]
    return torch.stack(losses).sum()


@torch.no_grad()
def _report_accuracy(model: PreTrainedModel, heads: nn.Linear, batch: Batch) -> None:
    parts = heads(_cell_features(model, batch)).split(list(QUESTIONS.values()), dim=-1)
    shares = []
    for i, (question, part) in enumerate(zip(QUESTIONS, parts, strict=True)):
        targets = batch["targets"][..., i]
        # Most cells are empty: what is asked of them would hide the rest.
        asked = (targets != UNKNOWN) & (batch["targets"][..., 0] > 0)
        shares.append(f"{question} {100 * (part.argmax(-1) == targets)[asked].float().mean():.1f} %")
    say(f"[pretrain_vision] right in new pictures: {', '.join(shares)}")


@torch.no_grad()
def _start_projector(model: PreTrainedModel, batch: Batch) -> None:
    """Let LLaVA's projector start from features of mean 0 and deviation 1; Qwen2-VL's has a norm for that."""
    features = _cell_features(model, batch).flatten(0, 1)
    first = model.model.multi_modal_projector.linear_1
    first.weight /= features.std(0)
    first.bias -= first.weight @ features.mean(0)


def _alt_text_sample(seed: int, number: int) -> Sample:
    picture, beginning, rest = alt_text(random.Random(f"{seed}/alignment/{number}"))
    turns = [{"from": "human", "value": f"<image>\n{beginning}"}, {"from": "gpt", "value": rest}]
    return {"conversations": turns, "image": draw(picture), "task": "alt_text"}


def _answer_loss(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    targets = batch["labels"][:, 1:]
    supervised = targets != IGNORED
    inputs = {key: value for key, value in batch.items() if key not in ("labels", "task_ids")}
    with head_sees_only(model, pad(supervised, (0, 1))):
        logits = model(**inputs, use_cache=False).logits
    return cross_entropy(logits.float(), targets[supervised])


def _optimizers(module: nn.Module, learning_rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the layers, AdamW for the rest: far fewer samples than with AdamW alone."""
    trained = {name: value for name, value in module.named_parameters() if value.requires_grad}
    matrices = {name for name, value in trained.items() if value.ndim == 2 and not re.search("embed|head", name)}
    others = [value for name, value in trained.items() if name not in matrices]
    muon = Muon([trained[name] for name in sorted(matrices)], lr=learning_rate)
    return [muon, torch.optim.AdamW(others, lr=learning_rate, betas=BETAS, weight_decay=0.0)]


def _train(
    name: str,
    module: nn.Module,
    batches: Iterable[Batch],
    loss_of: Callable[[Batch], torch.Tensor],
    steps: int,
    learning_rate: float,
) -> None:
    optimizers = _optimizers(module, learning_rate)
    schedules = [get_cosine_schedule_with_warmup(optimizer, int(WARMUP * steps), steps) for optimizer in optimizers]
    progress = Progress(name, "step", steps)
    for step, batch in enumerate(_ahead(batches), 1):
        with torch.autocast("cpu", torch.bfloat16, enabled=_has_fast_bfloat16()):
            loss = loss_of(batch)
        module.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        for stepper in (*optimizers, *schedules):
            stepper.step()
        progress.at(step, f"loss {loss.detach():.3f}")


def _has_fast_bfloat16() -> bool:
    """Tell whether the CPU computes in bfloat16 as fast as in float32; without AVX-512 it takes many times as long."""
    return torch.backends.cpu.get_cpu_capability().startswith("AVX512")


def _ahead(batches: Iterable[Batch]) -> Iterator[Batch]:
    """Yield the batches while the next one is made in a thread beside the training."""
    iterator: Iterator[Any] = iter(batches)
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, iterator, None)
        while (batch := coming.result()) is not None:
            coming = maker.submit(next, iterator, None)
            yield batch


def _save(model: PreTrainedModel, processor: ProcessorMixin, output: str | Path) -> None:
    with atomic_path(output) as temporary:
        model.save_pretrained(temporary)
        processor.save_pretrained(temporary)


def cell_targets(picture: Picture) -> torch.Tensor:
    """Return the class of every question for every cell, int64 [16, questions]; `UNKNOWN` where none."""
    targets = torch.full((GRID * GRID, len(QUESTIONS)), UNKNOWN)
    for cell in range(GRID * GRID):
        row, column = divmod(cell, GRID)
        framed = picture.framed is not None and (picture.framed.row, picture.framed.column) == (row, column)
        targets[cell, 0] = 0
        targets[cell, -3:] = torch.tensor([row, column, int(framed)])
    for thing in picture.things:
        for row in range(thing.box[1] // CELL, (thing.box[3] - 1) // CELL + 1):
            answers = _answers(thing, row)
            targets[row * GRID + thing.column, : len(answers)] = torch.tensor(answers)
    return targets


def _answers(thing: Thing, row: int) -> list[int]:
    """Kind, colour, size and the sides, in steps from the cell's corner, of the thing's part in this row."""
    size = list(SIZES).index(thing.size) if thing.kind in SHAPES else UNKNOWN
    corner = (CELL * thing.column, CELL * row) * 2
    sides = [min(max(value - start, 0), CELL) // STEP for value, start in zip(thing.box, corner, strict=True)]
    return [KINDS.index(thing.kind), list(COLORS).index(thing.color), size, *sides]
