"""A model that was trained elsewhere takes the place of a training, once it is seen to be one of the same kind."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoModelForImageTextToText

from visatb.errors import VisatbError, bullet_list
from visatb.models.families import load_processor, model_family
from visatb.models.hub import from_hub_or_folder
from visatb.runtime.digests import file_digest, folder_digest
from visatb.runtime.files import atomic_path, link_or_copy, read_json
from visatb.runtime.progress import say
from visatb.training.checkpoints import DESCRIPTION

KEPT = (".safetensors", ".json", ".jinja", ".txt", ".model")
"""What a model folder is made of; programs and pickles among its files stay where they are."""


@dataclass(frozen=True)
class AsHere:
    """What a training of this experiment would start with: its mixture's file, and the parts that it freezes."""

    mixture: str
    freeze: Sequence[str]


def import_model(run: str, folder: str | Path, base: str, output: str | Path, as_here: AsHere | None = None) -> None:
    """Put the model in ``folder`` at ``output``, by hard links where the file system has them.

    Args:
        run: the run that it stands for, for messages.
        folder: the model, in the layout of transformers.
        base: checkpoint folder or hub name that this experiment's trainings start from.
        output: the model folder to make.
        as_here: what it must have been trained with, as the description beside its checkpoints tells; by default
            that is left to who imports it.

    Raises:
        VisatbError: naming all that differs from ``base`` in architecture, tokenizer or image processor, weights
            that are missing, damaged or of other shapes, and another training than ``as_here``.
    """
    differences = [*_differences(folder, base), *(_training_differences(run, folder, base, as_here) if as_here else ())]
    if differences:
        raise VisatbError(f"{folder} cannot stand for the run {run}:\n{bullet_list(differences)}")
    with atomic_path(output) as temporary:
        temporary.mkdir()
        for file in sorted(Path(folder).iterdir()):
            if file.is_file() and file.suffix in KEPT:
                link_or_copy(str(file.resolve()), str(temporary / file.name))
    say(f"[{run}] is imported from {folder}")


def _differences(folder: str | Path, base: str) -> Iterator[str]:
    family, own = model_family(folder), model_family(base)
    if family != own:
        yield f"it is a {family}, but the experiment's model {base} is a {own}"
        return
    actual, expected = _shapes(folder), _shapes(base)
    changed = [name for name in sorted({*actual, *expected}) if actual.get(name) != expected.get(name)]
    for name in changed[:3]:
        yield f"{name}: shape {actual.get(name, 'missing')}, in {base} {expected.get(name, 'missing')}"
    if len(changed) > 3:
        yield f"{len(changed) - 3} more weights have other shapes than in {base}"
    yield from _processor_differences(folder, base)
    yield from _weight_problems(Path(folder), expected)


def _training_differences(run: str, folder: str | Path, base: str, as_here: AsHere) -> Iterator[str]:
    files = sorted((Path(folder).parent / "checkpoints").glob(f"*/{DESCRIPTION}"))
    if not files:
        say(f"[{run}] {Path(folder).parent} has no checkpoints/*/{DESCRIPTION}: what it was trained on is not checked")
        return
    descriptions = [read_json(path) for path in files]
    expected = {
        "mixture": file_digest(as_here.mixture),
        "base": folder_digest(base) if Path(base).is_dir() else base,
        "freeze": list(as_here.freeze),
    }
    for key, value in expected.items():
        if all(description.get(key) != value for description in descriptions):
            yield f"it was trained with another {key} than this experiment has for it ({files[-1]})"


def _shapes(checkpoint: str | Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes that a checkpoint's config asks for, without reading weights."""
    config = AutoConfig.from_pretrained(**from_hub_or_folder(checkpoint))
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config)
    return {name: tuple(tensor.shape) for name, tensor in model.named_parameters()}


def _processor_differences(folder: str | Path, base: str) -> Iterator[str]:
    actual, expected = load_processor(folder), load_processor(base)
    if actual.tokenizer.get_vocab() != expected.tokenizer.get_vocab():
        yield f"its tokenizer has other tokens than that of {base}"
    if actual.chat_template != expected.chat_template:
        yield f"its chat template is another than that of {base}, so it was asked in other words"
    changed = _changed(actual.image_processor.to_dict(), expected.image_processor.to_dict())
    if changed:
        yield f"its image processor differs from that of {base} in {', '.join(changed)}"


def _changed(actual: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    return [key for key in sorted({*actual, *expected}) if _plain(actual.get(key)) != _plain(expected.get(key))]


def _plain(value: Any) -> Any:
    """Return sizes as plain mappings: one read from a file and one made by a default compare equal."""
    return dict(value) if hasattr(value, "keys") else list(value) if isinstance(value, tuple) else value


def _weight_problems(folder: Path, expected: dict[str, tuple[int, ...]]) -> Iterator[str]:
    """Yield shards that cannot be read, and the number of weights of each shape that are not there.

    Names are left to transformers, which knows those of several versions; shapes are the same under all of them.
    """
    shapes: Counter[tuple[int, ...]] = Counter()
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(file, "pt") as weights:
                shapes.update(tuple(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            yield f"{file} cannot be read ({error})"
            return
    lacking = Counter(expected.values()) - shapes
    if lacking:
        shape, number = next(iter(lacking.items()))
        yield f"its files lack {number} weight(s) of shape {shape} ({lacking.total()} in all); get the whole model"
