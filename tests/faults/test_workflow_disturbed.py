"""Snakemake itself is killed, started twice, moved, or meets a rule that fails: the same command goes on."""

import base64
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.helpers import warm
from tests.helpers.faulting import Started, finish, seeds, started
from tests.helpers.running import TINY, command, with_warm_jobs

MINE_SCORED = "results/tiny/scores/mine/test/vqa.parquet"
TABLES = ("weights.tsv", "contributions.tsv", "validation_matrix.tsv", "benchmark.tsv", "plan.tsv")


def results(folder: Path) -> dict[str, str]:
    """Return the digests of an experiment's tables, models and answers."""
    tiny = folder / "results/tiny"
    paths = [tiny / name for name in TABLES]
    paths += sorted([*tiny.glob("runs/*/model/*"), *tiny.glob("predictions/*/*/*.parquet")])
    return {str(path.relative_to(tiny)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def steps_trained(folder: Path) -> dict[str, bytes]:
    """Return what each run's history says of its steps."""
    return {path.parent.name: path.read_bytes() for path in folder.glob("results/tiny/runs/*/training.jsonl")}


def answers_saved(folder: Path) -> dict[str, tuple[int, int]]:
    """Return each shard of answers with what tells whether it was written anew."""
    found = {path: path.stat() for path in folder.glob("results/tiny/runs/*/answers/*/*/*/*.parquet")}
    return {str(path.relative_to(folder)): (stat.st_ino, stat.st_mtime_ns) for path, stat in found.items()}


def jobs_done(said: str) -> list[str]:
    """Return the jobs that Snakemake says it has finished."""
    return re.findall(r"^[\d:]+  \d+/\d+  (.+?)  \d+ s$", said, re.M)


def copied(tiny: Path, folder: Path, without: tuple[str, ...] = (), how: str = "-a") -> Path:
    """Copy the finished experiment, and forget some of its runs."""
    subprocess.run(["cp", how, str(tiny), str(folder)], check=True)
    for run in without:
        for place in ("runs", "predictions", "scores"):
            shutil.rmtree(folder / "results/tiny" / place / run)
    return folder


def line(folder: Path, *targets: str) -> list[str]:
    words = command(folder, configfile=TINY)
    return [words[0], *targets, *words[1:]]


def with_jobs(folder: Path, *targets: str) -> list[str]:
    """Return the command line of a snakemake that is to be disturbed, or is to meet what was."""
    return with_warm_jobs(line(folder, *targets))


def trainer_of(head: Started, run: str) -> psutil.Process:
    """Return the process that trains ``run``."""
    for process in head.everybody():
        words = process.cmdline()
        if f'"run":"{run}"' in " ".join(words) and (fork := warm.fork_of(process.pid)):
            return psutil.Process(fork)
    pytest.fail(f"nobody trains {run}:\n{head.said}")


@pytest.mark.slow
def test_a_killed_head_leaves_a_training_that_the_next_one_waits_for(tmp_path: Path, tiny: Path) -> None:
    folder = copied(tiny, tmp_path / "copy", without=("mine",))
    history = folder / "results/tiny/runs/mine/training.jsonl"
    with started(with_jobs(folder, MINE_SCORED), tmp_path / "first.txt", folder) as first:
        assert first.wait_for(history.exists)
        orphan = trainer_of(first, "mine")
        orphan.suspend()  # so that it is not done before the others come
        with started(with_jobs(folder, MINE_SCORED), tmp_path / "second.txt", folder) as second:
            assert second.end() == 1
            told = rf"results/tiny: process {first.process.pid} on \S+ is at work there; .* give the command again"
            assert re.search(told, second.said), second.said
            assert "Traceback" not in second.said
        assert first.running(), "the second has not harmed the first"
        os.kill(first.process.pid, signal.SIGKILL)
        first.end()
        with started(with_jobs(folder, MINE_SCORED), tmp_path / "third.txt", folder) as third:
            assert third.wait_for(lambda: f"[mine] waits: process {orphan.pid} " in third.said), third.said
            orphan.resume()
            assert third.end() == 0, third.said
        assert "[mine] was trained before with the same inputs: nothing to train" in third.said
    steps = re.findall(r'"step": (\d+),', history.read_text())
    assert len(steps) == len(set(steps)) > 0, "no step was trained twice"
    assert results(folder) == results(tiny)


@pytest.mark.slow
@seeds(1)
def test_all_processes_die_at_any_moment(tmp_path: Path, tiny: Path, seed: int) -> None:
    draw = random.Random(seed)
    folder = copied(tiny, tmp_path / "copy", without=("mine", "ew"))
    how = draw.choice(("SIGKILL of all", "SIGKILL of the head", "SIGTERM of the head", "SIGINT of all"))
    jobs, pause = draw.randrange(8), draw.uniform(0, 8)
    with started(with_jobs(folder), tmp_path / "first.txt", folder) as head:
        head.wait_for(lambda: len(jobs_done(head.said)) >= jobs)
        time.sleep(pause)
        print(f"{how} {pause:.2f} s after {jobs} jobs were done")
        if how == "SIGKILL of all":
            head.kill_everybody()
        elif how == "SIGINT of all":
            os.killpg(head.process.pid, signal.SIGINT)
        else:
            head.process.send_signal(signal.SIGKILL if "SIGKILL" in how else signal.SIGTERM)
        head.end()
        finish(line(folder), tmp_path / "second.txt", folder)
    assert results(folder) == results(tiny)
    assert list((folder / "results").rglob(".*.tmp*")) == []


@pytest.mark.slow
def test_results_that_lie_elsewhere_now_are_not_made_again(tmp_path: Path, tiny: Path) -> None:
    # cp -r gives every file a new time, so that jobs run; without .snakemake nothing is known of earlier jobs.
    folder = copied(tiny, tmp_path / "elsewhere", how="-r")
    shutil.rmtree(folder / ".snakemake")
    trained, answered = steps_trained(folder), answers_saved(folder)
    for path in folder.glob("results/tiny/mixtures/*.arrow"):
        os.utime(path)
    targets = () if "VISATB_FAULT_ROUNDS" in os.environ else (MINE_SCORED,)
    said = finish(line(folder, *targets), tmp_path / "printed.txt", folder)
    assert "train mine" in jobs_done(said)
    assert steps_trained(folder) == trained
    assert answers_saved(folder) == answered
    assert results(folder) == results(tiny)


@pytest.mark.slow
def test_one_training_of_many_fails(tmp_path: Path, tiny: Path) -> None:
    folder = copied(tiny, tmp_path / "copy", without=("mine", "ew"))
    planned = re.findall(r"^  (\S.*?): ", finish([*line(folder), "-n"], tmp_path / "plan.txt", folder), re.M)
    mixture = folder / "results/tiny/mixtures/mine.arrow"
    content, status = mixture.read_bytes(), mixture.stat()
    mixture.write_bytes(content[:-50])
    os.utime(mixture, ns=(status.st_atime_ns, status.st_mtime_ns))
    with started(with_jobs(folder), tmp_path / "first.txt", folder) as first:
        assert first.end() == 1, first.said
        said = first.said
    summary = said[said.rindex("job(s) failed") :]
    assert "train mine" in summary
    assert "results/tiny/logs/train/mine.log" in summary
    assert "| error: results/tiny/mixtures/mine.arrow: cannot be read" in said
    assert "Traceback" not in said
    mixture.write_bytes(content)
    os.utime(mixture, ns=(status.st_atime_ns, status.st_mtime_ns))
    done = jobs_done(said)
    assert {"train ew", "predict ew test", "score ew test"} <= set(done)
    again = jobs_done(finish(line(folder), tmp_path / "second.txt", folder))
    assert not set(done) & set(again)
    assert sorted([*done, *again, "all"]) == sorted(planned)
    assert results(folder) == results(tiny)


@pytest.mark.slow
def test_outputs_that_snakemake_knows_as_half_written(tmp_path: Path, tiny: Path) -> None:
    folder = copied(tiny, tmp_path / "copy")
    model = Path("results/tiny/runs/mine/model")
    halves = ("mixtures/mine.arrow", "predictions/mine/test/vqa.parquet", "scores/mine/test/vqa.parquet")
    for name in halves:
        os.truncate(folder / "results/tiny" / name, 100)
    (folder / model / "config.json").unlink()
    marks = folder / ".snakemake/incomplete"
    marks.mkdir(parents=True, exist_ok=True)
    for output in (*(f"results/tiny/{name}" for name in halves), str(model)):
        (marks / base64.b64encode(output.encode()).decode()).touch()  # as Snakemake notes what it has begun
    trained, answered = steps_trained(folder), answers_saved(folder)
    said = finish(line(folder, MINE_SCORED), tmp_path / "printed.txt", folder)
    made = {"build_mixture mine", "train mine", "predict mine test", "score mine test"}
    assert made <= set(jobs_done(said))
    assert (steps_trained(folder), answers_saved(folder)) == (trained, answered)
    assert results(folder) == results(tiny)
