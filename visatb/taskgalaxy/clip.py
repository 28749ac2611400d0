"""The CLIP of transformers that embeds types and pictures."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import AutoTokenizer, CLIPModel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from visatb.errors import VisatbError
from visatb.models.hub import from_hub_or_folder, not_found
from visatb.runtime.devices import computes_on_cpu
from visatb.runtime.gpus import claim_gpus
from visatb.taskgalaxy.embedding import Vectors, embed, fingerprint, type_texts
from visatb.taskgalaxy.jobs import EmbeddingJob, TypeEmbeddingJob
from visatb.taskgalaxy.tables import Row


class Clip:
    """A CLIP on the CPU, or on a GPU where the job has one."""

    def __init__(self, source: str, gpus: int, label: str, threads: int = 4) -> None:
        if not computes_on_cpu(gpus):
            claim_gpus(gpus, label)
        self._device = "cpu" if computes_on_cpu(gpus) else "cuda"
        try:
            where = from_hub_or_folder(source)
            self._model = CLIPModel.from_pretrained(**where, use_safetensors=True, dtype=torch.float32)
            self._tokenizer = AutoTokenizer.from_pretrained(**where)
            self._processor = CLIPImageProcessorPil.from_pretrained(**where)
        except (OSError, ValueError) as error:
            raise not_found(source, error) from error
        self._model.eval().to(self._device)
        self._threads = ThreadPoolExecutor(threads)

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Vectors:
        """Return a row of length ``projection_dim`` for each text; the model's context cuts long ones."""
        length = self._model.config.text_config.max_position_embeddings
        tokens = self._tokenizer(list(texts), padding=True, truncation=True, max_length=length, return_tensors="pt")
        inputs = {name: tokens[name].to(self._device) for name in ("input_ids", "attention_mask")}
        return _array(self._model.get_text_features(**inputs).pooler_output)

    @torch.inference_mode()
    def pictures(self, paths: Sequence[str | Path]) -> Vectors:
        """Return a row of length ``projection_dim`` for each picture."""
        images = list(self._threads.map(_read, paths))
        pixels = self._processor(images=images, return_tensors="pt")["pixel_values"].to(self._device)
        return _array(self._model.get_image_features(pixel_values=pixels).pooler_output)


def embed_types(job: TypeEmbeddingJob, types: Sequence[Row], shards: Path, output: Path) -> None:
    """Write the unit vectors of types, ``(len(types), projection_dim)``; `embed` keeps them in ``shards``."""
    texts = type_texts(types, job.text)
    clip = Clip(job.checkpoint, job.gpus, "embed_types")
    embed(
        keys=[hashlib.sha256(text.encode()).hexdigest() for text in texts],
        vectors_of=lambda numbers: clip.texts([texts[number] for number in numbers]),
        shards=shards / "types" / fingerprint(job.checkpoint),
        output=output,
        label="embed_types",
        sizes=(job.batch_size, job.shard_size),
    )


def embed_pictures(
    job: EmbeddingJob, pictures: Sequence[Row], images: Path, shards: Path, output: Path, threads: int
) -> None:
    """Write the unit vectors of pictures, ``(len(pictures), projection_dim)``; `embed` keeps them in ``shards``.

    Args:
        job: the CLIP.
        pictures: with ``image``, relative to ``images``, and ``digest``.
        images: folder of pictures.
        shards: folder of what is embedded already.
        output: .npy.
        threads: that read pictures.
    """
    clip = Clip(job.checkpoint, job.gpus, "embed_images", threads)
    embed(
        keys=[row["digest"] for row in pictures],
        vectors_of=lambda numbers: clip.pictures([images / pictures[number]["image"] for number in numbers]),
        shards=shards / "images" / fingerprint(job.checkpoint),
        output=output,
        label="embed_images",
        sizes=(job.batch_size, job.shard_size),
    )


def _array(vectors: torch.Tensor) -> Vectors:
    return np.asarray(vectors.float().cpu().numpy(), dtype=np.float32)


def _read(path: str | Path) -> Image.Image:
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except Exception as error:  # Pillow's decoders raise what they like
        raise VisatbError(f"{path}: cannot be read any more ({error}); make the list of pictures again") from error
