"""How much memory and time a million samples and more take, from their annotations to a training's first batch.

python benchmarks/scale.py --records 1200000 --images 2000 --output benchmarks/results/scale.json
python benchmarks/scale.py --records 25000 50000 100000 --images 200 --output benchmarks/results/scale_memory.json

One file of synthetic LLaVA records is written; check_data, count_tokens and build_mixture then run as the workflow runs
them, and a process of its own opens the mixture as a training does and reads rows at random; score runs on as many
answers as there are records. A peak is the resident memory of the largest process of a stage, and includes pages of
mapped files that happen to be in memory and that the system takes back at need; what it cannot take back is the peak of
own memory, looked at every few milliseconds (Linux alone tells it).
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from side_by_side import write_figures

from visatb.config.types import Section
from visatb.data.jobs import MixtureJob, SplitJob
from visatb.evaluation.jobs import ScoringJob
from visatb.planning.jobs import CountJob
from visatb.runtime.cli import as_json
from visatb.scores.metrics import METRICS

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "workflow_scripts"
WORDS = "the of a in to and on it is with cup plate left red table small image color large near".split()  # noqa: SIM905
OPEN = """
import resource, sys, time
import numpy as np
from visatb.training.fit import MixtureDataset
from visatb.data.mixtures import read_mixture
before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
table = read_mixture(sys.argv[1])
tasks = table["task"].unique().to_pylist()
dataset = MixtureDataset(table)
opened = time.perf_counter() - started
rows = np.random.default_rng(0).integers(0, len(dataset), 10_000)
started = time.perf_counter()
for row in rows:
    dataset[int(row)]
read = time.perf_counter() - started
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(dataset), opened, read / len(rows), (after - before) / 1024, after / 1024)
"""


def write_corpus(folder: Path, records: int, images: int, draw: random.Random) -> Path:
    """Write images and a JSON list of records of three exchanges, and return its path."""
    (folder / "images").mkdir()
    for number in range(images):
        Image.effect_noise((336, 252), 40).convert("RGB").save(folder / "images" / f"{number}.jpg", quality=85)
    path = folder / "train.json"
    with path.open("w", encoding="utf-8") as stream:
        for number in range(records):
            stream.write("[\n" if number == 0 else ",\n")
            stream.write(json.dumps(_record(number, number % images, draw)))
        stream.write("\n]\n")
    return path


def _record(number: int, image: int, draw: random.Random) -> dict[str, Any]:
    turns: list[dict[str, str]] = []
    for turn in range(3):
        question = " ".join(draw.choices(WORDS, k=12))
        turns.append({"from": "human", "value": question if turn else f"<image>\n{question}"})
        turns.append({"from": "gpt", "value": " ".join(draw.choices(WORDS, k=40))})
    return {"id": f"sample-{number:09d}", "image": f"{image}.jpg", "conversations": turns}


def measured(command: list[str]) -> dict[str, float]:
    """Run a command; return its seconds, the peak of resident memory of its largest process, and its own one, in MB."""
    before, own = time.perf_counter(), 0.0
    process = subprocess.Popen([sys.executable, *command], env=os.environ | {"PYTHONPATH": str(ROOT)})
    while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
        own = max(own, own_memory(process.pid))
        time.sleep(0.005)
    _, status, usage = ended
    if status:
        sys.exit(f"error: {command[0]} failed")
    seconds = round(time.perf_counter() - before, 1)
    return {"seconds": seconds, "peak_mb": round(usage.ru_maxrss / 1024), "own_peak_mb": round(own)}


def own_memory(process: int) -> float:
    """Return the MB of a process's memory that are not pages of files; 0 where that is not told."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")), 0.0)


def program(subcommand: str, job: Section) -> list[str]:
    """Return the command of a subcommand `stage rule` of the programs, with its job."""
    stage, rule = subcommand.split()
    return [str(SCRIPTS / f"{stage}.py"), rule, "--job", as_json(job)]


def stages(folder: Path, records: int, images: int, processes: int) -> dict[str, Any]:
    """Run every stage and return its figures."""
    corpus = write_corpus(folder, records, images, random.Random(0))
    task = folder / "records" / "big"
    task.mkdir(parents=True)
    images_at = str(folder / "images")
    check = program("data check_data", SplitJob(task="big", split="train", image_folder=images_at))
    check += ["--files", str(corpus), "--processes", str(processes)]
    check += ["--output", str(task / "train.parquet"), "--report", str(task / "report.json")]
    rates = {"mini": 0.03125, "large": 1.0, "train": 1.0}
    found: dict[str, Any] = {"annotations_mb": round(corpus.stat().st_size / 2**20)}
    reading = {"max_length": 2048, "micro_batch_size": 8, "packing": True, "seed": 0, "freeze": ()}
    count = program("planning count_tokens", CountJob(splits=(("big", "train"),), tiny="llava", **reading))
    count += ["--records", str(folder / "records")]
    count += [f"--{name}={folder / name}" for name in ("ledger", "counts", "sizes")]
    found["check_data"] = measured(check)
    found["count_tokens"] = measured(count)
    for name, subset in (("build_mixture", "train"), ("build_mixture_mini", "mini")):
        build = program("data build_mixture", MixtureJob(subsets={"big": subset}, rates=rates, seed=0))
        places = ["--records", str(folder / "records"), "--output", str(folder / f"{subset}.arrow")]
        found[name] = measured([*build, *places])
    found["mixture_mb"] = round((folder / "train.arrow").stat().st_size / 2**20)
    line = subprocess.run(
        [sys.executable, "-c", OPEN, str(folder / "train.arrow")],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    found["training_dataset"] = {
        "rows": int(line[0]),
        "open_seconds": round(float(line[1]), 3),
        "row_ms": round(1000 * float(line[2]), 3),
        "added_mb_with_pages_read": round(float(line[3])),
        "peak_mb_with_torch": round(float(line[4])),
    }
    write_answers(folder / "predictions" / "big.parquet", records)
    job = as_json(ScoringJob(metrics={"big": {"EM": METRICS["EM"].version}}))
    score = [str(SCRIPTS / "evaluation.py"), "score", "--job", job, "--predictions", str(folder / "predictions")]
    found["score"] = measured([*score, "--output", str(folder / "scores")])
    return found


def write_answers(path: Path, number: int) -> None:
    """Write as many answers of a word, 10,000 at a time."""
    path.parent.mkdir()
    texts = pa.string()
    fields = {"id": texts, "image": texts, "prediction": texts, "truths": pa.list_(texts), "finish_reason": texts}
    with pq.ParquetWriter(path, pa.schema(fields.items())) as writer:
        for start in range(0, number, 10_000):
            names = [f"sample-{one:09d}" for one in range(start, min(number, start + 10_000))]
            words = [WORDS[len(name) % len(WORDS)] for name in names]
            columns = [names, names, words, [[word] for word in words], ["stop"] * len(names)]
            writer.write_table(pa.table(columns, schema=writer.schema))


def main() -> None:
    """Measure and print; write the figures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, nargs="+", default=[1_200_000])
    parser.add_argument("--images", type=int, default=2000, help="images that the records share")
    parser.add_argument("--processes", type=int, default=2, help="that look at images")
    parser.add_argument("--output", help="JSON file for the figures")
    arguments = parser.parse_args()
    result: dict[str, Any] = {"images": arguments.images, "processes": arguments.processes, "records": {}}
    for records in arguments.records:
        with tempfile.TemporaryDirectory() as folder:
            result["records"][records] = stages(Path(folder), records, arguments.images, arguments.processes)
    result["own_peak_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps(result, indent=2))
    if arguments.output:
        write_figures(arguments.output, result)


if __name__ == "__main__":
    main()
