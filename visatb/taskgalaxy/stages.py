"""The three stages that look at pictures: which types suit, a question and its answer, votes on both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visatb.endpoints.client import Question
from visatb.endpoints.endpoint import Endpoint
from visatb.endpoints.prompts import Prompt
from visatb.taskgalaxy.asking import Asking, Outcome, Use, ask
from visatb.taskgalaxy.replies import read_exchange, read_numbers, read_votes
from visatb.taskgalaxy.tables import Row, kept, rejected, sample_id
from visatb.taskgalaxy.types import ARROW, comparable


@dataclass(frozen=True)
class Looking:
    """What the stages that look at pictures share.

    Attributes:
        images: the folder of pictures.
        side: longest side in pixels that pictures are sent with.
        prompt: what is asked.
        paths: type id -> its three names in one text.
        asking: how.
    """

    images: str | Path
    side: int
    prompt: Prompt
    paths: Mapping[str, str]
    asking: Asking

    def question(self, row: Row, apart: str = "", **texts: str) -> Question:
        """Return the question on a row's picture."""
        picture = str(Path(self.images) / row["image"])
        user = self.prompt.filled(**texts)
        return Question(self.prompt.system, user, picture, self.side, row["digest"], apart)


def type_paths(types: Sequence[Row]) -> dict[str, str]:
    """Return type id -> its three names in one text."""
    return {row["id"]: ARROW.join((row["level_1"], row["level_2"], row["level_3"])) for row in types}


def filter_types(matches: Sequence[Row], looking: Looking, endpoint: Endpoint, use: Use) -> list[Row]:
    """Return a row of `CANDIDATE_SCHEMA` for each match: a picture's types are asked about together, by number."""
    of_picture: dict[str, list[Row]] = {}
    for match in matches:
        of_picture.setdefault(match["digest"], []).append(match)
    groups = list(of_picture.values())
    questions = [(looking.question(group[0], types=_numbered(group, looking)), endpoint) for group in groups]
    outcomes = ask(looking.asking, questions, lambda n, text: read_numbers(text, len(groups[n])), use)
    return [
        _candidate(match, number, outcome)
        for group, outcome in zip(groups, outcomes, strict=True)
        for number, match in enumerate(group, start=1)
    ]


def _numbered(group: Sequence[Row], looking: Looking) -> str:
    return "\n".join(f"{number}. {looking.paths[match['type']]}" for number, match in enumerate(group, start=1))


def _candidate(match: Row, number: int, outcome: Outcome[list[int]]) -> Row:
    columns = {name: match[name] for name in ("image", "digest", "type", "cosine")}
    verdict = kept()
    if outcome.value is None:
        verdict = rejected(outcome.reason, outcome.detail)
    elif number not in outcome.value:
        verdict = rejected("does not suit the picture")
    return {"id": sample_id(match["digest"], match["type"]), **columns, **verdict, "request": outcome.request}


def write_questions(candidates: Sequence[Row], looking: Looking, endpoint: Endpoint, use: Use) -> list[Row]:
    """Return a row of `SAMPLE_SCHEMA` for each candidate.

    A question that an earlier type of the same picture has already led to is rejected.
    """
    questions = [(looking.question(row, type=looking.paths[row["type"]]), endpoint) for row in candidates]
    outcomes = ask(looking.asking, questions, lambda _, text: read_exchange(text), use)
    asked: dict[tuple[str, str], str] = {}
    return [_sample(row, outcome, asked) for row, outcome in zip(candidates, outcomes, strict=True)]


def _sample(row: Row, outcome: Outcome[tuple[str, str]], asked: dict[tuple[str, str], str]) -> Row:
    columns = {name: row[name] for name in ("id", "image", "digest", "type")}
    question, answer = outcome.value or (None, None)
    verdict = kept() if outcome.value else rejected(outcome.reason, outcome.detail)
    if question is not None:
        key = (row["digest"], comparable(question) or question)
        if key in asked:
            verdict = rejected("question asked before on the picture", asked[key])
        asked.setdefault(key, row["id"])
    return columns | {"question": question, "answer": answer, **verdict, "request": outcome.request}


def vote(
    samples: Sequence[Row], looking: Looking, judges: Sequence[Endpoint], min_votes: int, use: Use
) -> tuple[list[Row], list[Row]]:
    """Return each judge's vote on each sample (`VOTE_SCHEMA`), and each sample with its votes (`JUDGED_SCHEMA`).

    A judge sees picture, type, question and answer. Its vote counts where it says 1 of question and of answer; a reply
    that cannot be used is no vote. Votes belong to samples by the sample's id, which is unique.
    """
    pairs = [(sample, judge) for sample in samples for judge in judges]
    questions = [(_ballot(sample, judge, looking), judge) for sample, judge in pairs]
    outcomes = ask(looking.asking, questions, lambda _, text: read_votes(text), use)
    votes = [_vote(sample["id"], judge.name, outcome) for (sample, judge), outcome in zip(pairs, outcomes, strict=True)]
    of_sample: dict[str, list[Row]] = {}
    for one in votes:
        of_sample.setdefault(one["id"], []).append(one)
    return votes, [_judged(sample, of_sample[sample["id"]], min_votes) for sample in samples]


def _ballot(sample: Row, judge: Endpoint, looking: Looking) -> Question:
    texts = {"type": looking.paths[sample["type"]], "question": sample["question"], "answer": sample["answer"]}
    return looking.question(sample, apart=judge.name, **texts)


def _vote(name: str, judge: str, outcome: Outcome[tuple[int, int, str]]) -> Row:
    row: dict[str, Any] = {"id": name, "judge": judge, "model": outcome.model, "request": outcome.request}
    if outcome.value is None:
        return row | {"vote": 0, "question_vote": None, "answer_vote": None, "reason": outcome.reason}
    question, answer, reason = outcome.value
    return row | {"vote": question * answer, "question_vote": question, "answer_vote": answer, "reason": reason}


def _judged(sample: Row, votes: Sequence[Row], min_votes: int) -> Row:
    columns = {name: sample[name] for name in ("id", "image", "digest", "type", "question", "answer")}
    count = sum(one["vote"] for one in votes)
    said = "; ".join(f"{one['judge']}: {one['vote']} ({one['reason']})" for one in votes)
    verdict = kept() if count >= min_votes else rejected("too few votes", said)
    return columns | {"votes": count, **verdict}
