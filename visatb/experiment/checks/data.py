"""What must hold between the data files, the sources and the corpus of a config's tasks."""

from collections import Counter
from collections.abc import Iterator
from os.path import normpath

from visatb.config.schema import Config, FixedTaskConfig, TaskConfig
from visatb.config.tasks import SPLITS, SourceConfig
from visatb.data.demo.exchanges import DEMO_TASKS


def check_data(config: Config) -> Iterator[str]:
    """Yield a line for each mistake about where the tasks' samples come from."""
    yield from _split_files(config)
    yield from _data_or_source(config)
    yield from _corpus(config)


def _split_files(config: Config) -> Iterator[str]:
    places: dict[str, list[str]] = {}
    for task, settings in config.tasks.items():
        for split in SPLITS if settings.data and settings.task_field is None else ():
            for file in getattr(settings.data, split):
                places.setdefault(normpath(file), []).append(f"tasks.{task}.data.{split}")
    for task, fixed in config.fixed_tasks.items():
        for file in fixed.data or [] if fixed.task_field is None else []:
            places.setdefault(normpath(file), []).append(f"fixed_tasks.{task}.data")
    for file, named in places.items():
        if len(named) > 1:
            yield f"{named[0]}: {file} is named in {' and '.join(named)}; splits and tasks must not share samples"
    for task, settings in config.tasks.items():
        files = [normpath(file) for split in SPLITS for file in getattr(settings.data, split, [])]
        for file, count in Counter(files).items():
            if count > 1 and settings.task_field is not None:
                yield f"tasks.{task}.data: {file} is named for {count} splits; splits must not share samples"


def _data_or_source(config: Config) -> Iterator[str]:
    sections: dict[str, TaskConfig | FixedTaskConfig] = {f"tasks.{task}": value for task, value in config.tasks.items()}
    sections |= {f"fixed_tasks.{task}": value for task, value in config.fixed_tasks.items()}
    for key, settings in sections.items():
        if settings.data is None and settings.source is None:
            yield f"{key}.data: missing; name the annotation files by split, or say with source what to make them from"
        if settings.data is not None and settings.source is not None:
            yield f"{key}.source: data names the files already; take one of the two away"
        if settings.source is not None:
            yield from _source(f"{key}.source", settings.source, isinstance(settings, FixedTaskConfig))
            if settings.source.format == "m3it" and settings.image_folder != ".":
                yield f"{key}.image_folder: images of M3IT come with its records; take image_folder away"
            if isinstance(settings, FixedTaskConfig) and settings.mini:
                yield f"{key}.mini: goes with data, not with source"


def _source(key: str, source: SourceConfig, is_fixed: bool) -> Iterator[str]:
    has_val, has_test = bool(source.files.val), bool(source.files.test)
    if is_fixed:
        if has_val or has_test or source.hold_out or source.halve_val:
            yield f"{key}: a fixed task has a train split alone; take val, test, hold_out and halve_val away"
    elif source.hold_out and (has_val or has_test or source.halve_val):
        yield f"{key}.hold_out: makes val and test of train; take files.val, files.test and halve_val away"
    elif source.halve_val and (has_test or not has_val):
        yield f"{key}.halve_val: makes test of val; name files.val, and no files.test"
    elif not source.hold_out and not source.halve_val and not (has_val and has_test):
        yield f"{key}.files: val and test are needed; name them, or make them with hold_out or halve_val"
    for split, size in source.samples or ():
        if size is not None and is_fixed and split != "train":
            yield f"{key}.samples.{split}: a fixed task has a train split alone"
    if (source.format == "refcoco") != (source.ask is not None):
        yield f"{key}.ask: goes with format: refcoco, and is needed there (caption or box)"
    if source.blocked_words and source.format != "sharegpt":
        yield f"{key}.blocked_words: goes with format: sharegpt"
    if (source.max_tokens is None) != (source.tokenizer is None):
        yield f"{key}.max_tokens: goes with tokenizer, and tokenizer with it"


def _corpus(config: Config) -> Iterator[str]:
    for task in [*config.tasks, *config.fixed_tasks] if config.corpus else []:
        if task not in DEMO_TASKS:
            yield f"corpus: has no task '{task}', only {', '.join(DEMO_TASKS)}; with data of your own take corpus away"
