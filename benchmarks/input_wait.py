"""Share of a training's time in which it waits for its next micro-batch, by the number of processes that make them.

python benchmarks/input_wait.py --mixture results/demo/mixtures/mini.arrow --base data/models/tiny-llava \\
    --output benchmarks/results/input_wait.json

Each round trains the same steps with each number of workers, with one thread. With 0 the training itself opens the
pictures, fills in the template and packs the samples, and waits meanwhile. ``cpu`` is the processor time of training
and workers together for a step: what counts where other trainings run on the remaining cores. Pictures come from the
system's file cache.

Samples of the size of real ones: `input_wait_full_size.py`.
"""

import argparse
import resource
import time
from tempfile import TemporaryDirectory
from typing import Any

import torch
from side_by_side import medians, write_figures
from training import Stopwatch, Trainings, add_settings
from transformers import PrinterCallback
from transformers.utils.logging import disable_progress_bar

from visatb.models.families import freeze, load_model
from visatb.training.trainer import VitwTrainer


class WatchedTrainer(VitwTrainer):
    """Notes how long it waits for each step's micro-batches."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waits: list[float] = []

    def get_batch_samples(self, *args: Any, **kwargs: Any) -> Any:
        """Return the next step's micro-batches."""
        started = time.perf_counter()
        result = super().get_batch_samples(*args, **kwargs)
        self.waits.append(time.perf_counter() - started)
        return result


def processor_seconds() -> float:
    """Return the processor time of this process and of its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measured(trainings: Trainings, arguments: argparse.Namespace, workers: int) -> dict[str, float]:
    """Train once; return the share of the wall time spent waiting, and seconds a step by both clocks."""
    model = load_model(arguments.base, torch.float32, arguments.attention)
    freeze(model, arguments.freeze)
    with TemporaryDirectory() as folder:
        settings = trainings.arguments(folder)
        settings.dataloader_num_workers = workers
        given = {"model": model, "args": settings, "train_dataset": trainings.mixture}
        trainer = trainings.weighted(WatchedTrainer, "step", packs=True)(given, model)
        trainer.remove_callback(PrinterCallback)
        watch = Stopwatch(arguments.skipped)
        trainer.add_callback(watch)
        before = processor_seconds()
        trainer.train()
    # The first wait after the steps left out belongs to the first measured step.
    waited = sum(trainer.waits[arguments.skipped : arguments.skipped + arguments.steps])
    cpu = (processor_seconds() - before) / (arguments.skipped + arguments.steps)
    return {"waiting": waited / watch.wall, "wall": watch.wall / arguments.steps, "cpu": cpu}


def main() -> None:
    """Measure in turns, print, and write the figures if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_settings(parser)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    disable_progress_bar()
    trainings = Trainings(arguments)
    rounds: list[dict[str, dict[str, float]]] = []
    for number in range(arguments.rounds):
        turn = arguments.workers[:: -1 if number % 2 else 1]
        rounds.append({str(workers): measured(trainings, arguments, workers) for workers in turn})
    found = {
        figure: {name: [one[name][figure] for one in rounds] for name in map(str, arguments.workers)}
        for figure in ("waiting", "wall", "cpu")
    }
    figures = {"batch": arguments.batch, "steps": arguments.steps, "rounds": arguments.rounds}
    figures |= {
        "share_waiting": medians(found["waiting"]),
        "wall_seconds_a_step": medians(found["wall"]),
        "cpu_seconds_a_step": medians(found["cpu"]),
        "all": found,
    }
    for name, share in figures["share_waiting"].items():
        wall, cpu = figures["wall_seconds_a_step"][name], figures["cpu_seconds_a_step"][name]
        print(f"{name} workers: {share:6.1%} waiting, {1000 * wall:.1f} ms a step, {1000 * cpu:.1f} ms of processors")
    if arguments.output:
        write_figures(arguments.output, figures)


if __name__ == "__main__":
    main()
