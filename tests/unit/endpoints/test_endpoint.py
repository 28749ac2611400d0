"""An endpoint made of a section of the config and of what the environment says of the way to it."""

import json

import pytest

from visatb.config.endpoints import EndpointConfig, JudgeConfig, ServedConfig
from visatb.config.types import Parameter
from visatb.config.zero_shot import ServerConfig
from visatb.endpoints.endpoint import endpoint_of, reached
from visatb.errors import VisatbError
from visatb.evaluation.jobs import BenchmarkJob, ZeroShotJob
from visatb.evaluation.zero_shot.lmms_eval import asking_of

URL = "http://localhost:8000/v1"
PARAMETERS: dict[str, Parameter] = {"temperature": 0}


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("VISATB_UNTRACKED", raising=False)


def test_model_and_connection_meet_again(monkeypatch: pytest.MonkeyPatch):
    judge = JudgeConfig(
        model="m", url=URL, key_variable="K", concurrency=3, timeout=4, retries=0, parameters=PARAMETERS
    )
    monkeypatch.setenv("VISATB_UNTRACKED", json.dumps({"evaluation.judge": judge.connection}))
    again = reached(EndpointConfig, "evaluation.judge", model=judge.model, parameters=judge.parameters)
    assert endpoint_of(again) == endpoint_of(judge)
    assert not {"model", "parameters", "prompt"} & set(judge.connection)


def test_a_connection_that_is_missing_or_wrong_is_told_by_its_key(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(VisatbError, match=r"VISATB_UNTRACKED:\n.*evaluation\.endpoint\.url: missing"):
        reached(ServedConfig, "evaluation.endpoint", model="m", parameters={})
    monkeypatch.setenv("VISATB_UNTRACKED", json.dumps({"evaluation.endpoint": {"url": URL, "timeout": 0}}))
    with pytest.raises(VisatbError, match=r"evaluation\.endpoint\.timeout: must be above 0"):
        reached(ServedConfig, "evaluation.endpoint", model="m", parameters={})


def test_lmms_eval_is_told_attempts_in_all_and_no_key(monkeypatch: pytest.MonkeyPatch):
    server = ServerConfig(url="http://{run}.cluster/v1", key_variable="A_KEY", retries=2)
    monkeypatch.setenv("VISATB_UNTRACKED", json.dumps({"zero_shot.endpoint": server.connection}))
    monkeypatch.setenv("A_KEY", "sk-secret")
    job = ZeroShotJob(run="ew", benchmarks=(BenchmarkJob(name="POPE"),), served_model="my-ew", cache="hub")
    asking = asking_of(job, "runs/ew/model", "cpu", threads=2)
    assert asking.arguments["base_url"] == "http://ew.cluster/v1"
    assert asking.arguments["model"] == "my-ew"
    assert asking.arguments["max_retries"] == 3
    assert asking.environment == {"OMP_NUM_THREADS": "2", "HF_HOME": "hub", "OPENAI_API_KEY": "sk-secret"}
    assert "sk-secret" not in str(asking.arguments)
