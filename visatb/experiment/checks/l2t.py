"""Mistakes in a config's objective and comparison that only show when keys are looked at together."""

from collections.abc import Iterator
from pathlib import Path

from visatb.config.loading import no_such_file
from visatb.config.schema import Config
from visatb.errors import VisatbError
from visatb.training.l2t.sentences import plain, sentence_spans
from visatb.training.l2t.task_templates import read_decisions


def check_l2t(config: Config) -> Iterator[str]:
    """Yield one line for each mistake."""
    if config.experiment in config.compare_with:
        yield f"compare_with: '{config.experiment}' is this experiment itself; name others"
    section = config.l2t
    if section is None:
        return
    if config.objective != "l2t":
        yield "l2t: goes with objective: l2t; set it, or take l2t away"
    for key in ("keep", "remove"):
        for sentence in getattr(section, key):
            if len(sentence_spans(sentence)) != 1:
                yield f"l2t.{key}: '{sentence}' is not one sentence; list each by itself"
    for sentence in {*map(plain, section.keep)} & {*map(plain, section.remove)}:
        yield f"l2t.keep: '{sentence}' is also under remove; take it away from one of them"
    if section.templates is not None and not Path(section.templates).is_file():
        yield f"l2t.templates: {no_such_file(section.templates)}"
    elif section.templates is not None:
        try:
            read_decisions(section.templates)
        except VisatbError as error:
            yield f"l2t.templates: {error}"
