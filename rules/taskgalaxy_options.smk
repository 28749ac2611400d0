# What jobs of TaskGalaxy are told, and where its files lie.

from visatb.taskgalaxy.connections import connections, requested, require_keys
from visatb.taskgalaxy.plan import plan_text, planned
from visatb.taskgalaxy.prompt_files import prompt_paths

TASKGALAXY = (DATA_SET or EXPERIMENT.config).taskgalaxy
GALAXY = str(Path(TASKGALAXY.folder)) if TASKGALAXY else ""
ASKING = ("expand_types", "filter_types", "write_questions", "vote")
STAGE_TABLES = {
    "expand_types": f"{GALAXY}/stages/proposed_types.parquet",
    "deduplicate_types": f"{GALAXY}/stages/types.parquet",
    "list_images": f"{GALAXY}/stages/pictures.parquet",
    "match_types": f"{GALAXY}/stages/matches.parquet",
    "filter_types": f"{GALAXY}/stages/candidates.parquet",
    "write_questions": f"{GALAXY}/stages/samples.parquet",
    "vote": f"{GALAXY}/stages/judged.parquet",
    "export_taskgalaxy": f"{GALAXY}/stages/exported.parquet",
}
GALAXY_SPLITS = {split: f"{GALAXY}/{split}.jsonl" for split in ("train", "val", "test")}
BROWSED = ("filter_types", "write_questions", "vote", "export_taskgalaxy")
ACCOUNT_FILES = ("funnel.tsv", "rejections.tsv", "funnel.svg", "funnel.png", "provenance.json", "provenance.md")
NAMED_FILES = {"seeds": TASKGALAXY.seeds, **prompt_paths(TASKGALAXY), **GALAXY_SPLITS} if TASKGALAXY else {}
DATA_ACCOUNT = [f"{GALAXY}/{name}" for name in (*ACCOUNT_FILES, "browse.html")] if TASKGALAXY else []


def asking_options(*names):
    return options(endpoint=[requested(TASKGALAXY, name) for name in names], attempts=TASKGALAXY.attempts)


def looking_options(*names):
    shown = options(images=TASKGALAXY.images, image_side=TASKGALAXY.image_side)
    return f"{asking_options(*names)} {shown}"


def embedding_resources(wildcards):
    return TASKGALAXY.embedding.resources


def embedding_options():
    settings = TASKGALAXY.embedding
    revision = f"@{settings.revision}" if settings.revision else ""
    clip = options(**{"checkpoint": settings.checkpoint + revision, "gpus": settings.resources.gpus})
    return f"{clip} {options(batch_size=settings.batch_size, shard_size=settings.shard_size)}"


def export_options():
    settings = TASKGALAXY.export
    shown = settings.model_dump(exclude={"val", "test"})
    return options(**shown, shares=[settings.val, settings.test])


def before_asking(jobs):
    """Where something would be asked: tell the plan first, look for keys, and be alone with the data set."""
    if not jobs.isdisjoint(ASKING):
        require_keys(TASKGALAXY)
    if not jobs.isdisjoint((*ASKING, "taskgalaxy_plan")):
        plan = planned(TASKGALAXY)
        print(f"\nThe plan of {GALAXY}:\n\n{plan_text(plan, TASKGALAXY.budget)}\n", file=sys.stderr, flush=True)
    if not jobs.isdisjoint(STAGE_TABLES):
        globals()["GALAXY_HELD"] = hold(GALAXY, f"data set {GALAXY}")
