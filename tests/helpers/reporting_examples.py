"""Small result tables for the tests of what people read: one measured run of the seven-task demo."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from visatb.data.mixtures import MIXTURE_SCHEMA
from visatb.runtime.files import write_json, write_table

TASKS = ["caption", "vqa", "gqa", "chart", "ocr", "bbox", "region"]
C = [
    [1.0, -0.06, -0.06, 0.07, -0.02, -0.07, -0.16],
    [-0.09, 1.0, 0.62, 0.02, -0.25, -0.17, 0.0],
    [-0.13, 0.46, 1.0, 0.03, -0.21, -0.17, 0.14],
    [-0.08, 0.43, 0.74, 1.0, -0.24, -0.16, 0.12],
    [0.0, 0.15, 0.15, 0.02, 1.0, -0.17, 0.04],
    [-0.30, 0.17, 0.26, 0.01, -0.09, 1.0, 0.19],
    [-0.04, 0.24, 0.34, 0.01, -0.13, -0.06, 1.0],
]
D = [0.37, 0.43, 0.20, 0.76, 0.56, 0.72, 0.57]
LAMBDAS = {
    "lambda_out": [0.83, 0.97, 0.96, 1.21, 0.99, 1.00, 1.04],
    "lambda_in": [1.25, 0.64, 0.51, 0.96, 1.40, 1.32, 0.91],
    "lambda_D": [0.71, 0.79, 0.50, 1.52, 1.02, 1.42, 1.04],
    "weight": [0.87, 0.80, 0.62, 1.30, 1.11, 1.29, 1.01],
}
SCORES = {
    "stl": [9.19, 71.0, 66.75, 64.0, 73.75, 58.80, 9.99, np.nan, np.nan],
    "ew": [9.02, 71.0, 59.25, 73.25, 74.0, 51.87, 9.86, -1.62, 3.73],
    "visatb": [9.02, 73.0, 63.25, 77.5, 75.75, 57.62, 9.93, 2.41, 1.39],
}


def contributions(names: list[str] = TASKS, values: object = C) -> pd.DataFrame:
    return pd.DataFrame(np.array(values), index=names, columns=names)


def margins() -> pd.DataFrame:
    off = np.array(C) - np.eye(len(C))
    others = len(C) - 1
    return pd.DataFrame({"C_out": off.sum(axis=1) / others, "C_in": off.sum(axis=0) / others}, index=TASKS)


def weights() -> pd.DataFrame:
    table = pd.DataFrame({"task": TASKS, "group": TASKS, **margins().reset_index(drop=True), "D": D, **LAMBDAS})
    table["weight_low"], table["weight_high"] = table["weight"] - 0.08, table["weight"] + 0.09
    table["note"] = ""
    return table


def with_fixed_task(table: pd.DataFrame, name: str = "sharegpt") -> pd.DataFrame:
    fixed = dict.fromkeys(table.columns, np.nan) | {
        "task": name,
        "group": "",
        "weight": 1.0,
        "note": "fixed",
    }
    return pd.concat([table, pd.DataFrame([fixed])], ignore_index=True)


def difficulty() -> pd.DataFrame:
    return pd.DataFrame({"group": TASKS, "D": D, "low": np.array(D) - 0.05, "high": np.array(D) + 0.04})


def intervals() -> pd.DataFrame:
    rows = [(i, j, C[a][b] - 0.1, C[a][b] + 0.1) for a, i in enumerate(TASKS) for b, j in enumerate(TASKS) if a != b]
    return pd.DataFrame(rows, columns=["from", "to", "low", "high"])


def benchmark() -> pd.DataFrame:
    table = pd.DataFrame.from_dict(SCORES, orient="index", columns=[*TASKS, "dI", "dE"])
    return table.rename_axis("method").reset_index()


def scores() -> pd.DataFrame:
    rows = [
        ("mini", "val", "bbox", "IoU", 4.5, 1.0, 400, 60, 0),
        ("mini", "val", "bbox", "mean_IoU", 15.37, 0.9, 400, 60, 0),
        ("visatb", "test", "bbox", "IoU", 57.62, 2.4, 400, 4, 0),
        ("visatb", "test", "caption", "CIDEr", 9.02, 0.2, 400, 0, 3),
        ("visatb", "test", "vqa", "EM", 73.0, 2.2, 400, 0, 0),
    ]
    columns = ["run", "split", "task", "metric", "value", "stderr", "n", "invalid", "truncated"]
    return pd.DataFrame(rows, columns=columns)


def amounts(names: list[str] = TASKS, mini: int = 100, large: int = 3200) -> pd.DataFrame:
    """What the preparation runs are trained on, with runs of each task alone."""
    rows = [("mini", task, "mini", mini) for task in names]
    for name in names:
        rows += [(f"plus-{name}", task, *(("large", large) if task == name else ("mini", mini))) for task in names]
        rows += [(f"mini-only-{name}", name, "mini", mini), (f"large-only-{name}", name, "large", large)]
    return pd.DataFrame(rows, columns=["run", "task", "subset", "samples"])


def validation_scores(names: list[str] = TASKS) -> pd.DataFrame:
    """A score of every run of `amounts` and of the base model in each task that it is scored on."""
    runs = ["base", "mini", *(f"plus-{name}" for name in names)]
    rows = [(run, task, "EM", 10.0 + k + 5 * i, 1.5) for k, run in enumerate(runs) for i, task in enumerate(names)]
    rows += [(f"{size}-only-{task}", task, "EM", 30.0, np.nan) for task in names for size in ("mini", "large")]
    return pd.DataFrame(rows, columns=["run", "task", "metric", "value", "stderr"])


def plan(samples: int = 3200, mini: int = 200) -> pd.DataFrame:
    def row(run: str, kind: str, count: int, evaluations: int) -> dict[str, object]:
        return {
            "run": run,
            "kind": kind,
            "samples": count,
            "steps": -(-count // 8),
            "evaluations": evaluations,
        }

    n = len(TASKS)
    rows = [row("mini", "mini", n * mini, n)]
    rows += [row(f"plus-{task}", "plus", samples + (n - 1) * mini, n) for task in TASKS]
    rows += [row(f"single-{task}", "single", samples, 1) for task in TASKS]
    rows += [row("ew", "ew", n * samples, n), row("visatb", "visatb", n * samples, n)]
    return pd.DataFrame(rows)


def history(run: str, tasks: list[str], steps: int = 400) -> list[dict[str, object]]:
    rng = np.random.default_rng(len(run))
    step = np.arange(1, steps + 1)
    losses = 0.4 + 3.5 * np.exp(-step / 40) + rng.normal(0, 0.08, (len(tasks), steps)) + rng.random((len(tasks), 1))
    lines = []
    for k in range(steps):
        seen = {task: float(losses[i, k]) for i, task in enumerate(tasks) if rng.random() < 0.8 or i == 0}
        line = {
            "step": k + 1,
            "steps": steps,
            "loss": float(np.mean(list(seen.values()))),
            "task_loss": seen,
            "attempt": 1,
        }
        lines.append(line)
    return lines


def write_history(folder: Path, run: str, lines: list[dict[str, object]]) -> Path:
    path = folder / "runs" / run / "training.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def write_mixture(path: Path, rows: list[tuple[str, str]]) -> Path:
    """Write a mixture of empty conversations, one for each (task, subset)."""
    columns = {"id": "1", "image": None, "conversations": []}
    table = pa.Table.from_pylist([{**columns, "task": task, "subset": subset} for task, subset in rows], MIXTURE_SCHEMA)
    with pa.ipc.new_file(path, MIXTURE_SCHEMA) as writer:
        writer.write_table(table)
    return path


def write_balancing(folder: Path) -> list[str]:
    """Write the tables that the figures of the balancing are drawn from; return the flags that name them."""
    of_two = validation_scores(["a", "b"]).query("run in ['mini', 'plus-a']").assign(split="val")
    tables = {
        "contributions": contributions().rename_axis("from").reset_index(),
        "intervals": intervals().assign(value=0.0),
        "difficulty": difficulty(),
        "weights": with_fixed_task(weights()),
        "scores": of_two,
    }
    for name, table in tables.items():
        write_table(folder / f"{name}.tsv", table)
    write_json(folder / "balancing.json", {"not_measured": []})
    mixtures = [
        write_mixture(folder / "mini.arrow", [("a", "mini")] * 3 + [("b", "mini")] * 2),
        write_mixture(folder / "plus-a.arrow", [("a", "large")] * 30 + [("b", "mini")] * 2),
    ]
    flags = [word for name in tables for word in (f"--{name}", str(folder / f"{name}.tsv"))]
    return [*flags, "--balancing", str(folder / "balancing.json"), "--mixtures", *map(str, mixtures)]
