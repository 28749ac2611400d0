"""The three stages that look at pictures: which types suit, a question and its answer, votes on both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visatb.endpoints.client import Question
from visatb.endpoints.endpoint import Endpoint
from visatb.endpoints.prompts import Prompt
from visatb.runtime.files import read_parquet
from visatb.taskgalaxy.asking import Asking, Outcome, ask
from visatb.taskgalaxy.connections import asking_of
from visatb.taskgalaxy.jobs import PictureJob
from visatb.taskgalaxy.prompt_files import read_prompt
from visatb.taskgalaxy.replies import parse_exchange, parse_numbers, parse_votes
from visatb.taskgalaxy.tables import Row, kept, rejected, sample_id
from visatb.taskgalaxy.types import ARROW, comparable

PROMPT_OF = {"filter_types": "filter", "write_questions": "write", "vote": "vote"}
"""Stage -> its prompt."""


@dataclass(frozen=True)
class PictureStage:
    """What the stages that send pictures share.

    Attributes:
        images: the folder of pictures.
        side: longest side in pixels that pictures are sent with.
        prompt: its texts, with places for what differs between pictures.
        paths: type id -> its three names in one text.
        asking: how.
    """

    images: str | Path
    side: int
    prompt: Prompt
    paths: Mapping[str, str]
    asking: Asking

    def prompt_for(self, row: Row, apart: str = "", **texts: str) -> Question:
        """Return the prompt on a row's picture."""
        picture = str(Path(self.images) / row["image"])
        user = self.prompt.filled(**texts)
        return Question(self.prompt.system, user, picture, self.side, row["digest"], apart)


def picture_stage(stage: str, job: PictureJob, prompt: Path, types: Path, images: Path, replies: Path) -> PictureStage:
    """Return how a stage sends pictures.

    Args:
        stage: its name, of `PROMPT_OF`.
        job: what it depends on.
        prompt: file of its texts.
        types: table of types.
        images: the folder of pictures.
        replies: folder of the replies of all stages.
    """
    texts, paths = read_prompt(PROMPT_OF[stage], str(prompt)), type_paths(read_parquet(types).to_pylist())
    return PictureStage(images, job.image_side, texts, paths, asking_of(stage, job, replies))


def type_paths(types: Sequence[Row]) -> dict[str, str]:
    """Return type id -> its three names in one text."""
    return {row["id"]: ARROW.join((row["level_1"], row["level_2"], row["level_3"])) for row in types}


def filter_types(matches: Sequence[Row], stage: PictureStage, endpoint: Endpoint) -> list[Row]:
    """Return a row of `CANDIDATE_SCHEMA` for each match: a picture's types are asked about together, by number."""
    of_picture: dict[str, list[Row]] = {}
    for match in matches:
        of_picture.setdefault(match["digest"], []).append(match)
    groups = list(of_picture.values())
    prompts = [(stage.prompt_for(group[0], types=_numbered(group, stage)), endpoint) for group in groups]
    outcomes = ask(stage.asking, prompts, lambda n, text: parse_numbers(text, len(groups[n])))
    return [
        _candidate(match, number, outcome)
        for group, outcome in zip(groups, outcomes, strict=True)
        for number, match in enumerate(group, start=1)
    ]


def _numbered(group: Sequence[Row], stage: PictureStage) -> str:
    return "\n".join(f"{number}. {stage.paths[match['type']]}" for number, match in enumerate(group, start=1))


def _candidate(match: Row, number: int, outcome: Outcome[list[int]]) -> Row:
    columns = {name: match[name] for name in ("image", "digest", "type", "cosine")}
    verdict = kept()
    if outcome.value is None:
        verdict = rejected(outcome.reason, outcome.detail)
    elif number not in outcome.value:
        verdict = rejected("does not suit the picture")
    return {"id": sample_id(match["digest"], match["type"]), **columns, **verdict, "request": outcome.request}


def write_questions(candidates: Sequence[Row], stage: PictureStage, endpoint: Endpoint) -> list[Row]:
    """Return a row of `SAMPLE_SCHEMA` for each candidate.

    A question that an earlier type of the same picture has already led to is rejected.
    """
    prompts = [(stage.prompt_for(row, type=stage.paths[row["type"]]), endpoint) for row in candidates]
    outcomes = ask(stage.asking, prompts, lambda _, text: parse_exchange(text))
    earlier: dict[tuple[str, str], str] = {}
    return [_sample(row, outcome, earlier) for row, outcome in zip(candidates, outcomes, strict=True)]


def _sample(row: Row, outcome: Outcome[tuple[str, str]], earlier: dict[tuple[str, str], str]) -> Row:
    columns = {name: row[name] for name in ("id", "image", "digest", "type")}
    question, answer = outcome.value or (None, None)
    verdict = kept() if outcome.value else rejected(outcome.reason, outcome.detail)
    if question is not None:
        key = (row["digest"], comparable(question) or question)
        if key in earlier:
            verdict = rejected("question asked before on the picture", earlier[key])
        earlier.setdefault(key, row["id"])
    return columns | {"question": question, "answer": answer, **verdict, "request": outcome.request}


def vote(
    samples: Sequence[Row], stage: PictureStage, judges: Sequence[Endpoint], min_votes: int
) -> tuple[list[Row], list[Row]]:
    """Return each judge's vote on each sample (`VOTE_SCHEMA`), and each sample with its votes (`JUDGED_SCHEMA`).

    A judge sees picture, type, question and answer. Its vote counts where it says 1 of question and of answer; a reply
    that cannot be used is no vote. Votes belong to samples by the sample's id, which is unique.
    """
    pairs = [(sample, judge) for sample in samples for judge in judges]
    prompts = [(_ballot(sample, judge, stage), judge) for sample, judge in pairs]
    outcomes = ask(stage.asking, prompts, lambda _, text: parse_votes(text))
    votes = [_vote(sample["id"], judge.name, outcome) for (sample, judge), outcome in zip(pairs, outcomes, strict=True)]
    of_sample: dict[str, list[Row]] = {}
    for ballot in votes:
        of_sample.setdefault(ballot["id"], []).append(ballot)
    return votes, [_judged(sample, of_sample[sample["id"]], min_votes) for sample in samples]


def _ballot(sample: Row, judge: Endpoint, stage: PictureStage) -> Question:
    texts = {"type": stage.paths[sample["type"]], "question": sample["question"], "answer": sample["answer"]}
    return stage.prompt_for(sample, apart=judge.name, **texts)


def _vote(name: str, judge: str, outcome: Outcome[tuple[int, int, str]]) -> Row:
    row: dict[str, Any] = {"id": name, "judge": judge, "model": outcome.model, "request": outcome.request}
    if outcome.value is None:
        return row | {"vote": 0, "question_vote": None, "answer_vote": None, "reason": outcome.reason}
    question, answer, reason = outcome.value
    return row | {"vote": question * answer, "question_vote": question, "answer_vote": answer, "reason": reason}


def _judged(sample: Row, votes: Sequence[Row], min_votes: int) -> Row:
    columns = {name: sample[name] for name in ("id", "image", "digest", "type", "question", "answer")}
    count = sum(ballot["vote"] for ballot in votes)
    reasons = "; ".join(f"{ballot['judge']}: {ballot['vote']} ({ballot['reason']})" for ballot in votes)
    verdict = kept() if count >= min_votes else rejected("too few votes", reasons)
    return columns | {"votes": count, **verdict}
