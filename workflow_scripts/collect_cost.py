"""Collect what trainings and other jobs really took, from their measurements and histories."""

import argparse
from pathlib import Path

from visatb.errors import friendly_exit
from visatb.planning.measured_costs import job_measurements, jobs_cost, runs_cost
from visatb.runtime.files import write_table
from visatb.runtime.tables import read_columns
from visatb.runtime.words_on_command_lines import named_number


@friendly_exit
def main() -> None:
    """Measurements in, tables out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", required=True, help="plan.tsv")
    parser.add_argument("--benchmarks", required=True, metavar="FOLDER", help="Snakemake's measurements of the jobs")
    parser.add_argument("--runs", nargs="+", required=True, metavar="LOG", help="runs/<run>/training.jsonl of each run")
    parser.add_argument("--gpus", type=named_number, nargs="*", default=[], metavar="RUN=N", help="of each training")
    parser.add_argument("--run-table", required=True, metavar="FILE", help="cost_runs.tsv")
    parser.add_argument("--job-table", required=True, metavar="FILE", help="cost_jobs.tsv")
    args = parser.parse_args()
    plan = read_columns(args.plan, ["run", "kind"], ["steps"])
    histories = {Path(log).parent.name: log for log in args.runs}
    measurements = job_measurements(args.benchmarks)
    gpus = {run: int(number) for run, number in args.gpus}
    write_table(args.run_table, runs_cost(plan, histories, measurements, gpus))
    write_table(args.job_table, jobs_cost(measurements))


if __name__ == "__main__":
    main()
