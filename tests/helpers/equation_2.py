"""Eq. 2 by hand, and trainings with it to compare with."""

from typing import Any

import torch

from tests.helpers.library_example import RATE, samples, tiny_model

LAMBDAS = {"caption": 0.4, "vqa": 2.5}


STEP = 4


def equation_2(model: Any, step: list[dict[str, Any]], lambdas: dict[str, float]) -> torch.Tensor:
    numerator, denominator = torch.zeros((), dtype=torch.float64), 0.0
    for one in step:
        logits = model(input_ids=torch.tensor([one["input_ids"]])).logits[0]
        for place, label in enumerate(one["labels"]):
            if place and label != -100:
                numerator = numerator - lambdas[one["task"]] * logits[place - 1].log_softmax(-1)[label]
                denominator += lambdas[one["task"]]
    return numerator / denominator


def trained_by_hand(lambdas: dict[str, float]) -> tuple[dict[str, torch.Tensor], list[float]]:
    """Return the parameters after two epochs of plain gradient descent in steps of four, and the losses."""
    model, losses = tiny_model().double(), []
    for _ in range(2):
        for start in range(0, len(samples()), STEP):
            model.zero_grad()
            loss = equation_2(model, samples()[start : start + STEP], lambdas)
            loss.backward()
            losses.append(loss.item())
            for value in model.parameters():
                value.data.sub_(RATE * value.grad)
    return model.state_dict(), losses


def apart(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> float:
    """Return how far ``found`` lies from ``expected``, in parts of the way that this has moved."""
    start = tiny_model().double().state_dict()
    moved = sum((expected[name] - start[name]).square().sum() for name in start) ** 0.5
    return float(sum((found[name].double() - expected[name]).square().sum() for name in start) ** 0.5 / moved)
