"""The stages of an experiment, told from the names of its runs."""

PREPARATION, SINGLE, FINAL = "preparation", "single-task", "final"
_PREFIXES = {PREPARATION: ("plus-", "mini-only-", "large-only-", "mini-seed", "before-"), SINGLE: ("single-",)}


def stage(run: str) -> str:
    """Return `PREPARATION` for runs that measure, `SINGLE` for one task's baseline, else `FINAL`."""
    if run in ("mini", "base") or run.startswith(_PREFIXES[PREPARATION]):
        return PREPARATION
    return SINGLE if run.startswith(_PREFIXES[SINGLE]) else FINAL
