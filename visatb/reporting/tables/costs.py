"""What an experiment costs and what its tokens are, as text beside the plan."""

import pandas as pd

from visatb.balancing.run_names import FINAL, PREPARATION, SINGLE, stage
from visatb.planning.token_ledger import PARTS
from visatb.runtime.progress import short_count
from visatb.runtime.tables import text_table

COSTS = ("tokens", "answer_tokens", "gpu_hours", "disk_gb")
HEADS = {"tokens": "tokens", "answer_tokens": "answer tokens", "gpu_hours": "GPU-h", "disk_gb": "disk"}
CPU_HEADS = HEADS | {"gpu_hours": "hours"}


def count_words(number: float) -> str:
    """Return a count with three digits, as `short_count`; nothing if it is not known."""
    return "" if pd.isna(number) else short_count(number)


def short_hours(hours: float) -> str:
    """Return hours with two digits that count: ``0.012``, ``3.4``, ``250``; nothing if they are not known."""
    if pd.isna(hours):
        return ""
    return f"{hours:.0f}" if hours >= 10 else f"{hours:.2g}"


def short_size(gigabytes: float) -> str:
    """Return a size with its unit: ``3.1 MB``, ``27 GB``, ``1.2 TB``; nothing if it is not known."""
    if pd.isna(gigabytes):
        return ""
    for unit, size in (("TB", 1e3), ("GB", 1.0), ("MB", 1e-3)):
        if gigabytes >= size:
            number = gigabytes / size
            return f"{number:.0f} {unit}" if number >= 10 else f"{number:.2g} {unit}"
    return f"{gigabytes * 1e6:.0f} kB"


def shown_costs(costs: pd.DataFrame) -> pd.DataFrame:
    """Return the columns `COSTS` as people read them; those of which nothing is known are left out."""
    forms = {"tokens": count_words, "answer_tokens": count_words, "gpu_hours": short_hours, "disk_gb": short_size}
    known = [column for column in COSTS if column in costs and costs[column].notna().any()]
    return pd.DataFrame({column: costs[column].map(forms[column]) for column in known}, index=costs.index)


def costs_text(plan: pd.DataFrame, on_gpus: bool, speeds_known: bool) -> str:
    """Return sentences on hours, padding and room on the disk, one a line; none for a plan without costs."""
    if "tokens" not in plan:
        return ""
    lines = [_hours_line(plan, on_gpus, speeds_known)]
    tokens, padding = plan["tokens"].sum(), plan["padding"].sum()
    if plan["tokens"].notna().all() and tokens:
        lines.append(f"Trainings read {short_count(tokens)} tokens, of which {padding / tokens:.0%} are padding.")
    if plan["disk_gb"].notna().all():
        lines.append(
            f"On the disk: {short_size(plan['disk_gb'].sum())} that stay, and up to "
            f"{short_size(plan['checkpoints_gb'].max())} more for the checkpoints of each training that runs."
        )
    return "\n".join(lines)


def _hours_line(plan: pd.DataFrame, on_gpus: bool, speeds_known: bool) -> str:
    unit = "GPU-hours" if on_gpus else "hours of one process"
    if not plan["gpu_hours"].notna().all():
        missing = "the speed of some kinds of job" if speeds_known else "the throughput"
        return (
            f"No {unit} are told, for {missing} is not known: give `throughput`, a measured one "
            "(`throughput.measured_in`), or make the plan again when runs have finished."
        )
    stages = plan["run"].map(stage)
    hours = {kind: plan.loc[stages == kind, "gpu_hours"].sum() for kind in (PREPARATION, SINGLE, FINAL)}
    parts = ", ".join(f"{kind} {short_hours(number)}" for kind, number in hours.items() if number)
    return f"All together about {short_hours(plan['gpu_hours'].sum())} {unit} ({parts})."


def ledger_text(ledger: pd.DataFrame) -> str:
    """Return the token ledger as a table, with what its shares mean."""
    if ledger.empty:
        return ""
    counts = ["samples", *PARTS, "padding", "tokens"]
    shown = pd.DataFrame({"task": ledger["task"]})
    for column in counts:
        shown[column] = [short_count(number) for number in ledger[column]]
    shown["share"] = [f"{share:.1%}" for share in ledger["share"]]
    lines = [
        "What the tasks' train splits are made of, in tokens:",
        "",
        text_table(shown, left=["task"], right=[*counts, "share"]),
        "",
        "share: of all supervised tokens. So much does a task count under equal weights, before any lambda.",
    ]
    return "\n".join(lines + _notes(ledger))


def _notes(ledger: pd.DataFrame) -> list[str]:
    lines = []
    some = ledger[ledger["counted"] < ledger["samples"]]
    if len(some):
        lines.append(
            f"Estimated from {some['counted'].min():,} records drawn at random of each of: {', '.join(some['task'])}."
        )
    long = ledger[ledger["cut"] > 0]
    if len(long):
        tasks = ", ".join(f"{row.task} {row.cut:,} of {row.samples:,}" for row in long.itertuples())
        lines.append(f"Longer than training.max_length and cut off there: {tasks}.")
    return lines
