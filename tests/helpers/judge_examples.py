"""Predictions to judge, and a judge to ask about them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from visatb.endpoints.endpoint import Endpoint
from visatb.endpoints.prompts import Prompt
from visatb.evaluation.judge.judge import Judging, judge_predictions

PROMPT = Prompt("Be strict.", "C: {context}\nQ: {question}\nA: {reference}\nB: {answer}")
KEY_VARIABLE = "JUDGE_TEST_KEY"
KEY = "sk-very-secret-0123456789"
ENDPOINT = Endpoint("", "judge", {"temperature": 0, "max_tokens": 64}, KEY_VARIABLE, 4, 10.0, 2)


def predictions(number: int, answers: list[str] | None = None) -> pa.Table:
    """Return predictions s0, s1, ... on a picture each."""
    texts = answers or [f"answer {n}" for n in range(number)]
    return pa.table(
        {
            "id": [f"s{n}" for n in range(number)],
            "image": [f"pictures/{n}.png" for n in range(number)],
            "prompt": [f"<image>\nquestion {n}?" for n in range(number)],
            "prediction": texts,
            "truths": [[f"reference {n}", "another"] for n in range(number)],
            "finish_reason": ["stop"] * number,
        }
    )


def judged(table: pa.Table, url: str, folder: Path, judging: Judging | None = None, **changes: Any) -> pa.Table:
    """Have the predictions judged."""
    endpoint = replace(ENDPOINT, url=url, **changes)
    return judge_predictions("judge test", table, judging or Judging(PROMPT), endpoint, folder)
