"""LLaVA-1.5's questions and scores as the zero-shot task files have them; nothing of lmms-eval is needed."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from tests.helpers.zero_shot_examples import mme, mmvet, pope, scienceqa, seed, textvqa
from visatb.evaluation.zero_shot.benchmarks import TASK_FOLDER


@pytest.fixture(scope="module")
def protocol() -> ModuleType:
    spec = importlib.util.spec_from_file_location("protocol", TASK_FOLDER / "protocol.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_questions_are_llavas(protocol: ModuleType):
    short = "\nAnswer the question using a single word or phrase."
    letter = "\nAnswer with the option's letter from the given choices directly."
    asked = protocol.textvqa_question(textvqa()[0])
    assert asked == f"what is written here?\nReference OCR token: RED, blue,{short}"
    assert protocol.pope_question(pope()[0]) == f"Is there a circle in the image?{short}"
    assert protocol.mme_question(mme()[0]) == f"Is there one shape in this image?{short}"
    assert protocol.scienceqa_question(scienceqa()[0]) == f"Which colour is it?\nA. red\nB. blue{letter}"
    assert protocol.scienceqa_question(scienceqa()[1]).startswith(
        "Context: Look at the picture.\nWhich colour is it?\nA."
    )
    assert protocol.seed_question(seed()[0]).endswith(f"?\nA. one\nB. two\nC. three\nD. four{letter}")
    assert protocol.mmvet_question(mmvet()[0]) == "What is x?"
    row = {"question": "Which?", "hint": float("nan"), "A": "x", "B": "y", "C": None, "D": "nan"}
    assert protocol.mmbench_question(row) == f"Which?\nA. x\nB. y{letter}"
    assert protocol.mmbench_question(row | {"hint": "Look."}).startswith("Look.\nWhich?\nA. x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("No", "no"),
        ("no, there is none", "no"),
        ("There is not. Yes", "no"),
        ("Yes. There is no dog", "yes"),
        ("Nothing", "yes"),
        ("NO", "yes"),
        ("", "yes"),
    ],
)
def test_answers_to_pope_are_read_as_llavas_script_reads_them(protocol: ModuleType, text: str, said: str):
    assert protocol.pope_answer(text) == said


def test_pope_is_the_mean_of_three_f1(protocol: ModuleType):
    def items(category: str, pairs: list[tuple[str, str]]) -> list[dict[str, str]]:
        return [{"category": category, "said": said, "truth": truth} for said, truth in pairs]

    found = items("random", [("yes", "yes"), ("no", "no")])  # 1
    found += items("popular", [("yes", "yes"), ("yes", "no"), ("no", "yes")])  # precision 1/2, recall 1/2
    found += items("adversarial", [("no", "yes"), ("no", "no")])  # 0
    assert protocol.pope_f1(found) == pytest.approx(50)
    with pytest.raises(ValueError, match="maybe"):
        protocol.pope_score({"answer": "maybe", "category": "random"}, ["yes"])


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("B. blue", "B"),
        ("The answer is B.", "B"),
        ("B.", None),
        ("b", None),
        ("blue", None),
        ("", None),
        ("The answer is A. The answer is B.", None),
    ],
)
def test_letters_of_scienceqa(protocol: ModuleType, text: str, letter: str | None):
    assert protocol.scienceqa_letter(text) == letter


def test_pictures_are_read_from_every_layout(protocol: ModuleType, tmp_path: Path):
    data = pope()[0]["image"]["bytes"]
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.png").write_bytes(data)
    (tmp_path / "2.png").write_bytes(data)
    whole = protocol.pictures({"image": {"bytes": data, "path": "x.png"}})[0]
    assert isinstance(whole, Image.Image)
    options = {"image_folder": str(tmp_path / "images")}
    assert protocol.pictures({"image": "1.png"}, options)[0].tobytes() == whole.tobytes()
    assert len(protocol.pictures({"image": [whole, whole]})) == 2
    with pytest.raises(ValueError, match="not within"):
        protocol.pictures({"image": "../2.png"}, options)
