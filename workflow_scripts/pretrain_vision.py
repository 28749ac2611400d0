"""Stage 0 of the demo's base: build a tiny model and teach its vision tower to see the demo's pictures."""

import argparse

from visatb.errors import friendly_exit


@friendly_exit
def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--family", required=True, help="architecture of the tiny model: llava or qwen2_vl")
    parser.add_argument("--seed", type=int, default=0, help="of weights and pictures")
    parser.add_argument("--images", type=int, default=8000, help="pictures to train on, each seen once")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=3e-3, help="peak of the cosine schedule")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--output", required=True, help="model folder to write")
    arguments = parser.parse_args()
    import torch

    from visatb.training.pretraining import pretrain_vision

    torch.set_num_threads(arguments.threads)
    pretrain_vision(
        arguments.family,
        arguments.seed,
        arguments.images,
        arguments.batch_size,
        arguments.learning_rate,
        arguments.output,
    )


if __name__ == "__main__":
    main()
