# The config becomes one Experiment; paths, options and resources become small functions of its runs.

from visatb.config_l2t import L2TConfig
from visatb.evaluation.metrics import METRICS
from visatb.experiment import Experiment
from visatb.layouts import layout_of
from visatb.preflight import check_machine
from visatb.variants import variant_blocks

# Targets are not known yet while rules are read.
LOOKS = "status" in sys.argv[1:]

try:
    EXPERIMENT = Experiment.from_values(config, "the config")
    if workflow.is_main_process and not LOOKS:  # a job on another machine is not the place to refuse the experiment
        check_machine(EXPERIMENT)
except VisatbError as mistake:
    raise WorkflowError(str(mistake)) from None

os.environ |= {"MODEL_PYTHON": EXPERIMENT.config.python or "python"}
REMARKS = EXPERIMENT.remarks
TRAINED = [run.name for run in EXPERIMENT.trained_runs]
PREPARATION = [run.name for run in EXPERIMENT.preparation_runs if run.name in TRAINED]
SINGLE = [run.name for run in EXPERIMENT.final_runs if run.kind == "single" and run.name not in PREPARATION]
FINAL = [run.name for run in EXPERIMENT.final_runs if run.kind != "single"]
SCORES = [
    f"<results>/scores/{run}/{split}/{task}.parquet"
    for on in ("val", "test")
    for run, split, task in EXPERIMENT.evaluations(on)
]


def answering(all_tasks):
    """The runs that answer all tasks, or some one by one, each where the split of which this is true follows."""
    places = [
        (run, split, EXPERIMENT.asked(run.name, split)) for run in EXPERIMENT.runs.values() for split in run.evaluates
    ]
    wanted = [place for place in places if (len(place[2]) == len(EXPERIMENT.tasks)) == all_tasks]
    return "|".join(f"{re.escape(run.name)}(?=/{split}/)" for run, split, _ in wanted) or "(?!)"


wildcard_constraints:
    run=one_of(EXPERIMENT.runs),
    task=one_of(EXPERIMENT.all_tasks),
    split="train|val|test",
    variant=one_of(EXPERIMENT.config.variants),
