"""Put the same experiment under several seeds side by side: mean and standard deviation of V, C, D, lambda, dI, dE.

Run the experiment once a seed, then this script on the result folders:

    snakemake --config experiment=demo-seed1 seed=1
    python benchmarks/seeds.py results/demo results/demo-seed1 results/demo-seed2 > table.md
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from visatb.runtime.files import read_table


def matrices(folders: list[Path], name: str, index: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the first folder's table, for its names, and the numbers of all as [folders, rows, columns]."""
    tables = [read_table(folder / name).set_index(index) for folder in folders]
    numbers = [table.select_dtypes("number").loc[tables[0].index] for table in tables]
    return numbers[0], np.stack([number.to_numpy(float) for number in numbers])


def markdown(title: str, names: pd.DataFrame, values: np.ndarray, digits: int) -> str:
    """Return ``mean ± sd`` of every cell as a Markdown table."""
    mean, spread = values.mean(axis=0), values.std(axis=0, ddof=1)
    cells = [
        ["-" if np.isnan(m) else f"{m:.{digits}f} ± {s:.{digits}f}" for m, s in zip(*row, strict=True)]
        for row in zip(mean, spread, strict=True)
    ]
    table = pd.DataFrame(cells, index=names.index, columns=names.columns).reset_index()
    return f"**{title}**\n\n{table.to_markdown(index=False, disable_numparse=True)}\n"


def main() -> None:
    """Result folders in, Markdown out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="results/<experiment>, one a seed; at least two")
    folders = parser.parse_args().folders
    weights = ["C_out", "C_in", "D", "lambda_out", "lambda_in", "lambda_D", "weight"]
    print(markdown("Validation matrix V", *matrices(folders, "validation_matrix.tsv", "run"), digits=2))
    print(markdown("Contributions C, from row to column", *matrices(folders, "contributions.tsv", "from"), digits=2))
    names, values = matrices(folders, "weights.tsv", "task")
    chosen = [names.columns.get_loc(column) for column in weights]
    print(markdown("Difficulties and weights", names[weights], values[:, :, chosen], digits=2))
    print(markdown("Test scores, dI and dE", *matrices(folders, "benchmark.tsv", "method"), digits=2))
    _, every = matrices(folders, "benchmark.tsv", "method")
    methods = list(names_of(folders[0]))
    gain = every[:, methods.index("visatb"), -2:] - every[:, methods.index("ew"), -2:]
    print("VisATB minus EW, seed by seed: " + "; ".join(f"dI {i:+.2f}, dE {e:+.2f}" for i, e in gain))


def names_of(folder: Path) -> pd.Index:
    """Return the methods of a benchmark table."""
    return read_table(folder / "benchmark.tsv").set_index("method").index


if __name__ == "__main__":
    main()
