# Models that are there already take the place of trainings.

if REUSE.models:

    rule import_model:
        input:
            model=lambda w: REUSE.models[w.run],
            base=base_checkpoint,
            mixture=lambda w: "<results>/mixtures/{run}.arrow" if w.run in KEPT.models else [],
        output:
            directory("<results>/runs/{run}/model"),
        log:
            "<results>/logs/import_model/{run}.log",
        benchmark:
            "<results>/benchmarks/import_model/{run}.tsv"
        wildcard_constraints:
            run=one_of(REUSE.models),
        priority: 55
        conda:
            "../envs/train.yaml"
        resources:
            mem_mb=8000,
            runtime=60,
        params:
            options=lambda w: options(run=w.run, base=base_of(w)),
            as_here=lambda w, input: (
                options(mixture=input.mixture, freeze=model_of(w).freeze) if input.mixture else ""
            ),
        shell:
            "VISATB_PROGRESS_FD=3 $MODEL_PYTHON $SCRIPTS/import_model.py {params.options} {params.as_here} --model {input.model:q}"
            " --output {output:q} 3>&2 > {log:q} 2>&1"
