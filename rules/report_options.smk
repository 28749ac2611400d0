# What the report is told of each result, and where trainings wrote down how they went.


def histories(wildcards, input):
    """Where the trainings that made these models wrote down how they went."""
    return [str(Path(model).with_name("training.jsonl")) for model in input]


def run_figures(runs):
    pictures = {run: f"<results>/figures/training/{run}" for run in runs}
    shown = [reported(f"{path}.svg", "2 Training", "run", f"training of {run}") for run, path in pictures.items()]
    return shown + [f"{path}.png" for path in pictures.values()]


def table_pages(categories):
    return [
        reported(f"<results>/tables/{name}.html", category, name, f"{name.replace('_', ' ')} (table)")
        for name, category in categories.items()
    ]
