"""The workflow assembles a base checkpoint from components, before trainings and only once."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.helpers.llava_components import write_clip, write_projector, write_vicuna
from tests.helpers.running import command, run_workflow, workplace

MODEL = """\
name: stage1
family: llava
checkpoint: data/models/stage1
assemble:
  language_model: components/vicuna
  vision_tower: {checkpoint: components/clip}
  projector: components/mm_projector.bin
"""
EXPERIMENT = """\
extends: config/experiments/demo-small.yaml
experiment: stage1
model: stage1.yaml
"""
BASE = "data/models/stage1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the components, a model file and an experiment that starts from it."""
    folder = workplace(tmp_path / "place")
    (folder / "components").mkdir()
    write_vicuna(folder / "components" / "vicuna")
    write_clip(folder / "components" / "clip")
    write_projector(folder / "components" / "mm_projector.bin")
    (folder / "stage1.yaml").write_text(MODEL)
    (folder / "mine.yaml").write_text(EXPERIMENT)
    return folder


def test_the_base_is_assembled_before_what_starts_from_it(folder: Path) -> None:
    planned = run_workflow(folder, "-n", configfile="mine.yaml")
    assert "assemble_model" in planned
    run_workflow(folder, "--until", "assemble_model", configfile="mine.yaml")
    assert {"config.json", "model.safetensors", "processor_config.json", "tokenizer.json"} <= set(
        os.listdir(folder / BASE)
    )
    assert "assemble_model" not in run_workflow(folder, "-n", configfile="mine.yaml")
    write_projector(folder / "components" / "mm_projector.bin", inputs=16)
    assert "assemble_model" in run_workflow(folder, "-n", configfile="mine.yaml")


def test_a_piece_that_does_not_fit_stops_the_job_with_its_reason(folder: Path) -> None:
    write_projector(folder / "components" / "mm_projector.bin", inputs=16)
    done = subprocess.run(
        command(folder, "--until", "assemble_model", configfile="mine.yaml"),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode
    assert "components/mm_projector.bin: model.mm_projector.0.weight has the shape [48, 16], expected [48, 32]" in (
        done.stdout + done.stderr
    )
    assert not (folder / BASE).exists()


def test_the_revision_of_a_hub_name_reaches_the_training(tmp_path: Path) -> None:
    folder = workplace(tmp_path / "place")
    (folder / "stage1.yaml").write_text("name: a\nfamily: llava\ncheckpoint: owner/name\nrevision: v2\n")
    (folder / "mine.yaml").write_text(EXPERIMENT)
    assert '"base":"owner/name@v2"' in run_workflow(folder, "-n", "-p", configfile="mine.yaml")
