# What jobs are told on their command lines, as functions of the run.

COLUMNS = [f"{task}:{metric}" for task, metric in EXPERIMENT.validation_columns]
GROUPS = [f"{group}={','.join(tasks)}" for group, tasks in EXPERIMENT.groups.items()]


def weights_options(weights):
    settings = EXPERIMENT.balance_settings(weights)
    return options(
        column=COLUMNS,
        group=GROUPS,
        **settings.model_dump(exclude={"alpha", "difficulty"}),
        **dict(zip(("alpha_out", "alpha_in", "alpha_difficulty"), settings.alphas)),
        difficulty=settings.difficulty_used,
        bootstrap=EXPERIMENT.config.balancing.bootstrap,
        seed=EXPERIMENT.config.seed,
        fixed=pairs({task: fixed.weight for task, fixed in EXPERIMENT.config.fixed_tasks.items()}),
        remark=REMARKS,
    )


def variant_options():
    """The variants that the benchmark has rows of, in blocks of what they change."""
    blocks = variant_blocks(
        {name: EXPERIMENT.balance_settings(name) for name in EXPERIMENT.balancings}, EXPERIMENT.config.methods
    )
    return " ".join(options(block=pairs(block)) for block in blocks)


def reported(path, category, caption, shows=None):
    """A result that the report shows in a category, which Snakemake sorts by name, under the words ``shows``."""
    words = {"shows": shows or caption.replace("_", " ")}
    return report(path, caption=f"../report/{caption}.rst", category=category, labels=words)


def figure(name, category, shows=None):
    return reported(f"<results>/figures/{name}.svg", category, name, shows)
