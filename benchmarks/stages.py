"""What each stage of finished experiments took, side by side: jobs, seconds, processor seconds and peak memory.

python benchmarks/stages.py before=../before/results/demo now=results/demo --output benchmarks/results/stages.json

Snakemake measures every job as it runs, in an experiment's ``benchmarks/``. The seconds of a stage are the sum
of its jobs', of which several may have run at a time; those of the experiment on the clock lie between its first job's
start and its last job's end, pauses included. Processor seconds are what Snakemake saw the last time it looked, which
it does every half second at first: of jobs that are over at once it sees little.
"""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd
from side_by_side import write_figures

from visatb.errors import friendly_exit
from visatb.planning.measured_costs import job_measurements

STAGES = {
    "data": ("draw_corpus", "prepare_source", "check_data", "match_subset", "collect_data_report", "build_mixture"),
    "base model": ("pretrain_vision", "pretrain_alignment", "assemble_model", "import_model"),
    "plan": ("count_tokens", "count_instruction_tokens", "mine_templates", "resolve_sampling", "plan"),
    "training": ("train",),
    "prediction": ("predict", "predict_pilot", "zero_shot", "measure_visual_contribution"),
    "scoring": ("score", "score_pilot", "judge", "judge_pilot", "import_scores", "keep_scores", "complete_scores"),
    "balance": ("collect_validation_matrix", "plan_evaluation", "compute_weights", "compute_variant", "propose_groups"),
}
REST = "tables, figures, report"


def stage_of(rule: str) -> str:
    """Return the stage that a rule belongs to."""
    return next((stage for stage, rules in STAGES.items() if rule in rules), REST)


def stages(experiment: Path) -> pd.DataFrame:
    """Return one row a stage, in the order of the work, and their sum."""
    jobs = job_measurements(experiment / "benchmarks")
    jobs["stage"] = jobs["rule"].map(stage_of)
    grouped = jobs.groupby("stage")
    table = pd.DataFrame(
        {
            "jobs": grouped.size(),
            "seconds": grouped["s"].sum(),
            "cpu_seconds": grouped["cpu_time"].sum(),
            "peak_mb": grouped["max_rss"].max(),
        }
    )
    table = table.reindex([stage for stage in (*STAGES, REST) if stage in table.index])
    sums = {name: table[name].sum() for name in ("jobs", "seconds", "cpu_seconds")}
    table.loc["all"] = {**sums, "peak_mb": table["peak_mb"].max()}
    return table.astype({"jobs": int}).round({"seconds": 1, "cpu_seconds": 1, "peak_mb": 0})


def on_the_clock(experiment: Path) -> float:
    """Return the seconds between the first job's start and the last one's end."""
    jobs = job_measurements(experiment / "benchmarks")
    ends = [path.stat().st_mtime for path in sorted((experiment / "benchmarks").rglob("*.tsv"))]
    return round(max(ends) - min(end - taken for end, taken in zip(ends, jobs["s"], strict=True)), 1)


@friendly_exit
def main() -> None:
    """Print a table of all experiments, and write the figures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiments", nargs="+", metavar="NAME=FOLDER", help="results/<experiment>")
    parser.add_argument("--output", help="JSON file for the figures")
    arguments = parser.parse_args()
    folders = dict(experiment.split("=", 1) for experiment in arguments.experiments)
    found = {name: stages(Path(folder)) for name, folder in folders.items()}
    clock = {name: on_the_clock(Path(folder)) for name, folder in folders.items()}
    print(pd.concat(found, axis=1).to_string(na_rep="-"))
    print("\non the clock:", ", ".join(f"{name} {seconds:.0f} s" for name, seconds in clock.items()))
    if arguments.output:
        figures: dict[str, Any] = {
            name: {"on_the_clock_s": clock[name], "stages": table.reset_index().to_dict("records")}
            for name, table in found.items()
        }
        write_figures(arguments.output, figures)


if __name__ == "__main__":
    main()
