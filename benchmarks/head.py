"""What does the output head take: peak memory and time of its forward and backward pass, made in one way or another?

python benchmarks/head.py --rounds 5 --output benchmarks/results/head.json

Ways: the plain head (matrix, then cross-entropy in 32 bits) on all positions, of which a quarter is labelled; the plain
head on the labelled ones; the same with logits in parts, as visatb makes them; torch's `linear_cross_entropy` with
parts of the same size; and, in bfloat16, parts where all positions are labelled. Each measures itself in a process of
its own. Memory is what the passes add at their peak to inputs and weights: of the process on a CPU (its high-water
mark, Linux), of the device where there is CUDA. Time is processor time of one thread on a CPU, wall time on a device.
In bfloat16 the weights are in 32 bits, as under autocast. Errors are relative to float64, at a smaller size.
"""

import argparse
import itertools
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from side_by_side import medians, ratio, taking_turns, write_figures
from torch import nn
from transformers import TrainingArguments

from visatb.training.loss import head as module
from visatb.training.loss.head import Head

VOCABULARIES = (150_000, 32_000)
PRECISIONS = {"bfloat16": torch.bfloat16, "float32": torch.float32}
LABELLED = 4
WAYS = ("all", "labelled", "labelled, in parts", "labelled, torch's parts", "all, in parts")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
MIB = 2**20


class Pass:
    """One forward and backward pass of a head over random hidden states."""

    def __init__(self, way: str, positions: int, features: int, words: int, dtype: torch.dtype) -> None:
        generator = torch.Generator(DEVICE).manual_seed(0)
        count = positions if way.startswith("all") else positions // LABELLED
        drawn = {"device": DEVICE, "generator": generator}
        self.hidden = torch.randn(positions, features, **drawn).requires_grad_()
        self.matrix = nn.Linear(features, words, bias=False, device=DEVICE)
        nn.init.normal_(self.matrix.weight, std=2 * features**-0.5, generator=generator)
        self.targets = torch.randint(words, (positions,), **drawn)[:count]
        self.weights = torch.rand(count, **drawn) / count
        self.way, self.dtype = way, dtype
        self.head = Head(lambda model: model, TrainingArguments())

    def losses(self) -> torch.Tensor:
        """Return the losses of the labelled positions, which come first here."""
        hidden, weight = self.hidden[: len(self.targets)], self.matrix.weight
        if self.way.endswith("in parts"):
            return module._LossesInParts.apply(hidden, weight, None, self.targets, self.dtype)
        if self.way.endswith("torch's parts"):
            rows = module._parts(len(hidden), len(weight))[0].stop
            options = nn.LinearCrossEntropyOptions(batch_chunk_size=rows)
            given = hidden.to(self.dtype), weight.to(self.dtype), self.targets
            return F.linear_cross_entropy(*given, reduction="none", options=options)
        with torch.autocast(DEVICE, dtype=torch.bfloat16, enabled=self.dtype != torch.float32):
            return self.head.losses_of(self.matrix(hidden), self.targets)

    def run(self) -> torch.Tensor:
        """Return the losses, after the backward pass of their weighted sum."""
        losses = self.losses()
        (losses.float() * self.weights).sum().backward()
        return losses.detach()


def measured(passed: Pass) -> tuple[float, float]:
    """Return seconds and MiB at the peak."""
    if DEVICE == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before, started = torch.cuda.memory_allocated(), time.perf_counter()
        passed.run()
        torch.cuda.synchronize()
        return time.perf_counter() - started, (torch.cuda.max_memory_allocated() - before) / MIB
    Path("/proc/self/clear_refs").write_text("5")  # sets the high-water mark to what is there now
    before, started = _high_water(), time.process_time()
    passed.run()
    return time.process_time() - started, (_high_water() - before) / MIB


def _high_water() -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return 1024.0 * int(line.split()[1])


def _case(pipe: Any, way: str, positions: int, features: int, words: int, precision: str) -> None:
    torch.set_num_threads(1)
    dtype = PRECISIONS[precision]
    Pass(way, 64, 32, 100, dtype).run()  # what is imported or set up at the first call
    pipe.send(measured(Pass(way, positions, features, words, dtype)))


def in_a_process(*case: Any) -> tuple[float, float]:
    """Return what `measured` does of a case, from a process that has done nothing else."""
    context = multiprocessing.get_context("fork")
    own, other = context.Pipe()
    process = context.Process(target=_case, args=(other, *case))
    process.start()
    other.close()
    try:
        found: tuple[float, float] = own.recv()
    except EOFError:
        raise SystemExit(f"the process of {case} has ended without figures (memory?)") from None
    finally:
        process.join()
    return found


def compared(precision: str, words: int, rounds: int, positions: int, features: int) -> dict[str, Any]:
    """Return the medians of all ways, and their ratios to the plain head on labelled positions."""
    ways = [way for way in WAYS if way != "all, in parts" or precision == "bfloat16"]
    memory: dict[str, list[float]] = {way: [] for way in ways}

    def seconds_of(way: str) -> Callable[[], float]:
        def measure() -> float:
            seconds, peak = in_a_process(way, positions, features, words, precision)
            memory[way].append(peak)
            return seconds

        return measure

    seconds = taking_turns({way: seconds_of(way) for way in ways}, rounds)
    return {
        "parts": len(module._parts(positions // LABELLED, words)),
        "parts_of_all": len(module._parts(positions, words)),
        "seconds": medians(seconds, 2),
        "peak_mib": medians(memory, 0),
        "seconds_over_labelled": {way: ratio(seconds, way, "labelled") for way in ways},
        "peak_over_labelled": {way: ratio(memory, way, "labelled") for way in ways},
    }


def errors(precision: str) -> dict[str, dict[str, float]]:
    """Return the relative errors of losses and gradients, with eight parts."""
    positions, features, words = 2048, 256, 8000
    usual, module.LOGITS_AT_ONCE = module.LOGITS_AT_ONCE, positions // LABELLED * words // 8
    exact = Pass("labelled", positions, features, words, torch.float32)
    hidden = exact.hidden.detach().double()[: len(exact.targets)].requires_grad_()
    weight = exact.matrix.weight.detach().double().requires_grad_()
    losses = F.cross_entropy(hidden @ weight.T, exact.targets, reduction="none")
    (losses * exact.weights).sum().backward()
    found = {}
    for way in WAYS[1:4]:
        one = Pass(way, positions, features, words, PRECISIONS[precision])
        given = one.run(), one.hidden.grad[: len(hidden)], one.matrix.weight.grad
        pairs = zip(("losses", "of_hidden", "of_weight"), given, (losses, hidden.grad, weight.grad), strict=True)
        found[way] = {name: float(f"{((a - b).norm() / b.norm()).item():.2g}") for name, a, b in pairs}
    module.LOGITS_AT_ONCE = usual
    return found


def main() -> None:
    """Compare at both precisions and vocabularies and write the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--positions", type=int, default=4096, help=f"of which 1 in {LABELLED} is labelled")
    parser.add_argument("--hidden", type=int, default=1024, help="features of a hidden state")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    device = torch.cuda.get_device_name() if DEVICE == "cuda" else "CPU, 1 thread"
    figures: dict[str, Any] = {"device": device, "rounds": args.rounds, "positions": args.positions}
    figures |= {"hidden": args.hidden, "logits_at_once": module.LOGITS_AT_ONCE, "cases": {}}
    with multiprocessing.get_context("fork").Pool(1) as pool:
        figures["errors"] = dict(zip(PRECISIONS, pool.map(errors, PRECISIONS), strict=True))
    for precision, words in itertools.product(PRECISIONS, VOCABULARIES):
        found = compared(precision, words, args.rounds, args.positions, args.hidden)
        figures["cases"][f"{precision}, {words}"] = found
        write_figures(args.output, figures)


if __name__ == "__main__":
    main()
