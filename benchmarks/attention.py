"""A forward and backward pass over a micro-batch: padded, in one row under a mask, in one row that attends by sample.

python benchmarks/attention.py --output benchmarks/results/attention.json

A Llama with random weights reads samples as long as the papers' (576 image tokens, 40 of the template, and a text whose
length is log-normal; an assumption), in bfloat16 autocast on a CPU or in bfloat16 on a GPU. Time is the processor's, or
the device's. Where a mask is as long as the row, attention is computed between all of its tokens.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from side_by_side import medians, ratio, taking_turns, write_figures
from transformers import LlamaConfig, LlamaForCausalLM

from visatb.training.batches.attention import BY_SAMPLE

WAYS = ("padded", "one row under a mask", "one row by sample")


def drawn_lengths(samples: int, seed: int) -> np.ndarray:
    """Return the tokens of each sample of a micro-batch, shape [samples]."""
    return 616 + np.random.default_rng(seed).lognormal(4.6, 1.0, samples).astype(int).clip(max=1432)


def padded(lengths: np.ndarray) -> dict[str, torch.Tensor]:
    """Return a row a sample, padded to the longest."""
    steps = torch.arange(int(lengths.max()))
    is_there = steps < torch.from_numpy(lengths)[:, None]
    return {"input_ids": torch.zeros_like(is_there, dtype=torch.long), "attention_mask": is_there.long()}


def one_row(lengths: np.ndarray) -> dict[str, torch.Tensor]:
    """Return all samples in one row."""
    positions = torch.cat([torch.arange(int(length)) for length in lengths])[None]
    return {"input_ids": torch.zeros_like(positions), "position_ids": positions}


class Way:
    """A model with one implementation of attention, and the micro-batch as it reads it."""

    def __init__(self, attention: str, inputs: dict[str, torch.Tensor], given: argparse.Namespace) -> None:
        config = LlamaConfig(
            vocab_size=1000,
            hidden_size=given.hidden,
            intermediate_size=given.hidden * 11 // 4,
            num_hidden_layers=given.layers,
            num_attention_heads=given.hidden // 64,
        )
        dtype = torch.float32 if given.device == "cpu" else torch.bfloat16
        self._model = LlamaForCausalLM._from_config(config, attn_implementation=attention, dtype=dtype).to(given.device)
        self._inputs = {name: value.to(given.device) for name, value in inputs.items()}
        self._device = given.device

    def seconds(self) -> float:
        """Return the time of one forward and backward pass."""
        self._model.zero_grad()
        started = self._now()
        with torch.autocast(self._device, torch.bfloat16, enabled=self._device == "cpu"):
            hidden = self._model.model(**self._inputs, use_cache=False).last_hidden_state
        hidden.float().square().mean().backward()
        return self._now() - started

    def _now(self) -> float:
        if self._device == "cpu":
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()


def measured(attention: str, lengths: np.ndarray, given: argparse.Namespace) -> dict[str, object]:
    """Return the median seconds of each way, and their ratios to the padded one."""
    row = one_row(lengths)
    batches = (padded(lengths), row, row)
    names = (attention, attention, BY_SAMPLE[attention])
    ways: dict[str, Callable[[], float]] = {}
    for way, name, inputs in zip(WAYS, names, batches, strict=True):
        ways[way] = Way(name, inputs, given).seconds
        ways[way]()  # what is slow only once
    found = taking_turns(ways, given.rounds)
    return {"seconds": medians(found), "over_padded": {way: ratio(found, way, WAYS[0]) for way in WAYS[1:]}}


def main() -> None:
    """Measure, print, and write the figures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=4, help="of the micro-batch")
    parser.add_argument("--hidden", type=int, default=512, help="features; heads have 64")
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", help="JSON file for the figures")
    given = parser.parse_args()
    torch.set_num_threads(1)
    lengths = drawn_lengths(given.samples, given.seed)
    figures = {name: measured(name, lengths, given) for name in BY_SAMPLE}
    for name, found in figures.items():
        print(name, found)
    if given.output:
        settings = {"lengths": lengths.tolist(), "real": round(float(lengths.mean() / lengths.max()), 3)}
        write_figures(given.output, {**vars(given), **settings, **figures})


if __name__ == "__main__":
    main()
