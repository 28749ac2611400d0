"""Planning: tokens, sampling rates and costs, before anything is trained."""

from collections.abc import Mapping
from pathlib import Path

from visatb.planning.jobs import CountJob, SamplingJob
from visatb.runtime.cli import run_program
from visatb.runtime.files import read_table, write_json, write_parquet, write_table
from visatb.runtime.progress import say


def count_tokens(job: CountJob, records: Path, ledger: Path, counts: Path, sizes: Path) -> None:
    """Count the tokens of every task as the training will read them, and the model's parameters.

    Where the model cannot be had yet, the tables are empty and the sizes say why.

    Args:
        job: the records, the model, and how a training reads them.
        records: folder that holds <task>/<split>.parquet.
        ledger: token_ledger.tsv.
        counts: tokens of each counted record, Parquet.
        sizes: sizes of model and answers, JSON.
    """
    from visatb.planning.counting import count_tokens as count

    counted = count(job, records)
    write_parquet(counts, counted.table())
    write_json(sizes, counted.sizes)
    write_table(ledger, counted.ledger(job))


def resolve_sampling(job: SamplingJob, records: Path, output: Path) -> None:
    """Choose the sampling rates that are left to the data: the smallest that keep to the paper's limits.

    Args:
        job: the rates, tasks and groups, and what makes steps of records.
        records: folder that holds <task>/train.parquet.
        output: sampling.json, the rates and their reasons.
    """
    from visatb.planning.sampling_rates import resolved_rates, train_sizes

    rates = resolved_rates(job.large, job.mini, train_sizes(job, records))
    write_json(output, {"large": rates.large, "mini": rates.mini, "why": list(rates.why)})
    for line in rates.why:
        say(f"[resolve_sampling] {line}")


def plan(
    config: Mapping[str, object],
    records: Path,
    ledger: Path,
    counts: Path,
    sizes: Path,
    output: Path,
    sampling: Path | None = None,
) -> None:
    """Count what an experiment will train and evaluate, estimate what that costs, and show it.

    Args:
        config: the experiment's config.
        records: folder that holds <task>/<split>.parquet.
        ledger: token_ledger.tsv.
        counts: tokens of each counted record, Parquet.
        sizes: sizes of model and answers, JSON.
        output: plan.tsv.
        sampling: sampling.json, where the config leaves rates to the data.
    """
    from visatb.experiment.experiment import Experiment
    from visatb.planning.estimate import estimate
    from visatb.reporting.text.plan_shown import shown_plan

    estimated = estimate(Experiment.from_values(config), records, counts, sizes, sampling)
    write_table(output, estimated.plan.assign(note="; ".join(estimated.chosen_rates)))
    say(shown_plan(estimated, read_table(ledger)))


if __name__ == "__main__":
    run_program(count_tokens, resolve_sampling, plan)
