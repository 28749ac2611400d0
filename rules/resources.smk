# What jobs ask a scheduler for, how several processes of one are started, and how they hear of the end of their time.

import signal

# Slurm sends USR1 to every process of a job some time before its limit. Training programs catch it and save; Snakemake,
# bash and torchrun above them, which it would kill, inherit that it is ignored. A --signal in slurm_extra goes first.
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
os.environ.setdefault("SBATCH_SIGNAL", "USR1@120")
# At SIGTERM, bash waits until the program under it has saved and left.
shell.prefix("trap : TERM; ")


def limits():
    return (DATA_SET or EXPERIMENT.config).resources


def training_resources(wildcards):
    return EXPERIMENT.resources(wildcards.run)


def prediction_resources(wildcards):
    return limits().predict


def embedding_resources(wildcards):
    return TASKGALAXY.embedding.resources


def answering_resources(wildcards):
    """What answering takes: next to nothing where a server does it."""
    served = EXPERIMENT.config.evaluation.endpoint is not None
    wanted = limits().predict
    return wanted.model_copy(update={"gpus": 0, "cpus": 1, "mem_mb": min(4000, wanted.mem_mb)}) if served else wanted


def cpus(of):
    return lambda wildcards: of(wildcards).cpus


def growing(resource, of):
    """Memory or time of a job: more with every attempt, up to the limit in the config."""

    def amount(wildcards, attempt):
        wanted, limit = getattr(of(wildcards), resource), getattr(limits(), f"max_{resource}")
        return min(attempt * wanted, limit or attempt * wanted)

    return amount


def placed(name, of):
    """A resource that says where a job runs; None where it has nothing to say."""
    return lambda wildcards: placement(of(wildcards)).get(name)


def placement(wanted):
    """Nodes and GPUs in the words of Snakemake's Slurm executor, to which the very presence of `mpi` has a meaning.

    Its `gpu` counts the GPUs of a job: without `nodes`, Slurm may take them from several; over several, `gres` counts a
    node's, for Slurm would spread a sum unevenly.
    """
    nodes, kind = getattr(wanted, "nodes", 1), limits().gpu_type
    if nodes == 1:
        return {"nodes": 1, "gpu": wanted.gpus, "gpu_model": kind if wanted.gpus else None}
    gres = ":".join(filter(None, ("gpu", kind, str(wanted.gpus))))
    return {
        "mpi": "srun",
        "nodes": nodes,
        "tasks": nodes,
        "tasks_per_gpu": 0,
        "gres": gres if wanted.gpus else None,
    }


def launcher(wildcards):
    """Several processes, one a GPU, are started by torchrun, and so is DeepSpeed; one process alone as it is."""
    wanted = training_resources(wildcards)
    if wanted.nodes > 1:
        return f"{on_every_node(wanted)} --nproc-per-node {max(1, wanted.gpus)} --"
    if wanted.gpus > 1 or EXPERIMENT.config.training.deepspeed:
        return f"$MODEL_PYTHON -m torch.distributed.run --standalone --nproc-per-node {max(1, wanted.gpus)} --"
    return "$MODEL_PYTHON"


def on_every_node(wanted):
    """The batch script runs on the first node, where the others find it at a port made of the job's number.

    USR1 reaches all processes of a step; see above why torchrun must ignore it.
    """
    return (
        f"srun --nodes={wanted.nodes} --ntasks={wanted.nodes} --ntasks-per-node=1 --cpus-per-task={wanted.cpus}"
        ' sh -c \'trap "" USR1; exec "$@"\' torchrun $MODEL_PYTHON -m torch.distributed.run'
        f" --nnodes {wanted.nodes} --rdzv-backend c10d --rdzv-id ${{SLURM_JOB_ID:?several nodes need Slurm}}"
        " --rdzv-endpoint $(hostname):$((20000 + SLURM_JOB_ID % 10000))"
    )


def check_nodes():
    """Jobs of several nodes are started by srun; refuse them before anything runs where there is none."""
    for job in workflow.dag.needrun_jobs() if workflow.local_exec else ():
        if job.resources.get("nodes", 1) > 1:
            raise WorkflowError(
                f"resources.{EXPERIMENT.resource_kind(job.wildcards.run)}.nodes is {job.resources.nodes}, and jobs of "
                "several nodes need Slurm: use snakemake --profile slurm, or set nodes: 1"
            )
