"""LLaVA-1.5's questions and scores for seven benchmarks, as functions that lmms-eval calls.

It runs in lmms-eval's interpreter and knows nothing of the rest of this project. What lmms-eval has in the same form
is taken from it. Every score is on a scale of 0 to 100, but for MME's, a sum of points.
"""

import base64
import io
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

SHORT = "\nAnswer the question using a single word or phrase."
LETTER = "\nAnswer with the option's letter from the given choices directly."
LETTERS = "ABCDE"
POPE_CATEGORIES = ("random", "popular", "adversarial")
Doc = Mapping[str, Any]


def pictures(doc: Doc, options: Mapping[str, Any] | None = None) -> list[Image.Image]:
    """Return the pictures of a question, of one that has several all of them."""
    found = doc["image"]
    folder = (options or {}).get("image_folder")
    return [_picture(one, folder) for one in (found if isinstance(found, list) else [found])]


def _picture(found: Any, folder: str | None) -> Image.Image:
    """Read a picture as `datasets` decodes it, as Parquet holds it, as a file of ``folder``, or as base64."""
    if isinstance(found, Mapping):
        found = io.BytesIO(found["bytes"]) if found.get("bytes") else found["path"]
    if isinstance(found, str) and folder:
        path = (Path(folder) / found).resolve()
        if not path.is_relative_to(Path(folder).resolve()):
            raise ValueError(f"the picture {found} is not within {folder}")
        found = path
    elif isinstance(found, str):
        found = io.BytesIO(base64.b64decode(found, validate=True))
    return (found if isinstance(found, Image.Image) else Image.open(found)).convert("RGB")


def textvqa_question(doc: Doc, options: Mapping[str, Any] | None = None) -> str:
    """Return the question with the words that were read in the picture, as LLaVA asks it."""
    return f"{doc['question']}\nReference OCR token: {', '.join(doc['ocr_tokens'])}{SHORT}"


def textvqa_score(doc: dict[str, Any], answers: Sequence[str]) -> dict[str, float]:
    """Return the VQA accuracy over ten answers of people, leaving each out in turn: lmms-eval's own."""
    from lmms_eval.tasks.textvqa.utils import textvqa_process_results

    return {"accuracy": 100.0 * textvqa_process_results(doc, answers)["exact_match"]}


def pope_question(doc: Doc, options: Mapping[str, Any] | None = None) -> str:
    """Return the question."""
    return doc["question"].strip() + SHORT


def pope_answer(text: str) -> str:
    """Return ``no`` if the first sentence says no or not, else ``yes``, as LLaVA's script reads answers."""
    words = text.split(".")[0].replace(",", "").split(" ")
    return "no" if {"No", "not", "no"} & set(words) else "yes"


def pope_score(doc: Doc, answers: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return what `pope_f1` counts."""
    truth = doc["answer"].strip().lower()
    if truth not in ("yes", "no") or doc["category"] not in POPE_CATEGORIES:
        raise ValueError(f"POPE: expected yes or no and a category, found {doc['answer']!r}, {doc['category']!r}")
    return {"f1": {"category": doc["category"], "said": pope_answer(answers[0]), "truth": truth}}


def pope_f1(items: Sequence[Mapping[str, str]]) -> float:
    """Return the mean over categories of the F1 score of ``yes``."""
    return sum(map(_f1, _by(items, "category"))) / len({item["category"] for item in items})


def _f1(items: Sequence[Mapping[str, str]]) -> float:
    hits = sum(item["said"] == item["truth"] == "yes" for item in items)
    total = sum((item["said"] == "yes") + (item["truth"] == "yes") for item in items)
    return 100.0 * 2 * hits / total if total else 0.0


def _by(items: Sequence[Mapping[str, str]], key: str) -> list[list[Mapping[str, str]]]:
    return [[item for item in items if item[key] == value] for value in dict.fromkeys(item[key] for item in items)]


def mme_question(doc: Doc, options: Mapping[str, Any] | None = None) -> str:
    """Return the question, with LLaVA's wish for a short answer in place of MME's."""
    return doc["question"].strip().replace(" Please answer yes or no.", "") + SHORT


def mme_score(doc: Doc, answers: Sequence[str]) -> dict[str, Any]:
    """Return lmms-eval's score, under ``perception`` or ``cognition``."""
    from lmms_eval.tasks.mme.utils import mme_process_results

    return {name.split("_")[1]: value for name, value in mme_process_results(doc, answers).items()}


def mme_sum(items: Sequence[Mapping[str, Any]]) -> float:
    """Return the sum over categories of accuracy and accuracy+: lmms-eval's own."""
    from lmms_eval.tasks.mme.utils import mme_aggregate_results

    return mme_aggregate_results(items)


def with_pictures(docs: Any) -> Any:
    """Leave out ScienceQA's questions without a picture."""
    return docs.filter(lambda image: image is not None, input_columns=["image"])


def scienceqa_question(doc: Doc, options: Mapping[str, Any] | None = None) -> str:
    """Return context, question and lettered choices."""
    context = f"Context: {doc['hint']}\n" if doc["hint"] else ""
    choices = "".join(f"\n{letter}. {choice}" for letter, choice in zip(LETTERS, doc["choices"], strict=False))
    return f"{context}{doc['question']}{choices}{LETTER}"


def scienceqa_letter(text: str) -> str | None:
    """Return the letter of ``A``, of ``A. ...`` or of one ``The answer is A.``, as LLaVA's script does, or None."""
    if text in tuple(LETTERS):
        return text
    if text[:1] in tuple(LETTERS) and text[1:3] == ". ":
        return text[0]
    said = re.findall(r"The answer is ([A-Z])\.", text)
    return said[0] if len(said) == 1 else None


def scienceqa_score(doc: Doc, answers: Sequence[str]) -> dict[str, float]:
    """Return 100 for the right letter. ``answer`` counts from 0."""
    return {"accuracy": 100.0 * (scienceqa_letter(answers[0].strip()) == LETTERS[int(doc["answer"])])}


def mmbench_question(doc: Doc, options: Mapping[str, Any] | None = None) -> str:
    """Return hint, question and lettered options, each on a line, as LLaVA asks them."""
    hint = [] if _is_nothing(doc.get("hint")) else [str(doc["hint"])]
    choices = [f"{letter}. {doc[letter]}" for letter in "ABCD" if not _is_nothing(doc.get(letter))]
    return "\n".join([*hint, doc["question"], *choices]) + LETTER


def _is_nothing(value: Any) -> bool:
    return value is None or value != value or str(value).strip().lower() in ("", "nan", "none")


def mmbench_score(doc: Doc, answers: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return what `mmbench_accuracy` needs of a question and its answer."""
    names = ("index", "question", "answer", "category")
    kept = {name: doc[name] for name in names} | {
        letter: "nan" if _is_nothing(doc.get(letter)) else str(doc[letter]) for letter in "ABCD"
    }
    return {"accuracy": kept | {"prediction": answers[0].strip()}}


def mmbench_accuracy(items: Sequence[Mapping[str, Any]]) -> float:
    """Return the share of questions that are answered rightly in all orders of their options.

    Letters and options are found in answers by lmms-eval's rules, without a judge.
    """
    from lmms_eval.tasks.mmbench.mmbench_evals import MMBench_Evaluator

    return 100.0 * float(MMBench_Evaluator().eval_result([dict(item) for item in items], eval_method="static")[0])


def of_images(docs: Any) -> Any:
    """Leave out SEED-Bench's questions on videos."""
    return docs.filter(lambda kind: kind == "image", input_columns=["data_type"])


def seed_question(doc: Doc, options: Mapping[str, Any] | None = None) -> str:
    """Return the question and its lettered choices."""
    choices = "".join(f"\n{letter}. {doc[f'choice_{letter.lower()}']}" for letter in "ABCD")
    return f"{doc['question']}{choices}{LETTER}"


def seed_score(doc: Doc, answers: Sequence[str]) -> dict[str, float]:
    """Return 100 if the answer is the right letter and nothing else."""
    return {"accuracy": 100.0 * (answers[0].strip() == doc["answer"])}


def mmvet_question(doc: Doc, options: Mapping[str, Any] | None = None) -> str:
    """Return the question alone."""
    return doc["question"]


def mmvet_score(doc: Doc, answers: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return MM-Vet's question to a judge, as lmms-eval has it. It is asked later, by the workflow."""
    os.environ.setdefault("OPENAI_API_KEY", "none")  # the module makes a client when it is loaded; nothing is asked
    from lmms_eval.tasks.mmvet.utils import MM_VET_PROMPT

    truth = doc["answer"].replace("<AND>", " <AND> ").replace("<OR>", " <OR> ")
    asked = f"{MM_VET_PROMPT}\n{doc['question']} | {truth} | {answers[0]} |"
    return {"to_judge": {"id": str(doc["question_id"]), "asked": asked}}


def number(items: Sequence[Any]) -> int:
    """Return how many answers there are; it stands in for a score until a judge has graded them."""
    return len(items)
