"""Measure by how much the image makes the true answers likelier than a noise image does, with one model."""

import argparse
import os
from pathlib import Path

from visatb.errors import friendly_exit
from visatb.runtime.devices import computes_on_cpu


@friendly_exit
def main() -> None:
    """Set the process up, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="the run's name, for progress lines")
    parser.add_argument("--model", required=True, help="model folder")
    parser.add_argument("--records", required=True, metavar="FOLDER", help="holds <task>/test.parquet")
    parser.add_argument("--task", nargs="+", required=True)
    parser.add_argument("--output", required=True, metavar="FOLDER", help="<task>.parquet are written there")
    parser.add_argument("--max-length", type=int, required=True, help="tokens")
    parser.add_argument("--batch-size", type=int, required=True)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), required=True)
    parser.add_argument("--attention", default="sdpa")
    parser.add_argument("--gpus", type=int, default=0, help="1, or 0 to compute on the CPU")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    args = parser.parse_args()
    on_cpu = computes_on_cpu(args.gpus)
    if on_cpu:
        os.environ["OMP_NUM_THREADS"] = str(args.threads)
    from visatb.evaluation.generate import Generation
    from visatb.evaluation.visual_contribution import measure_visual_contribution
    from visatb.runtime.gpus import claim_gpus
    from visatb.runtime.processes import check_devices

    check_devices(args.gpus)
    claim_gpus(args.gpus, args.run)
    records = {task: Path(args.records) / task / "test.parquet" for task in args.task}
    device = "cpu" if on_cpu else "cuda"
    generation = Generation(args.batch_size, args.batch_size, args.precision, args.attention, device)
    measure_visual_contribution(args.run, args.model, records, args.output, generation, args.max_length)


if __name__ == "__main__":
    main()
