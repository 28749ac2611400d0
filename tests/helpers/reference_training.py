"""A training written out in float64 (Eq. 2 token by token, clipping, schedule, AdamW), and a hard case to train on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedModel

from tests.helpers.training_examples import LAMBDAS, SEED, TASKS, processor_of, recipe, sample, turns
from visatb.models.families import load_model
from visatb.training.batches.collator import IGNORED, Collator, Sample

EPOCHS = 2
RECIPE = recipe()
BATCH = RECIPE.global_batch_size
SILENT: Sample = {"conversations": turns("No answer follows"), "image": None, "task": "vqa"}
# By position in the first epoch's order, four a step. Micro-batches of two hold one task each at first, and none of the
# second step's second half is supervised; the third step is all silent, and the last one has a single sample.
ORDERED = ("ocr", "ocr", "text", "text", "caption", "vqa", "", "", "", "", "", "", "vqa", "text", "ocr", "", "caption")


def order(samples: int, epoch: int) -> list[int]:
    """Return the order of an epoch: a permutation drawn from the seed plus the epoch's number."""
    return torch.randperm(samples, generator=torch.Generator().manual_seed(SEED + epoch)).tolist()


def hard_samples() -> list[Sample]:
    """Return samples whose order in the first epoch is that of `ORDERED`; the empty ones teach nothing."""
    samples: list[Sample] = [SILENT] * len(ORDERED)
    for number, (place, task) in enumerate(zip(order(len(ORDERED), 0), ORDERED, strict=True)):
        samples[place] = sample(task, number) if task else SILENT
    silent_with_image = sample("vqa", 50)
    silent_with_image["conversations"] = silent_with_image["conversations"][:1]
    samples[order(len(ORDERED), 0)[6]] = silent_with_image
    return samples


TOLERANCE = 1e-4
"""How far a training in 32 bits may end from the reference, in parts of the way that this has moved.

1e-5 to 2e-5 was measured for every way to split a step, one process with whole batches included: it is what ten steps
of Adam make of 32-bit rounding, for they divide small gradients by their own size. Wrong denominators give above 0.1.
"""


def token_losses(model: PreTrainedModel, family: str, one: Sample, smoothing: float = 0.0) -> list[torch.Tensor]:
    """Return the loss of each supervised token of a sample, one by one, from the whole logits.

    It is -log p, and for a share ``smoothing`` of it the mean of -log p over the whole vocabulary.
    """
    batch = Collator(processor_of(family), TASKS, 512)([one])
    labels = batch.pop("labels")[0]
    del batch["task_ids"]
    if "pixel_values" in batch:
        batch["pixel_values"] = batch["pixel_values"].double()
    logits = model(**batch, use_cache=False).logits[0]
    losses = -torch.log_softmax(logits, dim=-1)
    return [
        (1 - smoothing) * losses[position - 1][labels[position]] + smoothing * losses[position - 1].mean()
        for position in range(1, len(labels))
        if labels[position] != IGNORED
    ]


def equation_2(
    model: PreTrainedModel, family: str, samples: Sequence[Sample], lambdas: dict[str, float], smoothing: float = 0.0
) -> tuple[torch.Tensor, int]:
    """Return the loss of Eq. 2 over the samples of a step, and its number of supervised tokens."""
    numerator = torch.zeros((), dtype=torch.float64)
    denominator, tokens = 0.0, 0
    for one in samples:
        for nll in token_losses(model, family, one, smoothing):
            numerator = numerator + lambdas[one["task"]] * nll
            denominator += lambdas[one["task"]]
            tokens += 1
    return numerator / denominator if tokens else numerator, tokens


@dataclass
class Reference:
    """The parameters before and after, and each step's supervised tokens."""

    before: dict[str, torch.Tensor]
    after: dict[str, torch.Tensor]
    tokens: list[int]

    def distance(self, model: Path) -> float:
        """Return how far a trained model lies from the reference, relative to how far that has moved."""
        return apart(self.before, self.after, load_model(model, torch.float32).state_dict())


def apart(before: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], found: dict[str, torch.Tensor]) -> float:
    """Return the length of found - expected, relative to expected - before.

    Parameters that the model never uses, as LLaVA's last vision layer, are left out: ZeRO lets their weights decay.
    """
    used = [name for name in before if not torch.equal(before[name].double(), expected[name].double())]
    moved = sum((expected[name].double() - before[name].double()).square().sum() for name in used) ** 0.5
    assert moved > 0.1
    return float(sum((found[name].double() - expected[name].double()).square().sum() for name in used) ** 0.5 / moved)


class AdamW:
    """AdamW as in the paper that introduced it (algorithm 2), without decay of biases and normalisation layers."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._parameters = dict(model.named_parameters())
        scales = {
            f"{name}.{part}"
            for name, module in model.named_modules()
            if type(module).__name__.endswith("Norm")
            for part, _ in module.named_parameters(recurse=False)
        }
        self._decayed = {name for name in self._parameters if name not in scales and not name.endswith("bias")}
        self._first = {name: torch.zeros_like(value) for name, value in self._parameters.items()}
        self._second = {name: torch.zeros_like(value) for name, value in self._parameters.items()}
        self._steps = 0

    def step(self, gradients: dict[str, torch.Tensor], rate: float) -> None:
        self._steps += 1
        beta1, beta2 = RECIPE.beta1, RECIPE.beta2
        for name, gradient in gradients.items():
            value, first, second = self._parameters[name].data, self._first[name], self._second[name]
            first.copy_(beta1 * first + (1 - beta1) * gradient)
            second.copy_(beta2 * second + (1 - beta2) * gradient**2)
            if name in self._decayed:
                value.sub_(rate * RECIPE.weight_decay * value)
            root = (second / (1 - beta2**self._steps)).sqrt() + 1e-8
            value.sub_(rate * (first / (1 - beta1**self._steps)) / root)


def learning_rate(step: int, steps: int) -> float:
    """Return the rate of a step counted from 0: a linear rise, then half a cosine."""
    warmup = math.ceil(RECIPE.warmup * steps)
    if step < warmup:
        return RECIPE.learning_rate * step / warmup
    return RECIPE.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))


def clipped(gradients: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    norm = sum(float(gradient.square().sum()) for gradient in gradients.values()) ** 0.5
    return {name: gradient * min(1.0, RECIPE.max_gradient_norm / norm) for name, gradient in gradients.items()}


def train_by_hand(family: str, base: Path, samples: Sequence[Sample]) -> Reference:
    """Train in float64. Only what transformers always computes in 32 bits (RMSNorm, softmax, rotations) is so here."""
    model = load_model(base, torch.float64, "eager")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    adam, all_tokens = AdamW(model), []
    batches = [
        [samples[place] for place in places[start : start + BATCH]]
        for places in (order(len(samples), epoch) for epoch in range(EPOCHS))
        for start in range(0, len(places), BATCH)
    ]
    for step, batch in enumerate(batches):
        loss, tokens = equation_2(model, family, batch, LAMBDAS)
        all_tokens.append(tokens)
        if not tokens:
            continue
        model.zero_grad()
        loss.backward()
        gradients = {n: torch.zeros_like(v) if v.grad is None else v.grad for n, v in model.named_parameters()}
        used = {name: value for name, value in gradients.items() if not _unused(family, name)}
        adam.step(clipped(used), learning_rate(step, len(batches)))
    return Reference(before, model.state_dict(), all_tokens)


def _unused(family: str, name: str) -> bool:
    """Tell whether a parameter has no part in the result: LLaVA takes the vision tower's last layer but one."""
    return family == "llava" and ("vision_tower.encoder.layers.2." in name or "post_layernorm" in name)
