"""Stage 1 of the demo's base: align projector and language model with a vision tower on plain alt-texts."""

import argparse

from visatb.errors import friendly_exit


@friendly_exit
def main() -> None:
    """Read the arguments and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--vision", required=True, help="model folder written by pretrain_vision.py")
    parser.add_argument("--seed", type=int, default=0, help="of pictures and texts")
    parser.add_argument("--samples", type=int, default=16000, help="pictures with text, each seen once")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=3e-3, help="peak of the cosine schedule")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--output", required=True, help="model folder to write")
    arguments = parser.parse_args()
    import torch

    from visatb.training.pretraining import pretrain_alignment

    torch.set_num_threads(arguments.threads)
    pretrain_alignment(
        arguments.vision,
        arguments.seed,
        arguments.samples,
        arguments.batch_size,
        arguments.learning_rate,
        arguments.output,
    )


if __name__ == "__main__":
    main()
