"""A judge that counts words, so that a test can count them too."""

from typing import Any

from tests.helpers.judge_server import Answer, question_of, refusal, verdict


def grades(reference: str, answer: str) -> tuple[int, int] | None:
    """Return the grades: the more words of the reference are in an answer, the better; for some answers none."""
    if len(answer) % 11 == 0:
        return None
    words = set(reference.split())
    return 8 + len(reference) % 3, 1 + round(9 * len(words & set(answer.split())) / len(words))


def grade(body: dict[str, Any], times: int) -> Answer:
    """Grade by `grades` what is asked in the words of config/judge.yaml; now and then it takes a second attempt."""
    question = question_of(body)
    reference, answer = (
        question.split(f"=== Answer {letter} ===\n")[1].split("\n\n===")[0].strip() for letter in ("A", "B")
    )
    if times == 1 and len(reference) % 7 == 0:
        return refusal(500)
    numbers = grades(reference, answer)
    return verdict(f"{numbers[0]} {numbers[1]}\nBy the words." if numbers else "I would rather not say.")
