"""The share of the preparation's cost that is evaluation: what a finished experiment's own jobs took.

The preparation are the runs that are scored on val. Of the evaluation (answers and scores) and the trainings of these
runs, wall-clock and processor seconds are summed from Snakemake's measurements. Start-up, which is the same for a tiny
experiment and a large one, is measured apart, as the processor time of a process that only imports what such a job
imports, and taken away once a job. (Snakemake looks at a job now and then, so it misses the last moments of short ones,
which may have less than their start-up.)

Of the Academic benchmark's sizes the plan counts trained samples and answers. A trained sample costs at least three
forward passes over its tokens (four with gradient checkpointing), an answer at least one over nearly as many. So their
numbers bound the share from below at equal use of the device, whatever decoding costs; and tell how few answers keep
it under a quarter.

    python benchmarks/evaluation_share.py --experiment results/demo --output benchmarks/results/evaluation_share.json
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from side_by_side import ROOT, write_figures

from visatb.config.loading import read_yaml
from visatb.experiment.experiment import Experiment
from visatb.planning.plan import plan

ACADEMIC = ROOT / "config" / "experiments" / "academic.yaml"
SIZES = {
    "ShareGPT4V": (98_000, 2_000),
    "Ref-caption": (41_000, 3_811),
    "VQAv2": (83_000, 20_000),
    "GQA": (72_000, 20_000),
    "ChartQA": (18_000, 1_920),
    "OCRVQA": (80_000, 20_000),
    "Ref-bbox": (41_000, 10_834),
    "ShareGPT": (41_000, 0),
}
"""Samples of train (Table 9 of the paper) and of val, of which RefCOCO's are those of its UNC split."""
GOAL = 0.25
JOBS = {"train": "{run}.tsv", "predict": "{run}.val*.tsv", "score": "{run}.val*.tsv"}
IMPORTS = {
    "train": "visatb.training.fit",
    "predict": "visatb.evaluation.generate",
    "score": "visatb.scores.scoring",
}


def measured(experiment: Path, runs: Sequence[str]) -> pd.DataFrame:
    """Return number, wall-clock and processor seconds of the preparation's jobs, by rule."""
    rows = []
    for rule, pattern in JOBS.items():
        files = [
            file for run in runs for file in sorted((experiment / "benchmarks" / rule).glob(pattern.format(run=run)))
        ]
        tables = pd.concat([pd.read_csv(file, sep="\t") for file in files])
        rows.append({"rule": rule, "jobs": len(files), "seconds": tables["s"].sum(), "cpu": tables["cpu_time"].sum()})
    return pd.DataFrame(rows).set_index("rule")


def paper_sized() -> dict[str, float]:
    """Return trained samples and answers of the preparation, and the bounds that follow."""
    academic = Experiment.from_values(read_yaml(str(ACADEMIC)), ACADEMIC.stem)
    sizes = {(task, "train"): train for task, (train, _) in SIZES.items()}
    sizes |= {(task, split): val for task, (_, val) in SIZES.items() if val for split in ("val", "test")}
    table = plan(academic, sizes)
    preparation = table[table["kind"].isin(["mini", "plus"])]
    trained, answers = int(preparation["samples"].sum()), int(preparation["evaluations"].sum())
    return {
        "trained_samples": trained,
        "answers": answers,
        "answers_per_trained_sample": round(answers / trained, 2),
        "least_share_at_3_passes": round(answers / trained / 3, 2),
        "least_share_at_4_passes": round(answers / trained / 4, 2),
        "answers_for_the_goal_at_4_passes": round(GOAL * 4 * trained),
    }


def import_seconds(module: str) -> float:
    """Return the processor seconds of a process that imports a module and ends."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True, cwd=ROOT, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def share(costs: pd.Series) -> float:
    """Return evaluation over training."""
    return round(float((costs["predict"] + costs["score"]) / costs["train"]), 3)


def main() -> None:
    """Print the costs and shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiment", type=Path, required=True, help="folder of a finished experiment's results")
    parser.add_argument("--rounds", type=int, default=5, help="of the imports")
    parser.add_argument("--output", help="JSON file for the figures")
    arguments = parser.parse_args()
    predicted = arguments.experiment / "predictions"
    runs = sorted(folder.parent.name for folder in predicted.glob("*/val") if any(folder.glob("*.parquet")))
    costs = measured(arguments.experiment, runs)
    rounds = [{rule: import_seconds(module) for rule, module in IMPORTS.items()} for _ in range(arguments.rounds)]
    costs["start_up"] = costs["jobs"] * pd.DataFrame(rounds).median()
    figures = {
        "experiment": arguments.experiment.name,
        "runs": runs,
        "jobs": json.loads(costs.round(1).to_json(orient="index")),
        "import_cpu_seconds": {rule: round(statistics.median(one[rule] for one in rounds), 2) for rule in IMPORTS},
        "evaluation_over_training": {
            "wall": share(costs["seconds"]),
            "cpu": share(costs["cpu"]),
            "cpu_without_start_up": share((costs["cpu"] - costs["start_up"]).clip(lower=0)),
        },
        "of_the_papers_size": paper_sized(),
    }
    print(json.dumps(figures, indent=2))
    if arguments.output:
        write_figures(arguments.output, figures)


if __name__ == "__main__":
    main()
