"""Where scores come from, in the words of the tables."""

from collections.abc import Mapping

MEASURED = "measured"
IMPORTED_MODEL = "imported model"
IMPORTED_SAMPLES = "imported samples"
IMPORTED_VALUE = "imported value"
EARLIER_MODEL = "earlier model"
EARLIER = "earlier experiment"
EXTRAPOLATED = "completed, approximate"


def reuse_notes(origins: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """Return task -> which of its validation scores come from where, from (run, task) -> origin."""
    grouped: dict[str, dict[str, list[str]]] = {}
    for (run, task), origin in origins.items():
        grouped.setdefault(task, {}).setdefault(origin, []).append(run)
    return {
        task: ", ".join(f"{origin} ({', '.join(runs)})" for origin, runs in by_origin.items())
        for task, by_origin in grouped.items()
    }


def run_origins(origins: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """Return run -> which of its validation scores come from where, from (run, task) -> origin."""
    grouped: dict[str, dict[str, list[str]]] = {}
    for (run, task), origin in origins.items():
        grouped.setdefault(run, {}).setdefault(origin, []).append(task)
    return {
        run: "; ".join(f"{origin}: {', '.join(tasks)}" for origin, tasks in by_origin.items())
        for run, by_origin in grouped.items()
    }
