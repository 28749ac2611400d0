"""A model behind an endpoint that answers every stage of TaskGalaxy from the request alone, and misbehaves at times."""

import base64
import hashlib
import io
import json
import re
from typing import Any

from PIL import Image

from tests.helpers.judge_server import Answer, question_of, refusal, verdict

KINDS = ("counting", "naming colours of", "locating", "comparing", "describing", "reading")
THINGS = ("circles", "squares", "bars", "digits", "crosses", "large shapes", "small shapes", "dark shapes")
FAULTS = ("429", "500", "stall", "truncated", "prose", "refused")
"""What is done to a question the first time; each of them to about one question in forty."""


def number_of(*texts: str) -> int:
    """Return a number that follows from texts alone."""
    return int(hashlib.sha256("\x1f".join(texts).encode()).hexdigest()[:8], 16)


def answer(body: dict[str, Any], times: int) -> Answer:
    """Answer as a well-behaved model does, or with a fault the first time the question is asked."""
    text = json.dumps(reply(body))
    fault = number_of(question_of(body), picture_of(body), body["model"]) % 240
    if times == 1 and fault < len(FAULTS):
        return faulty(FAULTS[fault], text)
    fenced = number_of(text) % 3 == 0
    return verdict(f"Here you are:\n```json\n{text}\n```" if fenced else text)


def faulty(fault: str, text: str) -> Answer:
    """Return an answer that is of no use, in one of the ways that endpoints have."""
    match fault:
        case "429":
            return refusal(429, "slow down", Retry_After="1")
        case "500":
            return refusal(500, "broken")
        case "stall":
            return verdict(text, delay=4.0)
        case "truncated":
            return verdict(text[: len(text) // 2])
        case "prose":
            return verdict("I am sorry, but I cannot help with that.")
        case _:
            return refusal(400, "not that", code="content_filter")


def reply(body: dict[str, Any]) -> dict[str, Any]:
    """Return what a well-behaved model replies, which depends on the request alone."""
    question = question_of(body)
    if "Place in the tree:" in question:
        return expansion(question)
    picture = picture_of(body)
    if "Which of these tasks" in question:
        return suitable(question, picture)
    kind = re.search(r"(?:for the task|^Task): (.*)", question, re.MULTILINE)
    assert kind
    if "Write one question" in question:
        return {
            "question": f"What of {kind[1]} in {picture[:6]}?",
            "answer": f"the {number_of(kind[1], picture) % 9}th",
        }
    return votes(question, body["model"])


def expansion(question: str) -> dict[str, Any]:
    """Return as many types as are asked for, some of them written as lists are, some said twice."""
    parent = re.search(r"Place in the tree: (.*)", question)
    number = re.search(r"Name (\d+) more", question)
    assert parent
    assert number
    start = number_of(parent[1])
    names = [f"{KINDS[(start + n) % 6]} {THINGS[(start // 7 + n) % 8]}" for n in range(int(number[1]))]
    names[0] = f'1. "{names[0].title()}".'
    return {"types": [*names, names[-1].upper()]}


def suitable(question: str, picture: str) -> dict[str, Any]:
    """Return about two thirds of the numbers; for one picture in eight a number that was not offered."""
    numbers = [int(found) for found in re.findall(r"^(\d+)\. ", question, re.MULTILINE)]
    kept = [number for number in numbers if number_of(picture, str(number)) % 3]
    return {"suitable": [*kept, len(numbers) + 1] if number_of(picture) % 8 == 0 else kept}


def votes(question: str, judge: str) -> dict[str, Any]:
    """Return votes of a judge on question and answer: on the answer each judge has its own mind."""
    asked = re.search(r"^Question: (.*)", question, re.MULTILINE)
    told = re.search(r"^Answer: (.*)", question, re.MULTILINE)
    assert asked
    assert told
    good = [int(number_of("question", asked[1]) % 10 > 0), int(number_of(asked[1], told[1], judge) % 4 > 0)]
    return {"question": good[0], "answer": good[1], "reason": f"<b>{judge}</b> looked & found it so"}


def picture_of(body: dict[str, Any]) -> str:
    """Return a digest of the pixels that were sent, or nothing."""
    content = body["messages"][-1]["content"]
    if isinstance(content, str):
        return ""
    url = next(part["image_url"]["url"] for part in content if part["type"] == "image_url")
    with Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))) as image:
        return hashlib.sha256(image.tobytes()).hexdigest()
