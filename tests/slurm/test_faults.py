"""What befalls jobs on a cluster: one training goes through it all and ends as if nothing had happened."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.cluster import Cluster
from tests.helpers.cluster_jobs import RESULTS, TWO_TASKS, Snakemake, Start, finish, jobs_of, wait_until
from tests.helpers.running import REPOSITORY, run_workflow, workplace

pytestmark = pytest.mark.slow
MODEL = RESULTS / "runs" / "mini" / "model"
LONG = f"extends: {TWO_TASKS}\ntraining: {{epochs: 300, save_steps: 20}}\n"


def state(cluster: Cluster, number: int) -> dict[str, str]:
    return {"JobState": "", "NodeList": "", "Restarts": "0"} | (jobs_of(cluster)[number:] or [{}])[0]


@pytest.fixture
def undisturbed(tmp_path: Path, tiny_base: Path) -> Path:
    """Return a folder in which the training has run on this machine."""
    folder = workplace(tmp_path / "local", tiny_base)
    (folder / "long.yaml").write_text(LONG)
    (folder / "local.yaml").write_text("extends: long.yaml\nresources: {mini: {gpus: 0}}\n")
    run_workflow(folder, "--", str(MODEL), configfile="local.yaml")
    return folder


def test_cancelled_off_a_node_that_went_down_and_without_its_snakemake(
    start_cluster: Start, on_cluster: Snakemake, undisturbed: Path, tmp_path: Path
):
    folder = tmp_path / "cluster"
    subprocess.run(["cp", "-a", str(undisturbed), str(folder)], check=True)
    subprocess.run(["rm", "-r", str(folder / RESULTS / "runs")], check=True)
    (folder / "slurm").symlink_to(REPOSITORY / "slurm")
    cluster, run = start_cluster(), folder / MODEL.parent

    def command() -> subprocess.Popen:
        return on_cluster(cluster, folder, "--retries", "2", str(MODEL), configfile="long.yaml")

    def saved() -> int:
        return max((int(path.name.partition("-")[2]) for path in run.glob("checkpoints/*/*/checkpoint-*")), default=0)

    def goes_on(number: int, above: int) -> Callable[[], bool]:
        return lambda: state(cluster, number)["JobState"] == "RUNNING" and saved() > above

    first = command()
    wait_until(goes_on(0, 0), folder)
    cluster.output_of("scancel", jobs_of(cluster)[0]["JobId"])
    cancelled_at = saved()
    wait_until(goes_on(1, cancelled_at), folder)

    node = state(cluster, 1)["NodeList"]
    cluster.output_of("scontrol", "update", f"NodeName={node}", "State=DRAIN", "Reason=test")
    drained_at = saved()
    wait_until(goes_on(1, drained_at), folder)  # a job on a node that is drained may end
    cluster.output_of("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    wait_until(lambda: state(cluster, 1)["Restarts"] == "1", folder)
    down_at = saved()
    wait_until(goes_on(1, down_at), folder)
    assert state(cluster, 1)["NodeList"] != node

    first.kill()
    first.wait()
    second = command()
    log = folder / RESULTS / "logs" / "train" / "mini.log"
    wait_until(lambda: "waits: process" in _text(log), folder)
    finish(second, folder)
    assert "nothing to train" in _text(log)
    assert [job["JobState"] for job in jobs_of(cluster)] == ["CANCELLED", "COMPLETED", "COMPLETED"]
    history = [json.loads(entry) for entry in (run / "training.jsonl").read_text().splitlines()]
    begun = {entry["attempt"]: entry["step"] for entry in reversed(history)}
    assert begun[2] > cancelled_at - 20
    assert len(begun) == 3, "the second Snakemake's job trained nothing"
    for name in ("model.safetensors", "config.json"):
        assert (folder / MODEL / name).read_bytes() == (undisturbed / MODEL / name).read_bytes()


def _text(path: Path) -> str:
    time.sleep(0.2)
    return path.read_text() if path.is_file() else ""
