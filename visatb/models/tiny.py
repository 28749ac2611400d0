"""Tiny models of the real architectures: LLaVA and Qwen2-VL, a million parameters and 16 image tokens.

They have a tokenizer of their own, trained on the demo's texts, and need nothing from a hub.
"""

import random
from collections.abc import Iterator

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    ProcessorMixin,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
)
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from visatb.data.demo.exchanges import DEMO_TASKS, alt_text, demo_exchange
from visatb.data.demo.scenes import CELL, SIDE
from visatb.models.families import Qwen2VLProcessor, known_family, read_template

WIDTH = 128
FEED_FORWARD = 256
LAYERS = 3
HEADS = 4
MAX_LENGTH = 512
# The scale of the first weights, far above the usual 0.02: so narrow a model does not get going with less.
INITIAL_SCALE = 0.1
INITIAL_POSITION_SCALE = 0.3
# Slow rotations: what is looked up in the picture should not depend on how far back it lies.
ROPE_THETA = 1e6
# A coordinate, a cell, a word and a digit are one token each, with or without the space before them.
WORDS = r" ?\d+\.\d+| ?[A-D]\d| ?[A-Za-z]+| ?\d| ?[^\sA-Za-z\d]|\s+"
LLAVA_TOKENS = {"eos_token": "</s>", "pad_token": "<pad>"}
QWEN_TOKENS = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
QWEN_MARKS = {
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "vision_start_token": "<|vision_start|>",
    "vision_end_token": "<|vision_end|>",
    "turn_start_token": "<|im_start|>",
}


def build_tiny(family: str, seed: int) -> tuple[PreTrainedModel, ProcessorMixin]:
    """Return an untrained tiny model in float32 and its processor; equal seeds give equal weights.

    Raises `VisatbError` for a family other than ``llava`` and ``qwen2_vl``.
    """
    build = {"llava": _build_llava, "qwen2_vl": _build_qwen}[known_family(family, "tiny model")]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model, processor = build()
    tokenizer = processor.tokenizer
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, do_sample=False
    )
    return model, processor


def build_tokenizer(tokens: dict[str, str], marks: dict[str, str], template: str) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer on the demo's texts, with these special tokens and chat template."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=2000,
        special_tokens=[*tokens.values(), *marks.values()],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(template), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        padding_side="left",
        model_max_length=MAX_LENGTH,
        extra_special_tokens=marks,
        chat_template=template,
        **tokens,
    )


def _texts(template: str) -> Iterator[str]:
    yield template
    rng = random.Random("tokenizer")
    for number in range(1000):
        yield ": ".join(alt_text(rng)[1:])
        for task in DEMO_TASKS:
            _, question, answer = demo_exchange(0, task, "train", number)
            yield f"USER: {question} ASSISTANT: {answer}"
            yield answer


def _build_llava() -> tuple[PreTrainedModel, ProcessorMixin]:
    tokenizer = build_tokenizer(LLAVA_TOKENS, {"image_token": "<image>"}, read_template("vicuna_v1_short"))
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=WIDTH,
            intermediate_size=FEED_FORWARD,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            image_size=SIDE,
            patch_size=CELL,
            projection_dim=WIDTH,
        ),
        text_config=LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=WIDTH,
            intermediate_size=FEED_FORWARD,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            num_key_value_heads=HEADS,
            max_position_embeddings=MAX_LENGTH,
            initializer_range=INITIAL_SCALE,
            rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
        ),
        image_token_index=tokenizer.image_token_id,
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
    )
    model = LlavaForConditionalGeneration(config)
    torch.nn.init.normal_(
        model.get_parameter("model.vision_tower.embeddings.position_embedding.weight"),
        std=INITIAL_POSITION_SCALE,
    )
    images = LlavaImageProcessorPil(size={"height": SIDE, "width": SIDE}, do_center_crop=False, do_pad=True)
    processor = LlavaProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=CELL,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=tokenizer.chat_template,
    )
    return model, processor


def _build_qwen() -> tuple[PreTrainedModel, ProcessorMixin]:
    tokenizer = build_tokenizer(QWEN_TOKENS, QWEN_MARKS, read_template("qwen2_vl"))
    config = Qwen2VLConfig(
        vision_config={
            "depth": LAYERS,
            "embed_dim": WIDTH,
            "hidden_size": WIDTH,
            "mlp_ratio": FEED_FORWARD // WIDTH,
            "num_heads": HEADS,
            "patch_size": CELL // 2,
            "spatial_merge_size": 2,
        },
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": WIDTH,
            "intermediate_size": FEED_FORWARD,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "num_key_value_heads": HEADS,
            "max_position_embeddings": MAX_LENGTH,
            "initializer_range": INITIAL_SCALE,
            "rope_parameters": {"rope_type": "default", "rope_theta": ROPE_THETA, "mrope_section": [4, 6, 6]},
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
        },
        image_token_id=tokenizer.image_token_id,
        video_token_id=tokenizer.video_token_id,
        vision_start_token_id=tokenizer.vision_start_token_id,
        vision_end_token_id=tokenizer.vision_end_token_id,
        tie_word_embeddings=True,
    )
    images = Qwen2VLImageProcessorPil(
        size={"shortest_edge": SIDE * SIDE, "longest_edge": SIDE * SIDE}, patch_size=CELL // 2, merge_size=2
    )
    processor = Qwen2VLProcessor(images, tokenizer, chat_template=tokenizer.chat_template)
    return Qwen2VLForConditionalGeneration(config), processor
