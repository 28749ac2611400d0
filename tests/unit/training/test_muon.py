"""Muon in float32 does what torch's does in bfloat16, and its updates are nearly orthogonal."""

import pytest
import torch

from visatb.training.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(24, 16), (16, 24), (8, 8)])
def test_it_moves_as_torchs_own(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    start, gradients = torch.randn(shape), torch.randn(6, *shape)
    ours, theirs = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    pairs = [
        (ours, Muon([ours], lr=0.02)),
        (theirs, torch.optim.Muon([theirs], lr=0.02, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")),
    ]
    for gradient in gradients:
        for matrix, optimizer in pairs:
            matrix.grad = gradient.clone()
            optimizer.step()
    moved = (theirs - start).norm()
    assert (ours - theirs).norm() < 0.02 * moved, "but for rounding to bfloat16"
    assert moved > 0.1


def test_an_update_has_singular_values_near_one_and_the_directions_of_its_gradient() -> None:
    torch.manual_seed(1)
    gradient = torch.randn(12, 20, dtype=torch.float64)
    left, _, right = torch.linalg.svd(gradient, full_matrices=False)
    turned = left.T @ orthogonal(gradient) @ right.T
    values = turned.diagonal()
    assert ((values > 0.5) & (values < 1.5)).all()
    assert torch.allclose(turned, torch.diag(values), atol=1e-9)


def test_a_matrix_without_a_gradient_stays() -> None:
    matrix = torch.nn.Parameter(torch.ones(2, 3))
    Muon([matrix], lr=0.1).step()
    assert torch.equal(matrix, torch.ones(2, 3))
