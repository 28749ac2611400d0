"""A script as users have it, around the code block of docs/library.md: a tiny Llama, samples of two tasks, no image.

Run with a folder that holds weights.json; it writes model.safetensors there. Torchrun may start several of it.
"""

import os
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM, TrainingArguments

from tests.helpers.paths import REPOSITORY
from visatb.runtime.processes import leave_when_all_is_done

ROOT = REPOSITORY
RATE = 0.5
# Token counts of prompt and answer; the fourth sample has no answer. In steps of four, one process or two.
SHAPES = [
    ("vqa", 3, 1),
    ("caption", 2, 7),
    ("caption", 4, 5),
    ("vqa", 3, 0),
    ("vqa", 5, 2),
    ("caption", 2, 6),
    ("vqa", 2, 1),
]


def code_block() -> str:
    """Return the example of docs/library.md."""
    return (ROOT / "docs/library.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]


def tiny_model() -> LlamaForCausalLM:
    torch.manual_seed(0)
    sizes = {"vocab_size": 32, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    return LlamaForCausalLM(LlamaConfig(**sizes, num_attention_heads=2, num_key_value_heads=2, pad_token_id=0))


def samples() -> list[dict[str, Any]]:
    generator = torch.Generator().manual_seed(1)
    rows = []
    for task, prompt, answer in SHAPES:
        tokens = torch.randint(1, 32, (prompt + answer,), generator=generator).tolist()
        rows.append({"task": task, "input_ids": tokens, "labels": [-100] * prompt + tokens[prompt:]})
    return rows


def collator(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Pad on the right."""
    assert all(set(row) == {"input_ids", "labels"} for row in rows)
    longest = max(len(row["input_ids"]) for row in rows)

    def padded(key: str, value: int) -> torch.Tensor:
        return torch.tensor([row[key] + [value] * (longest - len(row[key])) for row in rows])

    mask = torch.tensor([[1] * len(row["input_ids"]) + [0] * (longest - len(row["input_ids"])) for row in rows])
    return {"input_ids": padded("input_ids", 0), "labels": padded("labels", -100), "attention_mask": mask}


def training_arguments(folder: Path, size: int, accumulation: int, **more: Any) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(folder / "output"),
        per_device_train_batch_size=size,
        gradient_accumulation_steps=accumulation,
        num_train_epochs=2,
        learning_rate=RATE,
        lr_scheduler_type="constant",
        optim="sgd",
        max_grad_norm=0.0,
        train_sampling_strategy="sequential",
        logging_steps=1,
        save_strategy="no",
        use_cpu=True,
        dataloader_pin_memory=False,
        disable_tqdm=True,
        report_to=[],
        **more,
    )


def run(folder: Path, size: int, accumulation: int, **more: Any) -> dict[str, Any]:
    """Run the code block and return its names."""
    names = {
        "model": tiny_model(),
        "arguments": training_arguments(folder, size, accumulation, **more),
        "samples": samples(),
        "collator": collator,
    }
    block = code_block()
    assert "results/demo/export/weights.json" in block
    exec(block.replace("results/demo/export/weights.json", str(folder / "weights.json")), names)
    return names


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder, size, accumulation = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    trained = run(folder, size, accumulation, ddp_backend="gloo" if "RANK" in os.environ else None)
    if trained["trainer"].is_world_process_zero():
        save_file(
            {name: value.contiguous() for name, value in trained["model"].state_dict().items()},
            folder / "model.safetensors",
        )
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
        leave_when_all_is_done()
