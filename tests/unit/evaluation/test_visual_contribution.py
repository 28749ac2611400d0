"""Visual contribution: against log p of whole answers in float64, and its table and figure by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from PIL import Image

from tests.helpers.training_examples import processor_of, save_tiny, turns
from visatb.data.chat import chat_messages
from visatb.data.demo.exchanges import demo_sample
from visatb.data.records import RECORD_SCHEMA
from visatb.errors import VisatbError
from visatb.evaluation.generate import Generation
from visatb.evaluation.visual_contribution import last_answers, measure_visual_contribution, noise_like
from visatb.models.families import load_model
from visatb.reporting.figures.visual_contribution import visual_contribution_figure
from visatb.runtime.files import read_parquet, write_parquet
from visatb.scores.visual_contribution import contribution_table, contributions_of
from visatb.training.batches.collator import IGNORED

GENERATION = Generation(batch_size=3, shard_size=3, precision="float32", attention="eager", device="cpu")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny("llava", tmp_path_factory.mktemp("model"))


def records(folder: Path) -> Path:
    rows: list[dict[str, Any]] = []
    for number in range(4):
        image, record = demo_sample(0, "vqa", "test", number)
        image.save(folder / f"{number}.png")
        conversations = record["conversations"]
        if number == 2:
            conversations = [*turns("Hello, who are you?", "I am a ring. " * 5), *turns("<image> What?", "a red ring")]
        rows.append({"id": f"vqa-{number}", "image": str(folder / f"{number}.png"), "conversations": conversations})
    rows.append({"id": "text", "image": None, "conversations": turns("Hi", "there")})
    rows = [row | {"truths": [row["conversations"][-1]["value"]]} for row in rows]
    write_parquet(folder / "test.parquet", pa.Table.from_pylist(rows, schema=RECORD_SCHEMA))
    return folder / "test.parquet"


def log_p_of_answer(model: Any, conversations: list[dict[str, str]], image: Image.Image) -> tuple[int, float]:
    """Return the answer's tokens and log p: of the whole text minus of what generation starts from."""
    processor = processor_of("llava")

    def encoded(turns_: list[dict[str, str]], prompt: bool) -> Any:
        return processor.apply_chat_template(
            chat_messages(turns_, image),
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            add_generation_prompt=prompt,
        )

    start = encoded(conversations[:-1], True)["input_ids"].shape[1]
    whole = encoded(conversations, False)
    tokens = whole["input_ids"][0]
    logits = model(**{**whole, "pixel_values": whole["pixel_values"].double()}).logits[0]
    each = torch.log_softmax(logits[start - 1 : -1], -1).gather(1, tokens[start:, None])
    return len(tokens) - start, float(each.detach().sum())


def test_it_is_log_p_of_the_last_answer_with_the_image_minus_with_noise(tmp_path: Path, model: Path):
    path = records(tmp_path)
    measure_visual_contribution("ew", model, {"vqa": path}, tmp_path / "out", GENERATION, 512)
    found = read_parquet(tmp_path / "out/vqa.parquet").to_pylist()
    wanted = [row for row in read_parquet(path).to_pylist() if row["image"]]
    assert [row["id"] for row in found] == [row["id"] for row in wanted]
    exact = load_model(model, torch.float64, "eager").eval()
    for row, record in zip(found, wanted, strict=True):
        image = Image.open(record["image"]).convert("RGB")
        tokens, log_p = log_p_of_answer(exact, record["conversations"], image)
        _, with_noise = log_p_of_answer(exact, record["conversations"], noise_like(image, record["id"]))
        assert row["tokens"] == tokens
        assert row["log_p"] == pytest.approx(log_p, rel=1e-4)
        assert row["contribution"] == pytest.approx(log_p - with_noise, abs=1e-3)
        assert row["log_p"] - row["log_p_noise"] == row["contribution"] != 0


def test_noise_is_even_has_the_images_size_and_is_the_same_again():
    image = Image.new("RGB", (40, 30))
    noise = np.asarray(noise_like(image, "a"))
    assert noise.shape == (30, 40, 3)
    assert np.array_equal(noise, np.asarray(noise_like(image, "a")))
    assert not np.array_equal(noise, np.asarray(noise_like(image, "b")))
    assert abs(noise.mean() - 127.5) < 6
    assert noise.std() == pytest.approx(256 / 12**0.5, rel=0.05)


def test_the_last_answer_is_the_last_stretch_of_labels():
    x = IGNORED
    labels = torch.tensor([[x, 1, 2, x, 3, x, x], [x, x, x, x, x, 4, 5], [x, x, x, x, x, x, x], [6, x, 7, 8, x, x, 9]])
    expected = [[x, x, x, x, 3, x, x], [x, x, x, x, x, 4, 5], [x] * 7, [x, x, x, x, x, x, 9]]
    assert last_answers(labels).tolist() == expected


def write(folder: Path, run: str, task: str, tokens: list[int], values: list[float]) -> None:
    write_parquet(folder / run / f"{task}.parquet", pa.table({"tokens": tokens, "contribution": values}))


def test_table_and_figure(tmp_path: Path):
    write(tmp_path, "ew", "vqa", [2, 2, 4, 0], [1.0, 2.0, -0.6, 0.0])
    write(tmp_path, "single-vqa", "vqa", [2, 2], [1.0, 1.0])
    write(tmp_path, "ew", "chat", [], [])
    places = [("ew", "vqa"), ("single-vqa", "vqa"), ("ew", "chat")]
    samples = contributions_of(tmp_path, places)
    table = contribution_table(samples).set_index(["run", "task"])
    row = table.loc[("ew", "vqa")]
    assert row["n"] == 3
    assert row["mean"] == pytest.approx(0.8)
    assert row["stderr"] == pytest.approx(np.std([1.0, 2.0, -0.6], ddof=1) / 3**0.5)
    assert row["per_token"] == pytest.approx(2.4 / 8)
    assert row["positive"] == pytest.approx(2 / 3)
    assert table.loc[("ew", "chat"), "n"] == 0
    assert table.loc[("ew", "chat")].drop("n").isna().all()
    (axes,) = visual_contribution_figure(samples).axes
    assert axes.get_title(loc="left") == "vqa"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["EW: mean 0.80", "STL: mean 1.00"]
    for steps, shares in zip(axes.patches, ([1 / 3] * 3, [1.0]), strict=True):
        assert [value for value in steps.get_data().values if value] == pytest.approx(shares)


def test_without_any_image_there_is_no_figure():
    empty = pd.DataFrame({"tokens": [], "contribution": []})
    with pytest.raises(VisatbError, match="no sample has an image"):
        visual_contribution_figure({("ew", "chat"): empty})
