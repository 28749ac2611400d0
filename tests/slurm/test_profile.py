"""The workflow through ``snakemake --profile slurm`` on a real Slurm whose GPUs are imaginary."""

import contextlib
import json
import shutil
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.helpers.cluster_jobs import RESULTS, TWO_TASKS, Snakemake, Start, finish, jobs_of, wait_until
from tests.helpers.running import REPOSITORY, command, run_workflow, workplace

pytestmark = pytest.mark.slow
MADE_BY_TRAININGS = ("runs", "predictions", "scores", "validation_matrix.tsv", "validation_scores.tsv", "weights.tsv")
WITHOUT_GPUS = f"""\
extends: {TWO_TASKS}
resources: {{mini: {{gpus: 0}}, plus: {{gpus: 0}}, predict: {{gpus: 0}}}}
"""


def asked(job: dict[str, str]) -> tuple[str, ...]:
    gpus = job.get("TresPerJob") or f"{job.get('TresPerNode')} a node"
    return (job["NumNodes"], gpus, job["CPUs/Task"], job["MinMemoryNode"], job["TimeLimit"])


def hold_back(folder: Path, process: "subprocess.Popen[str]", sign: str) -> None:
    """Let the training in ``folder`` run a tenth of the time until ``sign`` is printed.

    So it is still at work when the scheduler sends its signal, which may take it half a minute.
    """
    while sign not in (folder / "printed.txt").read_text() and process.poll() is None:
        for trainer in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if any(word.endswith("training.py") for word in trainer.cmdline()) and trainer.cwd() == str(folder):
                    trainer.suspend()
                    time.sleep(0.9)
                    trainer.resume()
        time.sleep(0.1)


def test_several_nodes_without_slurm_are_refused_before_anything_runs(tmp_path: Path):
    line = command(workplace(tmp_path), configfile=TWO_TASKS)
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "resources.final.nodes is 2" in done.stderr
    assert "snakemake --profile slurm" in done.stderr
    assert not (tmp_path / "data").exists()


def test_an_experiment_with_a_failing_job(start_cluster: Start, on_cluster: Snakemake, tmp_path: Path, tiny_base: Path):
    local = workplace(tmp_path / "local", tiny_base)
    (local / "without-gpus.yaml").write_text(WITHOUT_GPUS)
    tables = [str(RESULTS / name) for name in ("weights.tsv", "validation_matrix.tsv")]
    run_workflow(local, "--", *tables, configfile="without-gpus.yaml")
    folder = tmp_path / "cluster"
    subprocess.run(["cp", "-a", str(local), str(folder)], check=True)
    for name in MADE_BY_TRAININGS:
        path = folder / RESULTS / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    (folder / "slurm").symlink_to(REPOSITORY / "slurm")
    damaged = folder / RESULTS / "mixtures" / "plus-chart.arrow"
    damaged.write_bytes(b"cut short")
    cluster = start_cluster()
    targets = [*tables, *(str(RESULTS / "runs" / run / "model") for run in ("single-vqa", "visatb"))]

    process = on_cluster(cluster, folder, "--retries", "1", *targets, configfile=TWO_TASKS, is_warm=True)
    printed = finish(process, folder, status=1)
    summary = printed.partition("1 job(s) failed")[2].splitlines()
    assert "train_preparation plus-chart (Slurm job" in summary[1]
    assert f"log: {RESULTS}/logs/train/plus-chart.log" in summary[2]
    assert any("error: " in line and "mixtures/plus-chart.arrow" in line for line in summary)
    assert len(summary) < 10, "no page of the scheduler's output"
    assert "ccount" not in printed, "no guesses about accounts"
    assert all((folder / RESULTS / "runs" / run / "model").is_dir() for run in ("mini", "plus-vqa", "single-vqa"))
    assert not (folder / RESULTS / "weights.tsv").exists()
    failed = [job for job in jobs_of(cluster) if job["Comment"] == "rule_train_preparation_wildcards_plus-chart"]
    assert [(job["TimeLimit"], job["MinMemoryNode"]) for job in failed] == [
        ("00:12:00", "1200M"),
        ("00:20:00", "2400M"),
    ]
    done = {job["JobId"] for job in jobs_of(cluster)}

    damaged.unlink()
    finish(on_cluster(cluster, folder, *targets, configfile=TWO_TASKS, is_warm=True), folder)
    of_second = {job["Comment"] for job in jobs_of(cluster) if job["JobId"] not in done}
    assert {comment for comment in of_second if "train" in comment} == {
        "rule_train_preparation_wildcards_plus-chart",
        "rule_train_wildcards_visatb",
    }
    assert not any("single" in comment or "mini" in comment for comment in of_second)
    for table in tables:
        assert (folder / table).read_bytes() == (local / table).read_bytes()
    last = {job["Comment"].removeprefix("rule_"): asked(job) for job in jobs_of(cluster)}
    one, each = "gres:gpu:h100:1", "gres:gpu:h100:1 a node"
    assert last["train_preparation_wildcards_mini"] == ("1", one, "1", "1100M", "00:11:00")
    assert last["train_preparation_wildcards_plus-vqa"] == ("1", one, "2", "1200M", "00:12:00")
    assert last["train_single_wildcards_single-vqa"] == ("1", "gres:gpu:h100:2", "2", "1300M", "00:13:00")
    assert last["train_wildcards_visatb"] == ("2", each, "1", "1400M", "00:14:00")
    assert last["predict_wildcards_mini_val"] == ("1", one, "1", "1500M", "00:15:00")


def test_a_training_that_is_preempted_and_runs_out_of_time(
    start_cluster: Start, on_cluster: Snakemake, tmp_path: Path, tiny_base: Path
):
    folder = workplace(tmp_path, tiny_base)
    (folder / "slurm").symlink_to(REPOSITORY / "slurm")
    (folder / "long.yaml").write_text(f"extends: {TWO_TASKS}\ntraining: {{epochs: 300, save_steps: 4}}\n")
    run_workflow(folder, "--", str(RESULTS / "mixtures" / "mini.arrow"), configfile="long.yaml")
    cluster, run = start_cluster(), folder / RESULTS / "runs" / "mini"

    def checkpoints() -> set[int]:
        return {int(path.name.partition("-")[2]) for path in run.glob("checkpoints/*/*/checkpoint-*")}

    process = on_cluster(cluster, folder, "--retries", "1", str(RESULTS / "runs/mini/model"), configfile="long.yaml")
    wait_until(checkpoints, folder)
    (job,) = jobs_of(cluster)
    urgent = ["--partition=urgent", "--nodes=1", f"--nodelist={job['NodeList']}", "--gres=gpu:4", "--output=/dev/null"]
    cluster.output_of("sbatch", *urgent, "--wrap", "sleep 1")
    wait_until(lambda: jobs_of(cluster)[0]["Restarts"] == "1", folder)
    before = max(checkpoints())
    wait_until(lambda: jobs_of(cluster)[0]["JobState"] == "RUNNING" and max(checkpoints()) > before + 4, folder)
    elapsed = jobs_of(cluster)[0]["RunTime"].split(":")
    minutes = 60 * int(elapsed[0]) + int(elapsed[1]) + 2
    # The signal that comes two minutes before the limit is due at once.
    cluster.output_of("scontrol", "update", f"JobId={job['JobId']}", f"TimeLimit={minutes}")
    hold_back(folder, process, "AGAIN   train_preparation mini")
    printed = finish(process, folder)
    assert "AGAIN   train_preparation mini" in printed
    assert "SIGUSR1: saved at step" in printed
    first, second = (known for known in jobs_of(cluster) if known.get("Comment") == job["Comment"])
    assert (first["JobState"], second["JobState"]) == ("FAILED", "COMPLETED")
    assert (second["TimeLimit"], second["MinMemoryNode"]) == ("00:20:00", "2200M")
    history = [json.loads(line) for line in (run / "training.jsonl").read_text().splitlines()]
    begun = {entry["attempt"]: entry["step"] for entry in reversed(history)}
    assert list(begun) == [3, 2, 1]
    assert begun[1] < before < begun[2] < begun[3] < history[-1]["step"] == history[-1]["steps"]


@pytest.mark.parametrize("accounting", [False, True], ids=["no accounting", "accounting"])
def test_a_copy_of_the_profile_in_the_users_folder(
    accounting: bool, start_cluster: Start, on_cluster: Snakemake, tmp_path: Path
):
    cluster = start_cluster(accounting)
    profile = tmp_path / "home" / "snakemake" / "slurm"
    profile.mkdir(parents=True)
    text = (REPOSITORY / "profiles" / "slurm" / "config.yaml").read_text()
    (profile / "config.yaml").write_text(text.replace("# slurm_account: mylab", "slurm_account: lab"))
    folder = workplace(tmp_path / "work")
    process = on_cluster(
        cluster,
        folder,
        str(RESULTS / "data_report.tsv"),
        configfile=TWO_TASKS,
        is_warm=True,
        XDG_CONFIG_HOME=str(tmp_path / "home"),
    )
    printed = finish(process, folder)
    assert "ccount" not in printed
    assert (folder / RESULTS / "data_report.tsv").is_file()
    if accounting:
        ended = cluster.output_of("sacct", "-nXP", "-o", "Account,State").split()
        assert len(ended) == 8
        assert set(ended) == {"lab|COMPLETED"}
    else:
        assert {(job["Account"], job["JobState"]) for job in jobs_of(cluster)} == {("lab", "COMPLETED")}
