"""What rules leave to the profiles: memory and time of jobs that ask for nothing special."""

import yaml

from tests.helpers.paths import REPOSITORY


def test_jobs_that_ask_for_nothing_get_memory_and_time_on_slurm() -> None:
    profiles = {
        name: yaml.safe_load((REPOSITORY / "profiles" / name / "config.yaml").read_text())
        for name in ("slurm", "default")
    }
    assert {"slurm_partition", "mem_mb", "runtime"} <= set(profiles["slurm"]["default-resources"])
    assert "default-resources" not in profiles["default"], "they would take the place of those of any other profile"
