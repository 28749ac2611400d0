"""Assemble a LLaVA checkpoint from a language model, a vision tower and a stage-1 projector."""

import argparse

from visatb.errors import friendly_exit


@friendly_exit
def main() -> None:
    """Read the arguments and assemble."""
    parser = argparse.ArgumentParser(description=__doc__)
    where = "folder, or hub name with @revision"
    parser.add_argument("--language-model", required=True, help=f"a Vicuna: {where}")
    parser.add_argument("--vision-tower", required=True, help=f"a CLIP: {where}")
    parser.add_argument("--projector", required=True, help=f"mm_projector.bin, or its {where}")
    parser.add_argument("--output", required=True, help="the model folder to make")
    arguments = parser.parse_args()
    from visatb.models.assembly import Pieces, assemble

    assemble(Pieces(arguments.language_model, arguments.vision_tower, arguments.projector), arguments.output)


if __name__ == "__main__":
    main()
