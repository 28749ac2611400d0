"""Variants of a balancing, told apart by what they change: the blocks of the paper's ablation tables (8, 13, 14)."""

from collections.abc import Collection, Mapping

from visatb.config.balancing import BalanceSettings

Block = dict[str, str]
"""Name of a balancing -> its setting of what the block is about."""


def variant_blocks(
    settings: Mapping[str, BalanceSettings], shown: Collection[str], reference: str = "visatb"
) -> list[Block]:
    """Return one block for each aspect that variants change, e.g. the temperature, in the order they come.

    Args:
        settings: how each balancing is made, ``reference`` among them.
        shown: the balancings that tables have a row of.
        reference: what the variants differ from. It ends every block, if it is shown.
    """
    aspects = {name: _aspects(chosen) for name, chosen in settings.items()}
    own = aspects.pop(reference)
    blocks: dict[tuple[str, ...], Block] = {}
    for name, words in aspects.items():
        changed = tuple(key for key in own if words[key] != own[key])
        if name in shown:
            blocks.setdefault(changed, {})[name] = ", ".join(words[key] for key in changed) or f"as it is, {name}"
    for changed, block in blocks.items():
        if reference in shown:
            block[reference] = ", ".join(own[key] for key in changed) or "as it is"
    return list(blocks.values())


def _aspects(settings: BalanceSettings) -> dict[str, str]:
    return {
        "alpha": f"α = [{', '.join(f'{alpha:.2g}' for alpha in settings.alphas)}]",
        "temperature": f"T = {settings.temperature}",
        "on_unlearned": f"unlearned: {settings.on_unlearned}",
        "estimator": f"{settings.estimator} C",
        "form": "simple form" if settings.form == "simple" else f"{settings.difficulty_used} difficulty",
    }
