"""Make a task's splits of a published data set."""

import argparse
import json
from pathlib import Path

from visatb.config.tasks import SourceConfig
from visatb.data.sources.prepare import Origin, write_sources
from visatb.errors import friendly_exit
from visatb.runtime.cli import named_value


@friendly_exit
def main() -> None:
    """Raw files in, LLaVA-format JSON lines out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", required=True)
    parser.add_argument("--source", required=True, metavar="JSON", help="the task's section `source`")
    parser.add_argument("--file", type=named_value, nargs="+", required=True, metavar="SPLIT=FILE", help="raw files")
    parser.add_argument("--images", required=True, metavar="FOLDER", help="where images from inside the files go")
    parser.add_argument("--task-field", help="what the task's records say in 'task', if files hold several")
    parser.add_argument("--other-fields", nargs="*", default=[], help="what records of other tasks say there")
    parser.add_argument("--tolerated", type=float, default=0.0, help="share of bad records that may be left out")
    parser.add_argument("--output", required=True, metavar="FOLDER", help="gets <split>.jsonl and report.json")
    arguments = parser.parse_args()
    files: dict[str, list[str]] = {}
    for split, file in arguments.file:
        files.setdefault(split, []).append(file)
    origin = Origin(
        task=arguments.task,
        files=files,
        images=Path(arguments.images),
        task_field=arguments.task_field,
        other_fields=arguments.other_fields,
    )
    source = SourceConfig.model_validate(json.loads(arguments.source))
    write_sources(source, origin, arguments.output, arguments.tolerated)


if __name__ == "__main__":
    main()
