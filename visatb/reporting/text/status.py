"""The status of an experiment as text: a row a run, what failed with its reason, and what is left."""

import pandas as pd

from visatb.experiment.status import Count, Status, Training
from visatb.runtime.progress import duration, short_count
from visatb.runtime.tables import text_table

LONGEST_LINE = 160
RUNNING_NOW = "{name}: {owner} is at work"
NOT_RUNNING = "{name}: no snakemake is at work"


def status_text(status: Status) -> str:
    """Return the status as people read it in a terminal."""
    head = RUNNING_NOW if status.at_work else NOT_RUNNING
    rows = [
        {
            "run": run.run,
            "training": _training_words(run.training) if run.training else "none: the base model",
            "answers": _count_words(run.answers),
            "scores": _count_words(run.scores),
        }
        for run in status.runs
    ]
    parts = [
        head.format(name=status.experiment, owner=status.at_work),
        text_table(pd.DataFrame(rows), left=["run", "training", "answers", "scores"]),
        "\n".join(_totals(status)),
    ]
    if status.failed:
        lines = [f"  {log}\n    | {_shortened(error)}" for log, error in status.failed.items()]
        parts.append("\n".join([f"Failed in their last attempt ({len(lines)}), with the end of their logs:", *lines]))
    return "\n\n".join(parts) + "\n"


def _training_words(training: Training) -> str:
    if training.state in ("done", "left"):
        return training.state
    if not training.steps:
        return training.state if training.state == "failed" else "running: no step yet"
    words = [f"{training.state}{'' if training.state == 'running' else ' at'} step {training.step}/{training.steps}"]
    if training.state == "running":
        if training.loss is not None:
            words.append(f"loss {training.loss:.3f}")
        if training.tokens_per_second is not None:
            words.append(f"{short_count(training.tokens_per_second)} tokens/s")
        if training.seconds_left is not None:
            words.append(f"ETA {duration(training.seconds_left)}")
    return "  ".join(words)


def _count_words(count: Count) -> str:
    if count.state == "done":
        return "done"
    if count.state == "left" and not count.done:
        return "left"
    return f"{count.done}/{count.total}" + ("" if count.state == "left" else f" {count.state}")


def _totals(status: Status) -> list[str]:
    states = status.trainings()
    lines = ["Trainings: " + ", ".join(f"{number} {state}" for state, number in states.items() if number) + "."]
    for title, counts in (
        ("Answers", [run.answers for run in status.runs]),
        ("Scores", [run.scores for run in status.runs]),
        ("Zero-shot scores", [status.zero_shot] if status.zero_shot else []),
    ):
        if counts:
            lines.append(
                f"{title}: {sum(count.done for count in counts)} of {sum(count.total for count in counts)} files."
            )
    made = [name for name, is_there in status.tables.items() if is_there]
    missing = [name for name, is_there in status.tables.items() if not is_there]
    lines.append("Made: " + (", ".join(made) or "none of the tables") + ".")
    if missing:
        lines.append(f"Left to make: {', '.join(missing)}.")
    return lines


def _shortened(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 3] + "..."
