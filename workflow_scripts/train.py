"""Train one run: a mixture, a base checkpoint and task weights in, a model out. Goes on where it was interrupted."""

import argparse
import os

from visatb.errors import friendly_exit
from visatb.runtime.devices import computes_on_cpu
from visatb.runtime.files import read_table
from visatb.runtime.words_on_command_lines import groups, named_number, named_value
from visatb.training.l2t.task_templates import read_templates
from visatb.training.loss.methods import METHOD_NAMES, Method


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="the run's name, for progress lines")
    parser.add_argument("--mixture", required=True, help="what to train on, Parquet")
    parser.add_argument("--base", required=True, help="checkpoint folder or hub name to start from")
    parser.add_argument("--folder", required=True, help="the run's folder: checkpoints and history")
    parser.add_argument("--output", required=True, help="the model folder to make")
    weights = parser.add_argument_group("weights (1 for every task if none are given)")
    weights.add_argument("--weights", help="weights.tsv")
    weights.add_argument("--weight", type=named_number, nargs="+", default=[], metavar="TASK=WEIGHT")
    method = parser.add_argument_group("method: what becomes of the weights during the training")
    method.add_argument("--method", choices=METHOD_NAMES, default="given", help="given: they stay as they are")
    method.add_argument(
        "--group", type=named_value, nargs="+", default=[], metavar="GROUP=TASK,TASK", help="tasks that are balanced"
    )
    method.add_argument("--dwa-window", type=int, default=25, help="optimiser steps")
    method.add_argument("--dwa-temperature", type=float, default=2.0)
    method.add_argument("--igbv1-first-step", type=int, default=100, help="of the base, counted from 0")
    method.add_argument("--igbv1-last-step", type=int, default=199, help="of the base, counted from 0")
    objective = parser.add_argument_group("objective: what is learned")
    objective.add_argument("--objective", choices=("response", "l2t"), default="response")
    objective.add_argument("--instruction-weight", type=float, default=1.0, help="l2t: of kept instruction tokens")
    objective.add_argument("--templates", help="l2t: templates.tsv, sentences that are not learned")
    objective.add_argument("--text-only", action="store_true", help="l2t: also instructions without an image")
    recipe = parser.add_argument_group("recipe: what the result depends on")
    recipe.add_argument("--seed", type=int, required=True)
    recipe.add_argument("--epochs", type=float, required=True)
    recipe.add_argument("--global-batch-size", type=int, required=True, help="samples an optimiser step")
    recipe.add_argument("--learning-rate", type=float, required=True)
    recipe.add_argument("--warmup", type=float, required=True, help="share of the steps")
    recipe.add_argument("--schedule", required=True)
    recipe.add_argument("--weight-decay", type=float, required=True)
    recipe.add_argument("--beta1", type=float, required=True)
    recipe.add_argument("--beta2", type=float, required=True)
    recipe.add_argument("--max-gradient-norm", type=float, required=True)
    recipe.add_argument("--max-length", type=int, required=True, help="tokens")
    recipe.add_argument("--precision", choices=("float32", "bfloat16"), required=True)
    recipe.add_argument("--normalization", choices=("step", "micro_batch"), required=True)
    recipe.add_argument("--freeze", nargs="*", default=[], help="parts that are not trained")
    machine = parser.add_argument_group("machine: how it is computed")
    machine.add_argument("--micro-batch-size", type=int, required=True, help="samples a device holds at a time")
    machine.add_argument("--gpus", type=int, default=0, help="GPUs a node; 0 trains on the CPU")
    machine.add_argument("--threads", type=int, default=1, help="CPU threads of one process")
    machine.add_argument("--attention", default="sdpa")
    machine.add_argument("--packing", action="store_true", help="samples one after another in a row, not padded")
    machine.add_argument("--gradient-checkpointing", action="store_true")
    machine.add_argument("--deepspeed", help="a DeepSpeed config file")
    machine.add_argument("--workers", type=int, default=0, help="processes of a device that make micro-batches")
    machine.add_argument("--save-steps", type=int, default=200)
    machine.add_argument("--keep-checkpoints", type=int, default=2)
    tracking = parser.add_argument_group("tracking: where the course is shown, beside TensorBoard files")
    tracking.add_argument("--wandb-project", help="on Weights & Biases; the key is taken from WANDB_API_KEY")
    tracking.add_argument("--wandb-entity", help="user or team of the project")
    tracking.add_argument("--experiment", default="", help="the group of runs there")
    return parser.parse_args()


@friendly_exit
def main() -> None:
    """Set the process up, then train."""
    args = arguments()
    if computes_on_cpu(args.gpus):
        os.environ.update(OMP_NUM_THREADS=str(args.threads), DS_ACCELERATOR="cpu")
    from visatb.config.training import Machine, Recipe
    from visatb.runtime.processes import leave_when_all_is_done
    from visatb.training.fit import fit
    from visatb.training.l2t.instructions import Instructions
    from visatb.training.tracking import WandbProject

    weights = dict(args.weight)
    if args.weights:
        table = read_table(args.weights)
        weights |= dict(zip(table["task"].astype(str), table["weight"].astype(float), strict=True))
    given = vars(args)
    recipe = Recipe(**{name: given[name] for name in Recipe.__dataclass_fields__})
    machine = Machine(**{name: given[name] for name in Machine.__dataclass_fields__ if name in given})
    numbers = {name: given[name] for name in Method.__dataclass_fields__ if name in given}
    method = Method(args.method, groups(args.group), **numbers)
    wandb = WandbProject(args.wandb_project, args.wandb_entity, args.experiment) if args.wandb_project else None
    instructions = None
    if args.objective == "l2t":
        templates = read_templates(args.templates) if args.templates else frozenset()
        instructions = Instructions(args.instruction_weight, templates, args.text_only)
    places = (args.folder, args.output)
    fit(args.run, args.mixture, args.base, weights or None, recipe, machine, *places, method, wandb, instructions)
    leave_when_all_is_done()


if __name__ == "__main__":
    main()
