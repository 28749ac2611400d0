"""What of the zero-shot benchmarks follows from an experiment's config."""

from pathlib import Path

from visatb.config.schema import Config
from visatb.config.zero_shot import BenchmarkConfig
from visatb.evaluation.zero_shot.benchmarks import Benchmark
from visatb.scores.columns import Column

LOADERS = {"llava": "llava_hf", "qwen2_vl": "qwen2_vl"}
"""Family -> lmms-eval's class for its checkpoints."""


def benchmarks(config: Config) -> list[Benchmark]:
    """Return the benchmarks of the config's ``zero_shot``, none without that section."""
    section = config.zero_shot
    return (
        [_benchmark(name, settings, config.data_folder) for name, settings in section.benchmarks.items()]
        if section
        else []
    )


def methods(config: Config) -> list[str]:
    """Return the methods whose final models answer, each a run of its own name."""
    if config.zero_shot is None:
        return []
    return config.zero_shot.methods or [method for method in config.methods if method != "stl"]


def columns(config: Config) -> list[Column]:
    """Return the columns of the table of zero-shot scores."""
    return [Column(benchmark.name, benchmark.metric, benchmark.higher_is_better) for benchmark in benchmarks(config)]


def _benchmark(name: str, settings: BenchmarkConfig, data_folder: str) -> Benchmark:
    data = [str(Path(data_folder) / pattern) for pattern in settings.data or ()]
    folder = str(Path(data_folder) / settings.image_folder) if settings.image_folder else None
    return Benchmark.of(name, settings.task, settings.metric, data, folder, not settings.lower_is_better)
