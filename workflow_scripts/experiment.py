"""Experiment: how far it is, and where its results come from."""

from collections.abc import Mapping
from pathlib import Path

from visatb.runtime.cli import run_program
from visatb.runtime.files import write_json, write_table


def status(config: Mapping[str, object]) -> None:
    """Print what of an experiment is done, running, failed or left. Nothing is locked or changed.

    Args:
        config: the experiment's config.
    """
    from visatb.experiment.experiment import Experiment
    from visatb.experiment.status import status as status_of
    from visatb.reporting.text.status import status_text

    print(status_text(status_of(Experiment.from_values(config))))


def collect_provenance(
    experiment: str,
    config: Mapping[str, object],
    source: Path,
    mixtures: list[Path],
    runs: Path,
    output: Path,
    table: Path,
    programs: dict[str, str] | None = None,
) -> None:
    """Write down versions, fingerprints of config, model and data, and the machine.

    Args:
        experiment: its name.
        config: its config.
        source: folder of the workflow's code.
        mixtures: mixtures/<run>.arrow of each run.
        runs: folder that holds <run>/checkpoints.
        output: provenance.json.
        table: provenance.tsv.
        programs: program=version, of programs that this interpreter cannot ask.
    """
    from visatb.experiment.provenance import provenance, provenance_table

    values = provenance(experiment, config, source, mixtures, runs, programs or {})
    write_json(output, values)
    write_table(table, provenance_table(values))


if __name__ == "__main__":
    run_program(status, collect_provenance)
