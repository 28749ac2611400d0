"""TaskGalaxy around its requests: pictures, embeddings, export, plan, page, and mistakes in its config."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoTokenizer, CLIPModel

from tests.helpers.galaxy_examples import draw_pictures, save_tiny_clip, section
from visatb.config.taskgalaxy import ExportConfig, TaskGalaxyConfig
from visatb.endpoints.images import as_data_url, digest_of
from visatb.errors import VisatbError
from visatb.experiment.checks.taskgalaxy import checked_data_set, makes_data_alone
from visatb.experiment.experiment import Experiment
from visatb.runtime.cli import as_json
from visatb.taskgalaxy.browse import as_script, draw_examples
from visatb.taskgalaxy.clip import Clip
from visatb.taskgalaxy.connections import asking_of, endpoints_of, require_keys
from visatb.taskgalaxy.embedding import embed, fingerprint, unit_vectors
from visatb.taskgalaxy.export import export_rows, split_of, write_export
from visatb.taskgalaxy.jobs import (
    VotingJob,
    connections,
    expansion_job,
    filter_job,
    plan_job,
    provenance_job,
    voting_job,
    writing_job,
)
from visatb.taskgalaxy.pictures import list_pictures
from visatb.taskgalaxy.plan import format_plan, plan
from visatb.taskgalaxy.prompt_files import read_prompts
from visatb.taskgalaxy.types import normalised, read_seeds

URL = "http://localhost:1/v1"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_clip(tmp_path_factory.mktemp("clip") / "clip")


def test_pictures_are_listed_with_what_is_wrong_with_them(tmp_path: Path):
    draw_pictures(tmp_path / "in", 6)
    (tmp_path / "secret.png").write_bytes((tmp_path / "in" / "0000 é.png").read_bytes())
    (tmp_path / "in" / "out.png").symlink_to(tmp_path / "secret.png")
    rows = {row["image"]: row for row in list_pictures(tmp_path / "in")}
    assert {name: row["reason"] for name, row in rows.items() if row["status"] == "rejected"} == {
        "cut.png": "unreadable image",
        "words.jpg": "unreadable image",
        "out.png": "image outside",
        "zz copy.png": "same content as another picture",
    }
    assert rows["more/0001 é.png"]["width"] == 64
    assert rows["0000 é.png"]["digest"] == digest_of(str(tmp_path / "in" / "0000 é.png"))
    with pytest.raises(VisatbError, match="no such folder"):
        list_pictures(tmp_path / "nowhere")


def test_embeddings_are_those_of_transformers(clip: Path, tmp_path: Path):
    draw_pictures(tmp_path / "in", 4, broken=False)
    paths = sorted((tmp_path / "in").rglob("*.png"))
    ours, model = Clip(str(clip), 0, "test"), CLIPModel.from_pretrained(clip).double().eval()
    mean, deviation = np.array([0.48145466, 0.4578275, 0.40821073]), np.array([0.26862954, 0.26130258, 0.27577711])
    pixels = [np.asarray(Image.open(path).convert("RGB").resize((32, 32), Image.Resampling.BICUBIC)) for path in paths]
    scaled = torch.tensor(np.stack([(pixel / 255 - mean) / deviation for pixel in pixels])).permute(0, 3, 1, 2)
    texts = ["Counting people", "Reading a shop sign " * 30]
    tokens = AutoTokenizer.from_pretrained(clip)(texts, padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        expected = model.get_image_features(pixel_values=scaled).pooler_output.numpy()
        told = model.get_text_features(**{n: tokens[n] for n in ("input_ids", "attention_mask")}).pooler_output.numpy()
    np.testing.assert_allclose(unit_vectors(ours.pictures(paths)), unit_vectors(expected), atol=2e-5)
    np.testing.assert_allclose(unit_vectors(ours.texts(texts)), unit_vectors(told), atol=2e-5)
    np.testing.assert_allclose(unit_vectors(ours.texts(texts[:1])), unit_vectors(told[:1]), atol=2e-5)


def vectors_of(calls: list[list[int]], keys: list[str]) -> Any:
    def compute(numbers: list[int]) -> np.ndarray:
        calls.append(numbers)
        return np.array([[int(keys[number], 16) + 1.0, 2.0, number * 0 + 3.0] for number in numbers])

    return compute


def test_only_what_is_new_or_damaged_is_embedded_again(tmp_path: Path):
    keys, calls = [f"{n:02x}" for n in range(10)], list[list[int]]()
    embed(keys, vectors_of(calls, keys), tmp_path / "shards", tmp_path / "a.npy", "test", (2, 4))
    assert calls == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    expected = np.load(tmp_path / "a.npy")
    np.testing.assert_allclose(expected, unit_vectors(np.array([[n + 1.0, 2, 3] for n in range(10)])))
    more = ["ff", *keys[::-1]]
    calls.clear()
    embed(more, vectors_of(calls, more), tmp_path / "shards", tmp_path / "b.npy", "test", (2, 4))
    assert calls == [[0]]
    np.testing.assert_array_equal(np.load(tmp_path / "b.npy")[1:], expected[::-1])
    damaged = max((tmp_path / "shards").glob("*.npz"), key=lambda path: path.stat().st_size)
    damaged.write_bytes(damaged.read_bytes()[:100])
    calls.clear()
    embed(keys, vectors_of(calls, keys), tmp_path / "shards", tmp_path / "c.npy", "test", (4, 4))
    assert sum(map(len, calls)) == 4
    np.testing.assert_array_equal(np.load(tmp_path / "c.npy"), expected)


def test_another_checkpoint_has_other_shards(clip: Path, tmp_path: Path):
    assert fingerprint(str(clip)) == fingerprint(str(clip))
    assert fingerprint("openai/clip@main") != fingerprint("openai/clip@other") != fingerprint(str(clip))


def test_pictures_are_sent_small_and_only_as_they_were_listed(tmp_path: Path):
    path = str(tmp_path / "a.png")
    Image.new("RGBA", (900, 300), "red").save(path)
    url = as_data_url(path, 90, digest_of(path))
    assert url.startswith("data:image/jpeg;base64,")
    before = digest_of(path)
    Image.new("RGB", (9, 9), "blue").save(path)
    with pytest.raises(VisatbError, match="has changed since it was listed"):
        as_data_url(path, 90, before)


EXPORT = ExportConfig(task="level_1", clusters=2, seed=0, min_samples=10, val=0.2, test=0.2)


def samples_of(task: str, number: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    types = [{"id": f"{task}-type", "level_1": task, "level_2": "two", "level_3": "three"}]
    rows = [
        {"id": f"{task}{n}", "image": f"{n}.png", "digest": f"d{n}", "type": f"{task}-type"}
        | {"question": "<b>Q?</b> é", "answer": "A", "votes": 2}
        for n in range(number)
    ]
    return rows, types


def test_small_tasks_are_left_out_with_their_reason_and_nothing_depends_on_the_order(tmp_path: Path):
    large, types = samples_of("large", 60)
    small, more = samples_of("small", 9)
    task_of = {"large-type": "large", "small-type": "small"}
    rows = export_rows(large + small, types + more, task_of, EXPORT)
    assert rows == export_rows((large + small)[::-1], types + more, task_of, EXPORT)
    assert {row["task"]: row["reason"] for row in rows} == {"large": None, "small": "task with too few samples"}
    write_export(rows, tmp_path, tmp_path / "t.parquet", tmp_path / "t.tsv")
    lines = {split: (tmp_path / f"{split}.jsonl").read_text().splitlines() for split in ("train", "val", "test")}
    assert sum(map(len, lines.values())) == 60
    assert {json.loads(line)["id"] for line in lines["val"]} == {
        row["id"] for row in large if split_of(row["digest"], 0, (0.2, 0.2)) == "val"
    }
    with pytest.raises(VisatbError, match="no task has enough of the 9 accepted samples"):
        write_export(export_rows(small, more, task_of, EXPORT), tmp_path, tmp_path / "t.parquet", tmp_path / "t.tsv")


def test_splits_have_their_shares():
    splits = [split_of(f"{n}", 1, (0.1, 0.2)) for n in range(5000)]
    assert splits.count("val") / 5000 == pytest.approx(0.1, abs=0.02)
    assert splits.count("test") / 5000 == pytest.approx(0.2, abs=0.02)


def test_the_plan_counts_requests_and_prices():
    config = TaskGalaxyConfig.model_validate(section(URL))
    table = plan(config, {"A": {"a": ["x", "y"]}, "B": {}}, 50, read_prompts(config)).set_index("endpoint")
    expand, judge = table.loc["planner"], table.loc["judge-b"]
    kinds = 1 + 3 * 1  # one of the seeds, one new in each of three families
    assert expand["requests"] == 1 + 3 + kinds
    leaves = 2 + kinds * 2
    assert judge["requests_at_most"] == 2 * min(50 * 5, leaves * 40)
    assert judge["price"] == pytest.approx((judge["prompt_tokens"] * 1 + judge["completion_tokens"] * 2) / 1e6)
    assert table.loc["looker", "prompt_tokens"].to_list() > [50 * 200, 0]
    text = format_plan(table.reset_index(), budget=0.001)
    assert "NOT enough for the plan" in text
    assert "judge-b" in text


def test_what_an_example_says_cannot_become_part_of_the_page():
    text = as_script({"question": "</script><script>alert(1)</script> & <!-- é"})
    assert not re.search("[<>&]", text)
    assert json.loads(text)["question"].startswith("</script>")


def test_every_outcome_is_shown():
    outcomes = {
        "accepted": [{"id": f"a{n}", "outcome": "accepted"} for n in range(100)],
        "rejected: rare": [{"id": "r", "outcome": "rejected: rare"}],
    }
    rows = draw_examples(outcomes, 10)
    assert len(rows) == 10
    assert sum(row["outcome"] == "rejected: rare" for row in rows) == 1
    assert rows == draw_examples({name: found[::-1] for name, found in outcomes.items()}, 10)


@pytest.mark.parametrize(
    ("written", "name"),
    [(' 1) "Counting  cups". ', "Counting cups"), ("- Ｃups", "Cups"), ("3D shapes", "3D shapes"), ("2. two", "two")],
)
def test_names_are_written_alike(written: str, name: str):
    assert normalised(written) == name


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("A: 3", "A: expected level-2 types, found int"),
        ("A: {B: C}", "A > B: expected a list of level-3 types, found str"),
        ("A: [B, b.]", "A: 'b.' is there twice"),
        ("A: {B: [yes]}", "A > B: expected a name, found True"),
        ("'?': []", "level 1: '?' is no name of a type"),
    ],
)
def test_mistakes_in_seeds_are_told(tmp_path: Path, text: str, mistake: str):
    (tmp_path / "seeds.yaml").write_text(text)
    with pytest.raises(VisatbError, match=re.escape(mistake)):
        read_seeds(tmp_path / "seeds.yaml")


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        (
            {"filter": {"endpoint": "loker"}},
            "taskgalaxy.filter.endpoint: there is no endpoint 'loker'; did you mean 'looker'?",
        ),
        ({"voting": {"endpoints": ["judge-a"], "min_votes": 2}}, "2 votes of 1 judges cannot be"),
        ({"voting": {"endpoints": ["judge-a"] * 2}}, "'judge-a' is there 2 times; a judge has one vote"),
        ({"embedding": {"text": "{level_4}"}}, "taskgalaxy.embedding.text"),
        ({"seeds": "no.yaml"}, "taskgalaxy.seeds: no.yaml: no such file"),
        (
            {"writing": {"endpoint": "looker", "prompt": "config/taskgalaxy/vote.yaml"}},
            "nothing to fill {question} with",
        ),
        ({"matchings": {}}, "matchings"),
        ({"folder": None}, "folder"),
    ],
)
def test_mistakes_in_the_section_are_told(change: dict[str, Any], mistake: str):
    with pytest.raises(VisatbError) as told:
        checked_data_set({"taskgalaxy": section(URL, **change)})
    assert mistake in str(told.value)


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        ({"prices": None}, "prices: needed, for there is a budget"),
        ({"parameters": {"temperature": 0}}, "with prices, max_tokens says how dear"),
        ({"parameters": {"max_tokens": "many"}}, "expected a whole number above 0 of max_tokens"),
        ({"parameters": {"max_tokens": 9, "messages": "x"}}, "'messages' is set by the workflow itself"),
        ({"url": "https://me:secret@x.org/v1"}, "an address must hold no key or password"),
        ({"key_variable": "sk-secret"}, "expected the name of an environment variable"),
    ],
)
def test_mistakes_in_an_endpoint_are_told_without_its_key(change: dict[str, Any], mistake: str):
    values = section(URL, budget=1.0)
    values["endpoints"]["looker"] |= change
    with pytest.raises(VisatbError) as told:
        checked_data_set({"taskgalaxy": values})
    assert f"taskgalaxy.endpoints.looker.{mistake.split(':')[0]}" in str(told.value) or mistake in str(told.value)
    assert mistake in str(told.value)
    assert "secret" not in str(told.value)


def test_an_experiment_may_have_the_section_and_a_data_set_needs_no_experiment():
    values = {"taskgalaxy": section(URL)}
    assert makes_data_alone(values)
    assert makes_data_alone({"extends": "config/experiments/taskgalaxy.yaml"})
    assert not makes_data_alone(values | {"extends": "config/config.yaml"})
    whole = Experiment.from_values(values | {"extends": "config/config.yaml"})
    assert whole.config.taskgalaxy == checked_data_set(values).taskgalaxy
    values["taskgalaxy"]["voting"]["min_votes"] = 4
    with pytest.raises(VisatbError, match="4 votes of 3 judges"):
        Experiment.from_values(values | {"extends": "config/config.yaml"})


def test_what_a_reply_depends_on_is_apart_from_how_it_is_had():
    first = TaskGalaxyConfig.model_validate(section(URL, budget=1.0))
    values = section("http://elsewhere/v1", budget=2.0)
    values["endpoints"]["looker"] |= {"concurrency": 1, "prices": {"input": 0, "output": 0}, "image_tokens": 9}
    second = TaskGalaxyConfig.model_validate(values)
    for job_of in (expansion_job, filter_job, writing_job, voting_job):
        assert as_json(job_of(first)) == as_json(job_of(second))
    assert connections(first) != connections(second)
    assert plan_job(first) != plan_job(second), "the plan tells prices"


def test_what_is_told_of_the_data_depends_on_no_address_and_no_budget():
    first = TaskGalaxyConfig.model_validate(section(URL, budget=1.0))
    second = TaskGalaxyConfig.model_validate(section("http://elsewhere/v1", budget=2.0, browse=7))
    for job_of in (plan_job, provenance_job):
        assert as_json(job_of(first)) == as_json(job_of(second))
        read = TaskGalaxyConfig.model_validate_json(as_json(job_of(first)))
        assert (read, read.export == first.export) == (job_of(first), job_of is provenance_job)


def test_a_job_finds_its_endpoints_as_the_config_has_them(monkeypatch: pytest.MonkeyPatch):
    config = TaskGalaxyConfig.model_validate(section(URL, budget=1.0))
    job = VotingJob.model_validate_json(as_json(voting_job(config)))
    with pytest.raises(VisatbError, match="does not say how the endpoints of taskgalaxy are reached"):
        endpoints_of(job)
    monkeypatch.setenv("VISATB_UNTRACKED", json.dumps({"taskgalaxy": connections(config)}))
    judges = endpoints_of(job)
    assert [judge.name for judge in judges] == config.voting.endpoints
    assert {judge.url for judge in judges} == {URL}
    assert judges[0].parameters == config.endpoints["judge-a"].parameters
    assert (judges[0].model, judges[0].retries, judges[0].prices) == ("model-judge-a", 4, (1.0, 2.0))
    assert asking_of("vote", job, Path("replies")).budget == 1.0


def test_a_missing_key_is_told_before_anything_runs(monkeypatch: pytest.MonkeyPatch):
    values = section(URL)
    values["endpoints"]["judge-b"]["key_variable"] = "GALAXY_JUDGE_KEY"
    values["endpoints"]["unused"] = {"model": "m", "key_variable": "NOT_SET"}
    config = TaskGalaxyConfig.model_validate(values)
    monkeypatch.delenv("GALAXY_JUDGE_KEY", raising=False)
    with pytest.raises(VisatbError, match=r"judge-b.*GALAXY_JUDGE_KEY is not set"):
        require_keys(config)
    monkeypatch.setenv("GALAXY_JUDGE_KEY", "x")
    require_keys(config)
