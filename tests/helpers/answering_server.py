"""Real models behind an OpenAI-compatible endpoint: each request is answered by itself, by the model that it names."""

import base64
import threading
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageOps
from transformers import GenerationConfig, PreTrainedModel, ProcessorMixin

from tests.helpers.judge_server import Answer, refusal
from visatb.models.families import load_model, load_processor


class Served:
    """Answers requests with the models in folders, which are loaded when they are first asked."""

    def __init__(self, folder_of: Callable[[str], Path | None]) -> None:
        self._folder_of = folder_of
        self._loaded: dict[str, tuple[PreTrainedModel, ProcessorMixin]] = {}
        self._one_at_a_time = threading.Lock()

    def __call__(self, body: dict[str, Any], times: int) -> Answer:
        with self._one_at_a_time:
            folder = self._folder_of(body["model"])
            if folder is None:
                return refusal(404, f"The model {body['model']} does not exist.", "model_not_found")
            if body["model"] not in self._loaded:
                self._loaded[body["model"]] = load_model(folder, torch.float32).eval(), load_processor(folder)
            return _completion(body, *self._loaded[body["model"]])


def _completion(body: dict[str, Any], model: PreTrainedModel, processor: ProcessorMixin) -> Answer:
    messages = [{**one, "content": [_part(part) for part in one["content"]]} for one in body["messages"]]
    inputs = processor.apply_chat_template(
        messages, tokenize=True, return_dict=True, add_generation_prompt=True, return_tensors="pt"
    )
    assert body["temperature"] == 0
    how = GenerationConfig(
        max_new_tokens=body["max_tokens"], eos_token_id=processor.tokenizer.eos_token_id, do_sample=False
    )
    with torch.no_grad():
        tokens = model.generate(**inputs, generation_config=how)[0, inputs["input_ids"].shape[1] :]
    stopped = int(tokens[-1]) == processor.tokenizer.eos_token_id
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": processor.tokenizer.decode(tokens, skip_special_tokens=True)},
        "finish_reason": "stop" if stopped else "length",
    }
    usage = {"prompt_tokens": inputs["input_ids"].shape[1], "completion_tokens": len(tokens)}
    usage["total_tokens"] = sum(usage.values())
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": body["model"]}
    return Answer({**head, "choices": [choice], "usage": usage})


def _part(part: dict[str, Any]) -> dict[str, Any]:
    if part["type"] != "image_url":
        return part
    content = base64.b64decode(part["image_url"]["url"].split("base64,", 1)[1])
    # As vLLM opens pictures: turned as they say, then without what is transparent.
    return {"type": "image", "image": ImageOps.exif_transpose(Image.open(BytesIO(content))).convert("RGB")}
