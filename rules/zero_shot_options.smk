# What jobs of the zero-shot benchmarks are told, as functions of the run.

from visatb.evaluation.zero_shot.benchmarks import found_files
from visatb.evaluation.zero_shot.plan import LOADERS, benchmarks, methods

ZERO_SHOT = benchmarks(EXPERIMENT.config)
ANSWERING = methods(EXPERIMENT.config)
GRADED = [one.name for one in ZERO_SHOT if one.is_judged]


def zero_shot_options(wildcards):
    section = EXPERIMENT.config.zero_shot
    asked = options(
        run=wildcards.run,
        benchmark=[one.name for one in ZERO_SHOT],
        task=pairs({name: one.task for name, one in section.benchmarks.items() if one.task}),
        metric=pairs({name: one.metric for name, one in section.benchmarks.items() if one.metric}),
        data=[f"{one.name}={pattern}" for one in ZERO_SHOT for pattern in one.data],
        image_folder=pairs({one.name: one.image_folder for one in ZERO_SHOT if one.image_folder}),
        python=section.python,
        limit=section.limit,
        cache=section.cache,
        precision=EXPERIMENT.config.training.precision,
    )
    return f"{asked} {served(section.endpoint, wildcards.run) if section.endpoint else loaded(section)}"


def loaded(section):
    return options(
        loader=section.loader or LOADERS[EXPERIMENT.model.family],
        loader_argument=pairs(section.loader_arguments),
        gpus=prediction_resources(None).gpus,
    )


def served(endpoint, run):
    return options(
        address=endpoint.url.replace("{run}", run),
        key_variable=endpoint.key_variable,
        concurrency=endpoint.concurrency,
        timeout=endpoint.timeout,
        retries=endpoint.retries + 1,
    )


def answering_model(wildcards, input):
    endpoint = EXPERIMENT.config.zero_shot.endpoint
    return endpoint.model.replace("{run}", wildcards.run) if endpoint else input.model


def grading_options(wildcards):
    judge = EXPERIMENT.config.evaluation.judge
    return options(
        label=f"judge {wildcards.run} {wildcards.benchmark}",
        model=judge.model,
        parameter=pairs({name: json.dumps(value) for name, value in judge.parameters.items()}),
        prices=judge.prices and [judge.prices.input, judge.prices.output],
    )
