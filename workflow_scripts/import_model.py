"""Let a model that was trained elsewhere stand for a run, if it is of the experiment's kind."""

import argparse

from visatb.errors import friendly_exit


@friendly_exit
def main() -> None:
    """A model folder in, the same as the run's model out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="the run that it stands for")
    parser.add_argument("--model", required=True, metavar="FOLDER", help="the model, in the layout of transformers")
    parser.add_argument("--base", required=True, help="checkpoint folder or hub name that trainings here start from")
    parser.add_argument("--mixture", help="what it must have been trained on, if that is known; with --freeze")
    parser.add_argument("--freeze", nargs="*", default=[], help="parts that must not have been trained")
    parser.add_argument("--output", required=True, help="the model folder to make")
    args = parser.parse_args()
    from visatb.training.imported import AsHere, import_model

    as_here = AsHere(args.mixture, args.freeze) if args.mixture else None
    import_model(args.run, args.model, args.base, args.output, as_here)


if __name__ == "__main__":
    main()
