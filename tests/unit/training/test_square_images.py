"""LLaVA sees whole pictures on squares, whatever its checkpoint says: held to expand2square, here with Pillow."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from transformers import AutoProcessor, CLIPImageProcessor, LlavaProcessor

from tests.helpers.llava_components import write
from tests.helpers.training_examples import save_tiny, turns
from visatb.data.chat import open_image
from visatb.models.families import load_processor
from visatb.training.batches.collator import Collator

SIDE = 64
MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
# Pixels are whole numbers until they are normalised, and those must be equal; the rest is float32's rounding.
ROUNDING = 1e-6
UNMARKED = "{% for m in messages %}{{ m['role'] }}{% endfor %}"


def expand2square(image: Image.Image) -> torch.Tensor:
    """Return the pixel values [3, SIDE, SIDE] as LLaVA makes them of an image file."""
    image = image.convert("RGB")
    side = max(image.size)
    square = Image.new("RGB", (side, side), tuple(int(255 * mean) for mean in MEAN))
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    pixels = np.asarray(square.resize((SIDE, SIDE), Image.Resampling.BICUBIC), dtype=np.float64) / 255
    return torch.from_numpy(((pixels - MEAN) / DEVIATION).transpose(2, 0, 1))


def noise(width: int, height: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(width * height).integers(0, 256, (height, width, channels), dtype=np.uint8)


def palette(transparent: bool) -> Image.Image:
    image = Image.fromarray(noise(50, 90)).quantize(17)
    if transparent:
        image.info["transparency"] = 3
    return image


PICTURES = {
    "square": Image.fromarray(noise(64, 64)),
    "wide": Image.fromarray(noise(200, 100)),
    "tall, odd": Image.fromarray(noise(77, 130)),
    "large": Image.fromarray(noise(1000, 667)),
    "a line": Image.fromarray(noise(2000, 1)),
    "a column": Image.fromarray(noise(1, 900)),
    "three rows": Image.fromarray(noise(300, 3)),
    "three columns": Image.fromarray(noise(3, 300)),
    "one pixel": Image.fromarray(noise(1, 1)),
    "gray": Image.fromarray(noise(120, 50, 1)[..., 0]),
    "gray and alpha": Image.fromarray(noise(120, 50, 2), "LA"),
    "alpha": Image.fromarray(noise(60, 90, 4), "RGBA"),
    "palette": palette(transparent=False),
    "transparent palette": palette(transparent=True),
    "black and white": Image.fromarray(noise(90, 40, 1)[..., 0]).convert("1"),
    "print colours": Image.fromarray(noise(60, 90, 4), "CMYK"),
}


@pytest.fixture(scope="module")
def hub_layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny LLaVA with the processor files of llava-hf/llava-1.5-7b-hf: it cuts the middle out."""
    folder = save_tiny("llava", tmp_path_factory.mktemp("hub") / "llava")
    (folder / "processor_config.json").unlink()
    write(
        folder / "processor_config.json",
        {"image_token": "<image>", "patch_size": 16, "processor_class": "LlavaProcessor"},
    )
    crop = {"crop_size": {"height": SIDE, "width": SIDE}, "size": {"shortest_edge": SIDE}, "resample": 3}
    crop |= {f"do_{step}": True for step in ("center_crop", "convert_rgb", "normalize", "rescale", "resize")}
    crop |= {"image_mean": MEAN, "image_std": DEVIATION, "rescale_factor": 1 / 255}
    crop |= {"image_processor_type": "CLIPImageProcessor", "processor_class": "LlavaProcessor"}
    write(folder / "preprocessor_config.json", crop)
    (folder / "chat_template.jinja").unlink()
    write(folder / "chat_template.json", {"chat_template": UNMARKED})
    return folder


def seen(processor: LlavaProcessor, image: Image.Image | str) -> torch.Tensor:
    sample = {"conversations": turns("<image> What?", "a square"), "image": image, "task": "a"}
    return Collator(processor, ["a"], 512)([sample])["pixel_values"][0]


def test_the_hubs_own_processor_cuts(hub_layout: Path) -> None:
    assert isinstance(AutoProcessor.from_pretrained(hub_layout).image_processor, type(CLIPImageProcessor()))
    found = AutoProcessor.from_pretrained(hub_layout).image_processor([PICTURES["wide"]], return_tensors="pt")[
        "pixel_values"
    ][0]
    assert (found - expand2square(PICTURES["wide"])).abs().max() > 1


@pytest.mark.parametrize("name", PICTURES)
def test_pixels_are_those_of_expand2square(hub_layout: Path, tmp_path: Path, name: str) -> None:
    processor = load_processor(hub_layout)
    expected = expand2square(PICTURES[name])
    assert (seen(processor, PICTURES[name]) - expected).abs().max() < ROUNDING
    file = tmp_path / f"picture.{'tif' if name == 'print colours' else 'png'}"
    PICTURES[name].save(file)
    assert (seen(processor, str(file)) - expected).abs().max() < ROUNDING


def test_what_is_saved_pads_for_every_reader(hub_layout: Path, tmp_path: Path) -> None:
    load_processor(hub_layout).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text((hub_layout / "config.json").read_text())
    expected = expand2square(PICTURES["wide"])
    for processor in (AutoProcessor.from_pretrained(tmp_path), load_processor(tmp_path)):
        assert (seen(processor, PICTURES["wide"]) - expected).abs().max() < ROUNDING
        assert (processor.image_token * 16) in processor.decode(tokens(processor))


def tokens(processor: LlavaProcessor) -> torch.Tensor:
    sample = {"conversations": turns("<image> What?", "a square"), "image": PICTURES["wide"], "task": "a"}
    return Collator(processor, ["a"], 512)([sample])["input_ids"][0]


def test_one_batch_of_many_shapes_is_the_shapes_one_by_one(hub_layout: Path) -> None:
    processor = load_processor(hub_layout)
    samples = [{"conversations": turns("<image>", "a"), "image": image, "task": "a"} for image in PICTURES.values()]
    together = Collator(processor, ["a"], 512)(samples)["pixel_values"]
    assert torch.equal(together, torch.stack([seen(processor, image) for image in PICTURES.values()]))


def test_a_box_of_the_padded_frame_is_where_the_model_sees_it(hub_layout: Path) -> None:
    image = Image.new("RGB", (256, 128))
    ImageDraw.Draw(image).rectangle((64, 32, 127, 95), fill=(255, 255, 255))
    # Within the square of 256 the picture begins at row 64.
    x1, y1, x2, y2 = (round(SIDE * edge) for edge in (64 / 256, (64 + 32) / 256, 128 / 256, (64 + 96) / 256))
    bright = seen(load_processor(hub_layout), image).mean(0) > 1.5
    expected = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    expected[y1:y2, x1:x2] = True
    assert (bright != expected).float().mean() < 0.02


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_pixels_stay_as_they_are_stored_whatever_a_camera_notes(hub_layout: Path, tmp_path: Path, ending: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90 degrees to look at it"
    file = tmp_path / f"turned.{ending}"
    Image.fromarray(noise(90, 50)).save(file, exif=exif)
    with Image.open(file) as stored:
        assert (stored.size, stored.getexif()[0x0112]) == ((90, 50), 6)
        expected = expand2square(stored)
    for image in (str(file), Image.open(file)):
        assert open_image(image).size == (90, 50)
        assert (seen(load_processor(hub_layout), image) - expected).abs().max() < ROUNDING


def test_the_checkpoint_says_so_in_its_file(hub_layout: Path, tmp_path: Path) -> None:
    load_processor(hub_layout).save_pretrained(tmp_path)
    said = json.loads((tmp_path / "processor_config.json").read_text())
    assert (said["patch_size"], said["num_additional_image_tokens"]) == (16, 1)
    images = said["image_processor"]
    assert (images["do_pad"], images["do_center_crop"]) == (True, False)
    assert images["size"] == {"height": SIDE, "width": SIDE}
