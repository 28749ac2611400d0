"""A small TaskGalaxy to make: pictures, a tiny CLIP of the real architecture, and a config."""

import random
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from tokenizers.processors import TemplateProcessing
from transformers import CLIPConfig, CLIPModel, PreTrainedTokenizerFast
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from visatb.data.demo.scenes import draw, random_chart, random_number, random_scene
from visatb.taskgalaxy.types import read_seeds

SEEDS = "config/taskgalaxy/seeds.yaml"
CONTEXT = 40


def draw_pictures(folder: Path, number: int, broken: bool = True) -> None:
    """Draw scenes, charts and numbers; among them, a copy, a broken file and one that is no picture at all."""
    (folder / "more").mkdir(parents=True)
    rng = random.Random(0)
    for index in range(number):
        scene = (random_scene, random_chart, random_number)[index % 3](rng)
        place = folder / "more" if index % 2 else folder
        draw(scene).save(place / f"{index:04d} é.png")
    if broken:
        first = (folder / "0000 é.png").read_bytes()
        (folder / "zz copy.png").write_bytes(first)
        (folder / "cut.png").write_bytes(first[: len(first) // 2])
        (folder / "words.jpg").write_text("no picture", encoding="utf-8")
        (folder / "notes.txt").write_text("is passed over", encoding="utf-8")


def save_tiny_clip(folder: Path) -> Path:
    """Save a CLIP with random weights, a tokenizer trained on the seed types, and CLIP's image processor."""
    tokenizer = _tokenizer()
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    size: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    text = {**size, **ends, "vocab_size": len(tokenizer), "max_position_embeddings": CONTEXT}
    vision = {**size, "image_size": 32, "patch_size": 8}
    torch.manual_seed(0)
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=24))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def _tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    specials = ["<|startoftext|>", "<|endoftext|>", "<unk>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=specials, initial_alphabet=alphabet, show_progress=False
    )
    seeds = read_seeds(SEEDS)
    tokenizer.train_from_iterator(
        [f"{one} {two} {threes}" for one, twos in seeds.items() for two, threes in twos.items()], trainer
    )
    tokenizer.post_processor = TemplateProcessing(
        single="<|startoftext|> $A <|endoftext|>", special_tokens=[("<|startoftext|>", 0), ("<|endoftext|>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|startoftext|>",
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        unk_token="<unk>",
        model_max_length=CONTEXT,
    )


def section(url: str, **more: Any) -> dict[str, Any]:
    """Return a section `taskgalaxy` whose five models are behind one address."""
    quick = {"url": url, "timeout": 2, "retries": 4, "prices": {"input": 1.0, "output": 2.0}, "image_tokens": 200}
    names = ("planner", "looker", "judge-a", "judge-b", "judge-c")
    return {
        "folder": "data/galaxy",
        "seeds": SEEDS,
        "images": "data/pictures",
        "endpoints": {name: quick | {"model": f"model-{name}", "concurrency": 4} for name in names},
        "expansion": {"endpoint": "planner", "level_1": 1, "level_2": 1, "level_3": 2},
        "duplicates": 0.999,
        "embedding": {
            "checkpoint": "data/clip",
            "batch_size": 16,
            "shard_size": 32,
            "resources": {"gpus": 0, "cpus": 1, "mem_mb": 4000, "runtime": 30},
        },
        "matching": {"top_k": 5, "floor": -0.9, "cap": 40},
        "filter": {"endpoint": "looker"},
        "writing": {"endpoint": "looker"},
        "voting": {"endpoints": ["judge-a", "judge-b", "judge-c"], "min_votes": 2},
        "export": {"task": "cluster", "clusters": 3, "min_samples": 12, "val": 0.2, "test": 0.2},
        "browse": 60,
        **more,
    }
