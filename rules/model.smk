# A base checkpoint that is assembled from its pieces.


if ASSEMBLY:

    rule assemble_model:
        input:
            PIECES_HERE,
        output:
            directory(BASE),
        log:
            "<results>/logs/assemble_model.log",
        benchmark:
            "<results>/benchmarks/assemble_model.tsv"
        priority: 60
        conda:
            "../envs/train.yaml"
        resources:
            mem_mb=8000,
            runtime=120,
        params:
            options=options(**{name: piece.source for name, piece in ASSEMBLY}),
        shell:
            "VISATB_PROGRESS_FD=3 $MODEL_PYTHON $SCRIPTS/assemble_model.py {params.options}"
            " --output {output:q} 3>&2 > {log:q} 2>&1"
