"""Tiny pieces of a LLaVA-1.5 in exactly the layouts of the real ones, and a tokenizer trained as LLaMA's was."""

import functools
import io
import json
import random
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import CLIPConfig, CLIPModel, LlamaConfig, LlamaForCausalLM

from visatb.data.demo.exchanges import DEMO_TASKS, demo_exchange
from visatb.models.families import read_template

VOCABULARY = 900
IMAGE_SIDE, PATCH, VISION_WIDTH, TEXT_WIDTH = 28, 14, 32, 48
IMAGE_TOKENS = (IMAGE_SIDE // PATCH) ** 2
SPECIAL = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
OTHER_TEXTS = (
    "Größe, élan, naïve; 東京 и Москва — ¿qué? 3.14159",
    "The user asked: USER or ASSISTANT? The assistant says: Assistant, user, user, assistant.",
)


@functools.cache
def sentencepiece_model() -> bytes:
    """Return the bytes of a tokenizer.model trained with LLaMA's settings: BPE, bytes for the unknown, no cleaning."""
    rng = random.Random(0)
    texts = [read_template("vicuna_v1"), *OTHER_TEXTS * 20]
    for number in range(150):
        for task in DEMO_TASKS:
            _, question, answer = demo_exchange(0, task, "train", number)
            texts.append(f"USER: {question} ASSISTANT: {answer}")
    rng.shuffle(texts)
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=(line for text in texts for line in text.splitlines()),
        model_writer=written,
        model_type="bpe",
        vocab_size=VOCABULARY,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        pad_id=-1,
        minloglevel=2,
    )
    return written.getvalue()


def write_slow_tokenizer(folder: Path) -> None:
    """Write the files of lmsys/vicuna-7b-v1.5's tokenizer."""
    (folder / "tokenizer.model").write_bytes(sentencepiece_model())
    marks = {name: {"__type": "AddedToken", "content": text, **SPECIAL} for name, text in _marks().items()}
    others = {"add_bos_token": True, "add_eos_token": False, "legacy": False, "model_max_length": 4096}
    others |= {"pad_token": None, "padding_side": "right", "sp_model_kwargs": {}, "tokenizer_class": "LlamaTokenizer"}
    write(folder / "tokenizer_config.json", marks | others | {"clean_up_tokenization_spaces": False})
    plain = {name: {"content": text, **SPECIAL} for name, text in _marks().items()}
    write(folder / "special_tokens_map.json", plain | {"pad_token": "<unk>"})


def write_fast_tokenizer(folder: Path) -> None:
    """Write a tokenizer.json of the same tokens, as conversions of LLaMA have it, and no tokenizer.model."""
    pieces = sentencepiece.SentencePieceProcessor(model_proto=sentencepiece_model())
    vocabulary = {pieces.id_to_piece(index): index for index in range(len(pieces))}
    splits = [(t[:cut], t[cut:]) for t in vocabulary for cut in range(1, len(t))]
    merges = [pair for pair in splits if pair[0] in vocabulary and pair[1] in vocabulary]
    merges.sort(key=lambda pair: (vocabulary["".join(pair)], vocabulary[pair[0]], vocabulary[pair[1]]))
    merges = [pair for pair in merges if not re.fullmatch(r"<.*>", "".join(pair))]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, fuse_unk=True, byte_fallback=True, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    decoding = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(decoding)
    tokenizer.add_special_tokens(list(_marks().values()))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = _marks() | {"tokenizer_class": "LlamaTokenizer", "legacy": False, "model_max_length": 4096}
    write(folder / "tokenizer_config.json", settings)


def _marks() -> dict[str, str]:
    return {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}


def write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))


def tiny_vicuna(seed: int = 1, **changes: Any) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    settings = {"hidden_size": TEXT_WIDTH, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
    settings |= {"vocab_size": VOCABULARY, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5}
    return LlamaForCausalLM(LlamaConfig(**settings | changes, initializer_range=0.2, pad_token_id=0))


def write_vicuna(folder: Path, pickled: bool = True, fast: bool = False, **changes: Any) -> Path:
    """Write a tiny Vicuna in half precision: two pytorch_model-*.bin with the old buffers, or two safetensors."""
    folder.mkdir()
    model = tiny_vicuna(**changes).half()
    model.config.architectures = ["LlamaForCausalLM"]
    model.config.save_pretrained(folder)
    write(folder / "generation_config.json", {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "top_p": 0.6})
    tensors = {name: value.clone() for name, value in model.state_dict().items()}
    if pickled:
        tensors |= {f"model.layers.{layer}.self_attn.rotary_emb.inv_freq": torch.ones(6) for layer in range(2)}
    write_shards(folder, tensors, pickled)
    (write_fast_tokenizer if fast else write_slow_tokenizer)(folder)
    return folder


def write_shards(folder: Path, tensors: Mapping[str, torch.Tensor], pickled: bool) -> None:
    stem, ending = ("pytorch_model", "bin") if pickled else ("model", "safetensors")
    weight_map = {}
    for number in (0, 1):
        file = f"{stem}-{number + 1:05d}-of-00002.{ending}"
        shard = dict(list(tensors.items())[number::2])
        torch.save(shard, folder / file) if pickled else save_file(shard, folder / file, {"format": "pt"})
        weight_map |= dict.fromkeys(shard, file)
    write(folder / f"{stem}.{ending}.index.json", {"metadata": {}, "weight_map": weight_map})


def tiny_clip(seed: int = 2, **changes: Any) -> CLIPModel:
    torch.manual_seed(seed)
    vision = {"hidden_size": VISION_WIDTH, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2}
    vision |= {"image_size": IMAGE_SIDE, "patch_size": PATCH, "projection_dim": 16} | changes
    text = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    text |= {"vocab_size": 60, "projection_dim": 16}
    return CLIPModel(CLIPConfig(vision_config=vision, text_config=text, projection_dim=16, initializer_factor=5.0))


def write_clip(folder: Path, **changes: Any) -> Path:
    """Write a tiny CLIP as openai/clip-vit-large-patch14-336 has it: both halves in one pytorch_model.bin."""
    folder.mkdir()
    model = tiny_clip(**changes)
    model.config.architectures = ["CLIPModel"]
    model.config.save_pretrained(folder)
    positions = {"vision_model.embeddings.position_ids": torch.arange(IMAGE_TOKENS + 1)[None]}
    torch.save(dict(model.state_dict()) | positions, folder / "pytorch_model.bin")
    crop = {"crop_size": IMAGE_SIDE, "do_center_crop": True, "do_normalize": True, "do_resize": True, "resample": 3}
    crop |= {"feature_extractor_type": "CLIPFeatureExtractor", "size": IMAGE_SIDE}
    crop |= {"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
    write(folder / "preprocessor_config.json", crop)
    return folder


def projector_tensors(inputs: int = VISION_WIDTH, outputs: int = TEXT_WIDTH) -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    shapes = {"0.weight": (outputs, inputs), "0.bias": (outputs,), "2.weight": (outputs, outputs), "2.bias": (outputs,)}
    return {f"model.mm_projector.{name}": torch.randn(shape).bfloat16() * 0.2 for name, shape in shapes.items()}


def write_projector(file: Path, **sizes: int) -> Path:
    """Write a stage-1 projector as LLaVA's pretraining leaves it."""
    file.parent.mkdir(exist_ok=True)
    torch.save(projector_tensors(**sizes), file)
    return file


def put_on_hub(hub: Path, name: str, revisions: Mapping[str, Path]) -> None:
    """Lay folders into a cache of the hub as revisions of the model ``name``, as downloading would."""
    repository = hub / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    for number, (revision, folder) in enumerate(revisions.items(), 1):
        shutil.copytree(folder, repository / "snapshots" / (str(number) * 40))
        (repository / "refs" / revision).write_text(str(number) * 40)
