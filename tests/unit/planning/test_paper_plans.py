"""The paper's step counts and costs, from its sample counts, through the plan of its experiments' configs."""

import pytest

from tests.helpers.paths import REPOSITORY
from visatb.config.loading import read_yaml
from visatb.experiment.experiment import Experiment
from visatb.planning.plan import plan

# Table 9 of the paper, in training conversations
ACADEMIC = {
    "ShareGPT4V": 98_000,
    "Ref-caption": 41_000,
    "VQAv2": 83_000,
    "GQA": 72_000,
    "ChartQA": 18_000,
    "OCRVQA": 80_000,
    "Ref-bbox": 41_000,
    "ShareGPT": 41_000,
}
GROUPS = {
    "Captioning": {"COCO", "TCap", "PCap"},
    "Classification": {"GOI", "Text", "INet", "ITM", "SVE", "Moch"},
    "VQA": {"Shap", "OCR", "GQA"},
    "Reasoning": {"SQA", "CLE", "NL"},
    "Generation": {"VisD", "M30k"},
}


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(REPOSITORY)


def experiment(name: str) -> Experiment:
    return Experiment.from_values(read_yaml(f"config/experiments/{name}.yaml"), name)


def sizes(of: Experiment, train: dict[str, int]) -> dict[tuple[str, str], int]:
    evaluated = {(task, split): 2000 for task in of.tasks for split in ("val", "test")}
    return {(task, "train"): train[task] for task in of.all_tasks} | evaluated


@pytest.mark.parametrize("name", ["academic", "academic-from-sources"])
def test_the_academic_plan_has_the_papers_steps(name: str):
    of = experiment(name)
    assert set(of.tasks) | set(of.config.fixed_tasks) == set(ACADEMIC)
    table = plan(of, sizes(of, ACADEMIC)).set_index("run")
    assert table.loc["ew", "samples"] == sum(ACADEMIC.values()) == 474_000
    assert 3_700 < table.loc["ew", "steps"] < 3_710  # "the final 3,700+ steps", appendix B
    assert table.loc["visatb", "steps"] == table.loc["ew", "steps"] == 3_704
    assert table.loc["mini", "steps"] == 116  # "the initial 100+ steps"
    runs = [run for run in table.index if run.startswith("plus-")]
    balanced = {task: samples for task, samples in ACADEMIC.items() if task != "ShareGPT"}
    assert runs == [f"plus-{task}" for task in balanced]
    # without ShareGPT, which is no task to balance, the preparation costs R_large + N R_mini = 1 + 7/32
    share = ACADEMIC["ShareGPT"] // 32
    cost = sum(table.loc[run, "samples"] - share for run in ["mini", *runs]) / sum(balanced.values())
    assert cost == pytest.approx(1 + 7 / 32, abs=1e-3)
    for task, samples in balanced.items():
        more = table.loc[f"plus-{task}", "samples"] - table.loc["mini", "samples"]
        assert more == pytest.approx(samples * 31 / 32, abs=1)


def test_the_m3it_plan_costs_a_quarter_and_five_minis():
    of = experiment("m3it")
    assert {group: set(tasks) for group, tasks in of.groups.items()} == GROUPS
    assert len(of.tasks) == 17
    train = dict.fromkeys(of.tasks, 1_200_000 // 17 // 32 * 32)  # 1.2 million; no size of a task matters to the cost
    table = plan(of, sizes(of, train)).set_index("run")
    preparation = table.loc[[f"plus-{group}" for group in GROUPS] + ["mini"], "samples"].sum()
    assert preparation / table.loc["ew", "samples"] == pytest.approx(0.25 + 5 / 32)
    assert table.loc["ew", "steps"] == -(-17 * train["COCO"] // 128)


def test_the_chat_plan_has_three_epochs():
    of = experiment("chat")
    train = {"conversation": 58_000, "detail": 23_000, "complex": 77_000}
    table = plan(of, sizes(of, train)).set_index("run")
    assert table.loc["ew", "steps"] == 3 * -(-158_000 // 128)


@pytest.mark.parametrize("name", ["academic", "m3it", "chat"])
def test_the_papers_settings(name: str):
    config = experiment(name).config
    training, balancing = config.training, config.balancing
    assert (training.global_batch_size, training.micro_batch_size, config.resources.final.gpus) == (128, 16, 8)
    assert (training.learning_rate, training.warmup, training.schedule) == (2e-5, 0.03, "cosine")
    assert (training.max_length, training.precision, training.weight_decay) == (2048, "bfloat16", 0)
    assert (balancing.alpha.out, balancing.alpha.in_, balancing.alpha.difficulty) == (0.25, 0.25, 0.5)
    assert balancing.temperature == {"academic": 0.5, "m3it": 1.0, "chat": 0.5}[name]
    assert config.sampling.mini == 1 / 32
    assert config.sampling.large == {"academic": 1, "m3it": 0.25, "chat": 1}[name]
    assert training.epochs == {"academic": 1, "m3it": 1, "chat": 3}[name]
    assert {name: fixed.weight for name, fixed in config.fixed_tasks.items()} in ({}, {"ShareGPT": 1.0})


def test_the_papers_preparation_is_in_the_config():
    sources = experiment("academic-from-sources").sources
    assert sources["ShareGPT4V"].hold_out.model_dump() == {"val": 2000, "test": 2000}
    assert sources["OCRVQA"].samples.train == 80_000
    assert {task for task, source in sources.items() if source.samples and source.samples.val == 20_000} == {
        "VQAv2",
        "GQA",
        "OCRVQA",
    }
    assert {task for task, source in sources.items() if source.max_exchanges == 9} == {"Ref-caption", "Ref-bbox"}
    merged = {task for task, source in sources.items() if source.merge_images}
    assert merged == {"Ref-caption", "VQAv2", "GQA", "ChartQA", "OCRVQA", "Ref-bbox"}
    assert sources["ShareGPT"].max_tokens == 2048
