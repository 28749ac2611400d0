"""Balancing: from validation scores to the matrix, contributions, difficulties and the weights lambda."""

from pathlib import Path

from visatb.balancing.jobs import GroupingJob, MatrixJob, SizesJob, WeightsJob
from visatb.runtime.cli import run_program
from visatb.runtime.files import read_json, write_table, write_text


def collect_validation_matrix(job: MatrixJob, scores: Path, matrix: Path, tidy: Path) -> None:
    """Gather the validation scores of the preparation runs into the matrix V.

    Args:
        job: the runs, what each was scored on, and the metrics.
        scores: folder that holds <run>/val/<task>.parquet.
        matrix: validation_matrix.tsv.
        tidy: validation_scores.tsv.
    """
    from visatb.balancing.validation_tables import matrix_table, tidy_table

    write_table(matrix, matrix_table(scores, job))
    write_table(tidy, tidy_table(scores, job))


def compute_weights(job: WeightsJob, scores: Path, output: Path) -> None:
    """Derive contributions, difficulties and the weights lambda from the validation scores (Eq. 3-8).

    Args:
        job: columns, groups and settings, and how intervals are drawn.
        scores: folder that holds <run>/val/<task>.parquet.
        output: folder that gets contributions.tsv, weights.tsv and what belongs to them.
    """
    from visatb.balancing.weights import measure_weights, score_origins, validation_samples

    design = job.design()
    samples = validation_samples(scores, design.columns, design.names.scored)
    origins = score_origins(scores, design.columns, design.names.scored)
    measure_weights(samples, design, job.fixed, job.bootstrap, job.seed, origins, job.notes).write(output)


def plan_evaluation(job: SizesJob, scores: Path, records: dict[str, Path], output: Path) -> None:
    """Plan how many validation samples of each task are answered, from the scores of a pilot.

    Args:
        job: columns, groups and settings, and the precision that is wanted.
        scores: folder that holds <run>/val/<task>.parquet of the pilot.
        records: task=file, records of val, Parquet.
        output: evaluation_sizes.tsv.
    """
    import pyarrow.parquet as pq

    from visatb.balancing.evaluation_sizes import evaluation_sizes
    from visatb.balancing.weights import validation_samples

    design = job.design()
    totals = {task: pq.read_metadata(file).num_rows for task, file in records.items()}
    pilot = validation_samples(scores, design.columns, design.names.scored)
    write_table(output, evaluation_sizes(pilot, design, totals, job.precision, job.round_to))


def propose_groups(
    job: GroupingJob,
    groups: Path,
    table: Path,
    figure: list[Path],
    contributions: Path | None = None,
    balancing: Path | None = None,
    records: Path | None = None,
    sampling: Path | None = None,
) -> None:
    """Propose which tasks to balance as one, from measured contributions or from the words of their questions.

    Args:
        job: the groups as they are, and how many are wanted.
        groups: groups.yaml, to be named in a config.
        table: groups.tsv.
        figure: files to write, .svg or .png.
        contributions: contributions.tsv, where groups follow from it.
        balancing: balancing.json beside it, which says what was not measured.
        records: folder that holds <task>/train.parquet, where groups follow from questions.
        sampling: sampling.json, where the config leaves R_mini to the data.
    """
    from visatb.balancing.proposal import by_contributions, by_instructions, groups_yaml, proposal_text
    from visatb.errors import VisatbError
    from visatb.reporting.figures.groups import groups_figure
    from visatb.reporting.figures.style import save_figure
    from visatb.runtime.progress import say

    if contributions and balancing:
        by, distance = "contributions", "distance: 1 - mean contribution to each other"
        grouping = by_contributions(job, contributions, balancing)
    elif records:
        by, distance = "instructions", "distance: 1 - cosine of the questions' words"
        grouping = by_instructions(job, records)
    else:
        raise VisatbError("propose_groups: give --contributions and --balancing, or --records")
    write_text(groups, groups_yaml(grouping, job, by, groups))
    write_table(table, grouping.table())
    save_figure(groups_figure(grouping, distance), figure)
    say(proposal_text(grouping, len(job.groups), read_json(sampling)["mini"] if sampling else job.rate_mini or 0.0))


if __name__ == "__main__":
    run_program(collect_validation_matrix, compute_weights, plan_evaluation, propose_groups)
