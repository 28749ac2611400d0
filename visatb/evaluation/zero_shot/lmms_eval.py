"""Starts lmms-eval as a process of its own and tells whether it did what was asked: it leaves with 0 when it failed."""

import os
import re
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from visatb.config.endpoints import RUN
from visatb.config.zero_shot import ServerConfig
from visatb.endpoints.endpoint import reached
from visatb.errors import VisatbError
from visatb.evaluation.jobs import ZeroShotJob

VERSION = "0.7.3"
"""The release of lmms-eval that the task files were written for."""

UNANSWERED = re.compile(r"Error .* in generating|All \d+ attempts failed")
_FAILURE = re.compile(
    r"Error during evaluation: (.*?)\. Please set|Tasks not found: (.*?)\. Try|^(\w+(?:\.\w+)*Error: .*)"
)
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Asking:
    """Who answers, and how lmms-eval is started.

    Attributes:
        python: the interpreter that has lmms-eval.
        model: lmms-eval's name of the class that answers, ``llava_hf`` or ``async_openai``.
        arguments: ``--model_args``.
        limit: the first questions of each benchmark; None for all.
        environment: variables beside those of this process.
    """

    python: str
    model: str
    arguments: Mapping[str, str | bool | int | float]
    limit: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


def own_loader(
    model: str, loader: str, device: str, precision: str, further: Mapping[str, str | bool | int | float]
) -> dict[str, str | bool | int | float]:
    """Return the arguments with which lmms-eval loads a checkpoint: all of it on one device."""
    number_format = {"dtype": precision} if loader.startswith("llava") else {}
    return {"pretrained": model, "device": device, "device_map": device, **number_format, **further}


def server_client(python: str, server: ServerConfig, limit: int | None, environment: Mapping[str, str]) -> Asking:
    """Return how an OpenAI-compatible server is asked. The key goes through the environment, so that no log has it."""
    arguments: dict[str, str | bool | int | float] = {
        "model": server.model,
        "base_url": server.url,
        "num_cpus": server.concurrency,
        "timeout": server.timeout,
        "max_retries": server.retries + 1,  # lmms-eval counts attempts in all
    }
    key = os.environ.get(server.key_variable) or "none"
    return Asking(python, "async_openai", arguments, limit, {**environment, "OPENAI_API_KEY": key})


def asking_of(job: ZeroShotJob, model: str | Path, device: str, threads: int) -> Asking:
    """Return how lmms-eval is started for a job.

    Args:
        job: who answers.
        model: the model's folder.
        device: ``cpu`` or ``cuda:0``, where lmms-eval loads it.
        threads: CPU threads.
    """
    python = job.python or sys.executable
    environment = {"OMP_NUM_THREADS": str(threads)} | ({"HF_HOME": job.cache} if job.cache else {})
    if job.loaded is None:
        server = reached(ServerConfig, "zero_shot.endpoint", model=job.served_model)
        server = server.model_copy(update={"url": server.url.replace(RUN, job.run)})
        return server_client(python, server, job.limit, environment)
    loaded = job.loaded
    arguments = own_loader(str(model), loaded.loader, device, loaded.precision, loaded.arguments)
    return Asking(python, loaded.loader, arguments, job.limit, environment)


def check_version(python: str) -> str:
    """Return the version of lmms-eval that ``python`` has.

    Raises:
        VisatbError: there is no such interpreter, or none with lmms-eval `VERSION`.
    """
    code = "import importlib.metadata as m; print(m.version('lmms-eval'))"
    advice = f"set one up with `make zero-shot-env` and name its interpreter in zero_shot.python (lmms-eval=={VERSION})"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    except OSError as error:
        raise VisatbError(f"zero_shot.python: {python} cannot be started ({error.strerror}); {advice}") from error
    version = done.stdout.strip()
    if done.returncode:
        raise VisatbError(f"{python} has no lmms-eval; {advice}")
    if version != VERSION:
        raise VisatbError(
            f"{python} has lmms-eval {version}, but tasks and results are read as those of {VERSION}; {advice}"
        )
    return version


def run_lmms_eval(asking: Asking, tasks: Sequence[str], task_folder: Path, output: Path) -> Path:
    """Let lmms-eval ask the tasks, the model loaded once, and return the folder of its results.

    What it says is passed on. ``output`` must not hold results yet.

    Raises:
        VisatbError: it failed, wrote no results, or gave up on a question, which it would score as a wrong answer.
    """
    for name, value in asking.arguments.items():
        if "," in str(value):  # lmms-eval cuts the arguments there
            raise VisatbError(f"{name}={value}: lmms-eval cannot be told of a value with a comma; rename it")
    command = [asking.python, "-m", "lmms_eval", "eval", "--model", asking.model]
    command += ["--model_args", ",".join(f"{name}={value}" for name, value in asking.arguments.items())]
    command += ["--tasks", ",".join(tasks), "--include_path", str(task_folder), "--batch_size", "1"]
    command += ["--output_path", str(output), "--log_samples"]
    command += ["--limit", str(asking.limit)] if asking.limit else []
    status, failures, unanswered = _watch(command, os.environ | dict(asking.environment))
    written = sorted(output.glob("*/*_results.json"))
    if status or not written:
        reason = f": {failures[-1]}" if failures else ""
        raise VisatbError(f"lmms-eval failed (status {status}, no results){reason}; its log is above")
    if unanswered:
        raise VisatbError(
            f"{len(unanswered)} questions found no answer, which lmms-eval scores as wrong; the first: {unanswered[0]}"
        )
    return written[-1].parent


def _watch(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, list[str], list[str]]:
    """Run a command, pass on what it says, and return its status, the failures and the unanswered questions it told."""
    failures: deque[str] = deque(maxlen=5)
    unanswered: list[str] = []
    with subprocess.Popen(
        command, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        try:
            assert process.stdout is not None
            for raw in process.stdout:
                print(raw, end="", flush=True)
                line = _COLOURS.sub("", raw).strip()
                if UNANSWERED.search(line):
                    unanswered.append(line[:300])
                if (failure := _FAILURE.search(line)) and "RetryError" not in line:  # it only says that retries failed
                    failures.append(next(filter(None, failure.groups()))[:500])
        except BaseException:  # whoever ends this process ends lmms-eval too
            process.terminate()
            raise
    return process.returncode, list(failures), unanswered
