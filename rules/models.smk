# Base checkpoints, where the workflow makes them itself, and models that were trained elsewhere.

from visatb.experiment.jobs.models import (
    alignment_job,
    imported_model_job,
    missing_models,
    note_earlier_models,
    vision_job,
)

# Checkpoint -> how it is made, of the models that the workflow makes itself.
# A base that is there and made of the same is a file like others: no rule makes it.
PRETRAINED = missing_models(EXPERIMENT)
ASSEMBLED = {model.checkpoint: model.assemble for model in EXPERIMENT.models if model.assemble}


if ASSEMBLED:

    rule assemble_model:
        input:
            # Components on the hub are no files that could be newer than the checkpoint.
            lambda w: [component.source for _, component in ASSEMBLED[w.checkpoint] if Path(component.source).exists()],
        output:
            directory("{checkpoint}"),
        log:
            log_of("assemble_model/{checkpoint}"),
        benchmark:
            benchmark_of("assemble_model/{checkpoint}")
        wildcard_constraints:
            checkpoint=one_of(ASSEMBLED),
        priority: 60
        conda:
            "../envs/train.yaml"
        resources:
            mem_mb=8000,
            runtime=120,
        params:
            components=lambda w: as_json(ASSEMBLED[w.checkpoint]),
        shell:
            program(
                "models assemble_model",
                "--components {params.components:q} --output {output:q}",
                python="$MODEL_PYTHON",
            )


if PRETRAINED:

    rule pretrain_vision:
        output:
            directory("{checkpoint}-vision"),
        log:
            log_of("pretrain_vision/{checkpoint}"),
        benchmark:
            benchmark_of("pretrain_vision/{checkpoint}")
        wildcard_constraints:
            checkpoint=one_of(PRETRAINED),
        priority: 60
        conda:
            "../envs/train.yaml"
        threads: lambda w: PRETRAINED[w.checkpoint].pretraining.threads
        params:
            job=lambda w: as_json(vision_job(PRETRAINED[w.checkpoint])),
        shell:
            program(
                "models pretrain_vision",
                "--job {params.job:q} --threads {threads} --output {output:q}",
                python="$MODEL_PYTHON",
            )

    rule pretrain_alignment:
        input:
            "{checkpoint}-vision",
        output:
            directory("{checkpoint}"),
        log:
            log_of("pretrain_alignment/{checkpoint}"),
        benchmark:
            benchmark_of("pretrain_alignment/{checkpoint}")
        wildcard_constraints:
            checkpoint=one_of(PRETRAINED),
        priority: 60
        conda:
            "../envs/train.yaml"
        threads: lambda w: PRETRAINED[w.checkpoint].pretraining.threads
        params:
            job=lambda w: as_json(alignment_job(PRETRAINED[w.checkpoint])),
        shell:
            program(
                "models pretrain_alignment",
                "--job {params.job:q} --vision {input:q} --threads {threads} --output {output:q}",
                python="$MODEL_PYTHON",
            )


if REUSE.models:

    rule import_model:
        input:
            model=lambda w: REUSE.models[w.run],
            base=base_checkpoint,
            mixture=lambda w: "<results>/mixtures/{run}.arrow" if w.run in KEPT.models else [],
        output:
            directory("<results>/runs/{run}/model"),
        log:
            log_of("import_model/{run}"),
        benchmark:
            benchmark_of("import_model/{run}")
        wildcard_constraints:
            run=one_of(REUSE.models),
        priority: 55
        conda:
            "../envs/train.yaml"
        resources:
            mem_mb=8000,
        params:
            job=lambda w: as_json(imported_model_job(EXPERIMENT, w.run)),
        shell:
            program(
                "models import_model",
                "--job {params.job:q} --model {input.model:q} --mixture {input.mixture:q} --output {output:q}",
                python="$MODEL_PYTHON",
            )
