"""From seed types to a tree of three levels: a model is asked for more below each place of the tree."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from visatb.endpoints.client import Question
from visatb.endpoints.endpoint import Endpoint
from visatb.endpoints.prompts import Prompt
from visatb.taskgalaxy.asking import Asking, ask
from visatb.taskgalaxy.replies import parse_types
from visatb.taskgalaxy.tables import Row, kept, rejected
from visatb.taskgalaxy.types import ARROW, TaskType, comparable, normalised

ROOT = "(the root: name families)"

Path = tuple[str, ...]


@dataclass
class _Tree:
    """Names below each place, and what became of every name that was proposed."""

    children: dict[Path, list[str]] = field(default_factory=dict)
    origin: dict[Path, str] = field(default_factory=dict)
    refused: list[Row] = field(default_factory=list)

    def add(self, parent: Path, name: str, origin: str) -> None:
        """Add a name below a place unless it is there, in other writing."""
        try:
            clean = normalised(name)
        except ValueError as error:
            self.refuse(parent, name, "no name of a type", str(error))
            return
        if comparable(clean) in map(comparable, self.children.get(parent, [])):
            self.refuse(parent, clean, "named before", "in the same place")
            return
        self.children.setdefault(parent, []).append(clean)
        self.origin[*parent, clean] = origin

    def at_depth(self, depth: int) -> list[Path]:
        """Return the places of a level in the tree's order: 0 is the root alone."""
        paths: list[Path] = [()]
        for _ in range(depth):
            paths = [(*path, name) for path in paths for name in self.children.get(path, [])]
        return paths

    def refuse(self, parent: Path, name: str, reason: str, detail: str) -> None:
        """Note a name that does not become a type."""
        shown = name.encode(errors="replace").decode()[:200]
        self.refused.append({"parent": parent, "name": shown, **rejected(reason, detail)})


def expand(
    seeds: dict[str, dict[str, list[str]]],
    numbers: Sequence[int],
    prompt: Prompt,
    endpoint: Endpoint,
    asking: Asking,
) -> list[Row]:
    """Return every type that was given or proposed as rows of `TYPE_SCHEMA`, in the tree's order; rejected ones last.

    Args:
        seeds: level-1 type -> level-2 type -> level-3 types.
        numbers: new names that are asked for below the root, each level-1 and each level-2 type; 0 asks for none.
        prompt: with the places ``{parent}``, ``{known}`` and ``{number}``.
        endpoint: who proposes.
        asking: how.

    A name counts as named before where the same place has it in another writing; a level-3 name, also where the same
    level-1 type has it elsewhere. A place for which no usable reply comes keeps the children that it has.
    """
    tree = _planted(seeds)
    for depth, number in enumerate(numbers):
        if number:
            _grow(tree, tree.at_depth(depth), number, prompt, endpoint, asking)
    return _rows(tree)


def _planted(seeds: dict[str, dict[str, list[str]]]) -> _Tree:
    tree = _Tree()
    for level_1, kinds in seeds.items():
        tree.add((), level_1, "seed")
        for level_2, threes in kinds.items():
            tree.add((level_1,), level_2, "seed")
            for level_3 in threes:
                tree.add((level_1, level_2), level_3, "seed")
    return tree


def _grow(
    tree: _Tree,
    parents: Sequence[Path],
    number: int,
    prompt: Prompt,
    endpoint: Endpoint,
    asking: Asking,
) -> None:
    prompts = [(_prompt(tree, parent, number, prompt), endpoint) for parent in parents]
    outcomes = ask(asking, prompts, lambda _, text: parse_types(text))
    for parent, outcome in zip(parents, outcomes, strict=True):
        if outcome.value is None:
            tree.refused.append({"parent": parent, "name": "", **rejected(outcome.reason, outcome.detail)})
            continue
        for position, name in enumerate(outcome.value):
            if position >= number:
                tree.refuse(parent, name, "more than were asked for", "")
            else:
                tree.add(parent, name, "model")


def _prompt(tree: _Tree, parent: Path, number: int, prompt: Prompt) -> Question:
    known = "\n".join(f"- {name}" for name in tree.children.get(parent, [])) or "- (nothing yet)"
    return Question(prompt.system, prompt.filled(parent=ARROW.join(parent) or ROOT, known=known, number=str(number)))


def _rows(tree: _Tree) -> list[Row]:
    rows: list[Row] = []
    seen: dict[tuple[str, str], str] = {}
    for path in tree.at_depth(3):
        level_1, level_2, level_3 = path
        task_type = TaskType(level_1, level_2, level_3, tree.origin[path])
        key = (task_type.level_1, comparable(task_type.level_3))
        verdict = rejected("named before", seen[key]) if key in seen else kept()
        seen.setdefault(key, task_type.path)
        rows.append(_row(path, task_type.origin, task_type.id, verdict))
    for number, refused in enumerate(tree.refused):
        verdict = {name: refused[name] for name in ("status", "reason", "detail")}
        names = (*refused["parent"], refused["name"])
        rows.append(_row(names, "model", f"refused-{number}", verdict))
    return rows


def _row(names: Path, origin: str, identity: str, verdict: Row) -> Row:
    levels = dict(zip(("level_1", "level_2", "level_3"), (*names, "", "")[:3], strict=True))
    return {"id": identity, **levels, "origin": origin, **verdict}
