# Base checkpoints that are assembled from their pieces.


if ASSEMBLED:

    rule assemble_model:
        input:
            pieces_here,
        output:
            directory("{checkpoint}"),
        log:
            "<results>/logs/assemble_model/{checkpoint}.log",
        benchmark:
            "<results>/benchmarks/assemble_model/{checkpoint}.tsv"
        wildcard_constraints:
            checkpoint=one_of(ASSEMBLED),
        priority: 60
        conda:
            "../envs/train.yaml"
        resources:
            mem_mb=8000,
            runtime=120,
        params:
            options=lambda w: options(**{name: piece.source for name, piece in ASSEMBLED[w.checkpoint]}),
        shell:
            "VISATB_PROGRESS_FD=3 $MODEL_PYTHON $SCRIPTS/assemble_model.py {params.options}"
            " --output {output:q} 3>&2 > {log:q} 2>&1"
