"""The stages of an experiment, told from the names of its runs."""

PREPARATION, SINGLE, FINAL = "preparation", "single-task", "final"
_PREFIXES = {PREPARATION: ("plus-", "mini-only-", "large-only-", "mini-seed", "before-"), SINGLE: ("single-",)}


def stage(run: str) -> str:
    """Return `PREPARATION` for runs that measure, `SINGLE` for one task's baseline, else `FINAL`."""
    if run in ("mini", "base") or run.startswith(_PREFIXES[PREPARATION]):
        return PREPARATION
    return SINGLE if run.startswith(_PREFIXES[SINGLE]) else FINAL


def repetitions(run: str, seeds: int, mini_seeds: int | None = None) -> tuple[str, ...]:
    """Return the names of the trainings of a run: ``mini`` and ``plus-<group>`` are repeated, others are not.

    Args:
        run: the run.
        seeds: trainings of a run that is repeated.
        mini_seeds: those of ``mini``, where it has another number.
    """
    times = 1
    if run == "mini":
        times = seeds if mini_seeds is None else mini_seeds
    elif run.startswith("plus-"):
        times = seeds
    return (run, *(f"{run}-seed{number}" for number in range(1, times)))
