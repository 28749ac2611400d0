"""Tokens a second, model FLOPs utilisation and memory of a training in the shapes of real models, weights at random.

    python benchmarks/mfu.py --model qwen2-vl-2b --output benchmarks/results/mfu_qwen2_vl_2b.json
    python benchmarks/mfu.py --model llava-1.5-7b --layers 16 --output benchmarks/results/mfu_llava_7b.json
    python benchmarks/mfu.py --model small --steps 4 --batch 4 --output benchmarks/results/mfu_small.json    # CPU

The workflow's trainer runs on packed samples of the size of LLaVA-1.5's (`input_wait_full_size.py`), on the GPU if
there is one and else on one thread. FLOPs are those that PyTorch counts in a forward pass of the same batches, the
head at labelled positions alone and attention as eager attention computes it: three times of what is trained, once of
what is frozen; what gradient checkpointing computes again does not count. The ceiling is the fastest of several large
products of matrices in the same precision, measured before and after. Parameters, gradients and Adam's moments are in
32 bits, 16 bytes a parameter: the whole 7B model does not fit into 80 GB, so ``--layers`` takes so many of the language
model's.

A second training is profiled: ``profile`` has the operations (on a GPU: kernels) that took most of the time by
themselves, as shares.
"""

import argparse
import resource
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.nn.functional as F
from input_wait_full_size import MAX_LENGTH, PATCH, SIDE, TASK, Samples
from side_by_side import write_figures
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode
from transformers import PreTrainedModel, PrinterCallback, ProcessorMixin, TrainerCallback
from transformers.utils.logging import disable_progress_bar

from visatb.config.training import Recipe
from visatb.models.families import PARTS, freeze, padding_image_processor, rope_index, skip_unused_layers
from visatb.models.tiny import build_tiny
from visatb.training.arguments import training_arguments
from visatb.training.batches.attention import attend_by_sample
from visatb.training.batches.collator import IGNORED, Collator
from visatb.training.batches.packing import Batch, PackingCollator
from visatb.training.jobs import MachineJob
from visatb.training.loss.head import head_sees_only
from visatb.training.loss.methods import Given
from visatb.training.loss.weighting import weights_of
from visatb.training.trainer import VitwTrainer

SKIPPED, PROFILED = 3, 3
OWN = ("labels", "task_ids", "sample_ids")
LLAVA_VISION = {"image_size": SIDE, "patch_size": PATCH}
QWEN_ROPE = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]}
SHAPES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "small": (
        "llava",
        {"hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 4, "num_attention_heads": 4},
        {"hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 8, "num_attention_heads": 8}
        | {"num_key_value_heads": 8, "head_dim": 64, "vocab_size": 32064},
    ),
    "llava-1.5-7b": (
        "llava",
        {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16},
        {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32}
        | {"num_key_value_heads": 32, "head_dim": 128, "vocab_size": 32064},
    ),
    "qwen2-vl-2b": (
        "qwen2_vl",
        {"embed_dim": 1280, "depth": 32, "num_heads": 16, "mlp_ratio": 4, "patch_size": 14, "hidden_size": 1536},
        {"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28, "num_attention_heads": 12}
        | {"num_key_value_heads": 2, "vocab_size": 151936, "rope_parameters": QWEN_ROPE},
    ),
}
"""Model -> family, and what its vision and language parts have in place of the tiny model's numbers."""


class Clock(TrainerCallback):
    """Seconds from the end of the skipped steps to that of the last, the device's work included."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Start, or stop so far."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        if state.global_step == SKIPPED:
            self._started = time.perf_counter()
        elif state.global_step > SKIPPED:
            self.seconds = time.perf_counter() - self._started


def built(name: str, layers: int | None, device: str) -> tuple[PreTrainedModel, ProcessorMixin]:
    """Return a model of these shapes on the device, its weights at random and in 32 bits, and a processor for it."""
    family, vision, text = SHAPES[name]
    tiny, processor = build_tiny(family, 0)
    config = tiny.config
    config.vision_config.update(vision | (LLAVA_VISION if family == "llava" else {}))
    config.text_config.update(text | {"max_position_embeddings": MAX_LENGTH})
    layers = layers or text["num_hidden_layers"]
    config.text_config.update({"num_hidden_layers": layers, "layer_types": ["full_attention"] * layers})
    if family == "llava":
        processor.image_processor = padding_image_processor(processor.image_processor, SIDE)
        processor.patch_size = PATCH
    else:
        pixels = SIDE * SIDE
        processor.image_processor = type(processor.image_processor)(
            size={"shortest_edge": pixels, "longest_edge": pixels}, patch_size=14, merge_size=2
        )
    processor.tokenizer.model_max_length = MAX_LENGTH
    with torch.device(device):
        model = type(tiny)(config)
    return model, processor


def attending(model: PreTrainedModel, attention: str) -> None:
    """Let the model compute attention in this way, of each sample by itself."""
    model.set_attn_implementation(attention)
    attend_by_sample(model, attention)


def prepared(arguments: argparse.Namespace, device: str) -> tuple[PreTrainedModel, PackingCollator]:
    """Return the model and the collator as a training of the workflow has them."""
    model, processor = built(arguments.model, arguments.layers, device)
    attending(model, arguments.attention)
    freeze(model, arguments.freeze)
    skip_unused_layers(model)
    return model, PackingCollator(Collator(processor, [TASK], MAX_LENGTH), rope_index(model))


def trainer_of(
    model: PreTrainedModel, collator: PackingCollator, samples: Samples, arguments: argparse.Namespace, folder: str
) -> VitwTrainer:
    """Return the workflow's trainer with equal weights."""
    recipe = Recipe(
        global_batch_size=arguments.batch * arguments.accumulation,
        learning_rate=1e-5,
        max_length=MAX_LENGTH,
        precision=arguments.precision,
    )
    machine = MachineJob(
        micro_batch_size=arguments.batch,
        gpus=int(torch.cuda.is_available()),
        gradient_checkpointing=arguments.gradient_checkpointing,
        attention=arguments.attention,
        save_steps=10**6,
        workers=arguments.workers,
    )
    settings = training_arguments(recipe, 0, machine, folder)
    settings.train_sampling_strategy = "sequential"
    trainer = VitwTrainer(
        model=model,
        args=settings,
        train_dataset=samples,
        data_collator=collator,
        tasks=[TASK],
        weighting=Given().weighting([TASK], weights_of([TASK], {TASK: 1.0}, "weights"), 0),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def called(model: PreTrainedModel, names: Sequence[str]) -> list[str]:
    """Return the submodules that are called: a list of modules is not, but its members are."""
    lists = [name for name in names if isinstance(model.get_submodule(name), torch.nn.ModuleList)]
    members = [f"{name}.{number}" for name in lists for number in range(len(model.get_submodule(name)))]
    return [name for name in names if name not in lists] + members


def model_flops(model: PreTrainedModel, batches: Sequence[Batch], device: str, frozen: Sequence[str]) -> float:
    """Return the FLOPs of training on micro-batches: three forward passes, one of what is frozen."""
    total = 0.0
    for batch in batches:
        inputs = {key: value.to(device) for key, value in batch.items() if key not in OWN}
        supervised = F.pad(batch["labels"][:, 1:] != IGNORED, (0, 1)).to(device)
        with FlopCounterMode(display=False) as counter, torch.no_grad(), head_sees_only(model, supervised):
            model(**inputs, use_cache=False)
        total += 3 * counter.get_total_flops()
        seen = counter.get_flop_counts()
        total -= 2 * sum(sum(seen[f"{type(model).__name__}.{name}"].values()) for name in frozen)
    return total


def ceiling(device: str, precision: str, size: int, products: int = 5) -> float:
    """Return the FLOPs a second of the fastest of some products of square matrices."""
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    best = float("inf")
    for _ in range(products + 1):
        if device == "cuda":
            torch.cuda.synchronize()
        started = time.perf_counter()
        left @ right
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def peak_memory(device: str) -> float:
    """Return the GB that were taken at most, of the device or of this process."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 1e9
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def profiled(trainer: VitwTrainer, device: str) -> dict[str, float]:
    """Train under the profiler; return the share of time of what took most by itself."""
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device == "cuda" else [])
    with profile(activities=activities) as watched:
        trainer.train()
    field = "self_device_time_total" if device == "cuda" else "self_cpu_time_total"
    taken = {event.key: float(getattr(event, field)) for event in watched.key_averages()}
    whole = sum(taken.values())
    most = sorted(taken, key=lambda name: -taken[name])[:20]
    return {name[:100]: round(taken[name] / whole, 4) for name in most}


def measured(arguments: argparse.Namespace, device: str, folder: str) -> dict[str, Any]:
    """Train, count and profile; return the figures."""
    model, collator = prepared(arguments, device)
    step = arguments.batch * arguments.accumulation
    samples = Samples(Path(folder), (arguments.steps + SKIPPED) * step, 0)
    rows = range(SKIPPED * step, len(samples), arguments.batch)
    batches = [collator([samples[row + number] for number in range(arguments.batch)]) for row in rows]
    tokens = sum(batch["input_ids"].numel() for batch in batches)
    frozen = [name for part in arguments.freeze for name in called(model, PARTS[SHAPES[arguments.model][0]][part])]
    attending(model, "eager")
    flops = model_flops(model, batches, device, frozen)
    attending(model, arguments.attention)
    size = arguments.matrix or (8192 if device == "cuda" else 2048)
    top = ceiling(device, arguments.precision, size)
    clock, trainer = Clock(), trainer_of(model, collator, samples, arguments, folder)
    trainer.add_callback(clock)
    trainer.train()
    top = max(top, ceiling(device, arguments.precision, size))
    few = Samples(Path(folder), PROFILED * step, 0)
    return {
        "parameters": model.num_parameters(),
        "trained": model.num_parameters(only_trainable=True),
        "tokens": tokens,
        "seconds_a_step": round(clock.seconds / arguments.steps, 4),
        "tokens_per_second": round(tokens / clock.seconds, 1),
        "samples_per_second": round(arguments.steps * step / clock.seconds, 3),
        "model_tflops_a_step": round(flops / arguments.steps / 1e12, 4),
        "tflops_per_second": round(flops / clock.seconds / 1e12, 4),
        "ceiling_tflops_per_second": round(top / 1e12, 4),
        "mfu": round(flops / clock.seconds / top, 4),
        "peak_gb": round(peak_memory(device), 3),
        "profile": profiled(trainer_of(model, collator, few, arguments, folder), device),
    }


def main() -> None:
    """Measure, print, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=list(SHAPES), required=True)
    parser.add_argument("--layers", type=int, help="of the language model, if not all")
    parser.add_argument("--batch", type=int, default=8, help="samples of a micro-batch")
    parser.add_argument("--accumulation", type=int, default=1, help="micro-batches of a step")
    parser.add_argument("--steps", type=int, default=10, help="optimiser steps that are measured")
    parser.add_argument("--attention", default="sdpa")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--freeze", nargs="*", choices=["vision_tower"], default=["vision_tower"])
    parser.add_argument("--gradient-checkpointing", action="store_true")
    parser.add_argument("--workers", type=int, default=0, help="processes that prepare samples")
    parser.add_argument("--matrix", type=int, help="side of the matrices of the ceiling")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    disable_progress_bar()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        figures = measured(arguments, device, folder)
    told = {name: value for name, value in vars(arguments).items() if name != "output"}
    gpu = {"gpu": torch.cuda.get_device_name()} if device == "cuda" else {}
    write_figures(arguments.output, gpu | told | figures)
    for name, value in figures.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
