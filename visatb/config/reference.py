"""The parameter reference ``config/README.md``, made from the schema: ``python -m visatb.config.reference``."""

import sys
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from visatb.config.model import ModelConfig
from visatb.config.schema import Config
from visatb.config.types import After

INTRODUCTION = """\
# Configuration

<!-- Made by `python -m visatb.config.reference > config/README.md`; edit visatb/config/ instead. -->

An experiment is one YAML file. [`config.yaml`](config.yaml) is the demo and what `snakemake` runs when nothing else is
said; other experiments are in [`experiments/`](experiments), models in [`models/`](models). Choose one with

    snakemake --configfile config/experiments/mine.yaml

Every path is relative to the folder that `snakemake` is called in. A mistake (an unknown key, a wrong type, a task
that is not there) stops the workflow before anything runs, and all mistakes are told at once.

Editors with a YAML language server (VS Code's YAML extension, Neovim, Emacs and others) complete keys, show what they
mean and mark mistakes in files whose first line names the schema, as those here do:

```
# yaml-language-server: $schema=../schema/config.json
```

That is the path from the file to [`schema/config.json`](schema/config.json), or of a model file to
[`schema/model.json`](schema/model.json).

## Files that extend each other

`extends: config/config.yaml` takes every key from that file, and from what that one extends in turn; keys given
beside it win. Sections are laid over each other key by key, lists are replaced as a whole, and `null` takes a key
away:

```yaml
extends: config/config.yaml
experiment: without-charts   # results lie in results/without-charts/
tasks:
  chart: null                # the demo's task is left out, the others stay
training:
  epochs: 2                  # the other keys of training stay as they are
```

If you extend the demo, its tasks and its corpus stay until you take them away; for data of your own start afresh, as
below.

## Data of your own

A task has three files (or lists of files), one for each of train, val and test, with records in LLaVA's format: a JSON
list (`.json`), or one record a line (`.jsonl`):

```json
{"id": "gqa-17", "image": "images/17.jpg", "conversations": [
  {"from": "human", "value": "<image>\\nIs the cup left of the plate? Answer yes or no."},
  {"from": "gpt", "value": "yes"}]}
```

- `id` is unique within the split. `image` is relative to the task's `image_folder` and may be missing; `<image>` in a
  question stands where the image goes. Turns alternate, human first; the last answer is the one that is scored.
- In val and test, an answer may be a list of texts that all count as right.
- A task scored with `IoU` or `mean_IoU` has answers `[x1, y1, x2, y2]` within 0-1 of the square-padded image.
- No file may serve two splits or two tasks. No sample of val or test should be in train.
- Names of tasks become names of files: letters, digits, `_`, `.`, `+` and `-`. Put names like `2024` or `yes` in
  quotes.

```yaml
experiment: mine
model: config/models/llava-1.5-7b.yaml
data_folder: /data/mine
tasks:
  GQA:
    data: gqa/{split}.json     # gqa/train.json, gqa/val.json and gqa/test.json
    image_folder: gqa
    metrics: EM
    max_new_tokens: 16
  captions:
    data: {train: [coco.json, flickr.json], val: coco_val.json, test: coco_test.json}
    image_folder: coco
    metrics: CIDEr
```

Instead of `data`, a task may have a `source`: a data set as it is published, and how its splits are made of it.
[data/README.md](../data/README.md) tells of formats and steps; the paper's experiments in
[`experiments/`](experiments) use all of them:

```yaml
tasks:
  GQA:
    source:
      files: gqa/{split}.json  # one question a record
      merge_images: true       # those on one image become one conversation, in train
      samples: {val: 20000}
      instruction: Answer the question using a single word or phrase.
    image_folder: images
    metrics: EM
```

Answers without one right wording can be graded by another model, behind any OpenAI-compatible endpoint:

```yaml
tasks:
  chat:
    data: chat/{split}.json
    image_folder: chat
    metrics: judge
    judge_context: chat/context.jsonl   # {"image": "1.jpg", "caption": "What is in the picture ..."}, one a line
    max_new_tokens: 512
evaluation:
  judge:
    url: http://localhost:8000/v1  # the default is OpenAI's own, with the key in OPENAI_API_KEY
    model: a-judge
```

The key is read from the environment alone, and never written anywhere. A line of `judge_context` may also have
`captions` (a list) and `instances` (a list of objects with `category` and `bbox`), as the files of LLaVA-Bench.

Every record is checked before anything is trained; `results/<experiment>/records/<task>/<split>.report.json` says
what was found.
"""


def reference() -> str:
    """Return the text of ``config/README.md``."""
    experiment = ["## Every key of an experiment", *_sections(Config, "")]
    model = ["## Every key of a model file", *_sections(ModelConfig, "")]
    return "\n\n".join([INTRODUCTION.rstrip(), *experiment, *model]) + "\n"


def _sections(schema: type[BaseModel], path: str, written: set[type[BaseModel]] | None = None) -> Iterator[str]:
    """Yield the heading, docstring and table of a section, then those of the sections within it, each section once."""
    written = set() if written is None else written
    written.add(schema)
    if path:
        yield f"### `{path}`"
        yield " ".join((schema.__doc__ or "").split())
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for key, field in _keys(schema):
        cells = (f"`{key}`", _type_words(field.annotation, field.metadata), _default(field), field.description or "")
        rows.append("| " + " | ".join(cells) + " |")
    yield "\n".join(rows)
    paths: dict[type[BaseModel], list[str]] = {}
    for key, field in _keys(schema):
        section, is_named = _inner_section(field.annotation)
        if section is not None:
            inner = f"{path}.{key}".lstrip(".") + (".<name>" if is_named else "")
            paths.setdefault(section, []).append(inner)
    for section, places in paths.items():
        if section not in written:
            yield from _sections(section, "`, `".join(places), written)


def _keys(schema: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    """Return a section's keys in the order of its fields, but for those that say after which one they are told."""
    names = list(schema.model_fields)
    for name, field in schema.model_fields.items():
        before = next((note.key for note in field.metadata if isinstance(note, After)), None)
        if before in names:
            names.remove(name)
            names.insert(names.index(before) + 1, name)
    return [(schema.model_fields[name].alias or name, schema.model_fields[name]) for name in names]


def _inner_section(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """Return the section that a key holds, and whether it holds one for each of several names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    for argument in get_args(annotation):
        if isinstance(argument, type) and issubclass(argument, BaseModel):
            return argument, get_origin(annotation) is dict
    return None, False


def _type_words(annotation: Any, metadata: list[Any]) -> str:
    arguments = [argument for argument in get_args(annotation) if argument is not type(None)]
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{argument}`" for argument in arguments)
    if hasattr(annotation, "__metadata__"):
        return _type_words(arguments[0], list(annotation.__metadata__))
    if get_origin(annotation) is list:
        inner = _type_words(arguments[0], [])
        return "text or list of texts" if inner == "text" else f"list of {inner}"
    if get_origin(annotation) is dict:
        return f"name -> {_type_words(arguments[1], [])}"
    if arguments:
        return " or ".join(_type_words(argument, metadata) for argument in arguments)
    words = {str: "text", bool: "true or false", float: "number", int: "whole number"}.get(annotation, "section")
    return words + _bounds(metadata)


def _bounds(metadata: list[Any]) -> str:
    bounds = [(words, _bound(metadata, name)) for name, words in (("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<="))]
    limits = [f"{words} {bound:.10g}" for words, bound in bounds if bound is not None]
    return f", {' and '.join(limits)}" if limits else ""


def _bound(metadata: list[Any], name: str) -> float | None:
    nested = [inner for item in metadata for inner in (item, *getattr(item, "metadata", []))]
    return next((getattr(item, name) for item in nested if getattr(item, name, None) is not None), None)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**needed**"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined or value is None or value in ({}, [], ""):
        return ""
    if isinstance(value, BaseModel):
        return "see below"
    if isinstance(value, list):
        return f"`[{', '.join(map(str, value))}]`"
    if isinstance(value, dict):
        return f"`{{{', '.join(f'{key}: {item}' for key, item in value.items())}}}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


if __name__ == "__main__":
    sys.stdout.write(reference())
