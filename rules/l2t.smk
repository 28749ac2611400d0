# L2T: which sentences of the instructions are templates, what of the instructions is learned, and a ledger of it.

LEDGERS = ["<results>/templates.tsv", "<results>/instruction_ledger.tsv"] if LEARNS_INSTRUCTIONS else []

if LEARNS_INSTRUCTIONS:

    rule mine_templates:
        input:
            records=[f"<results>/records/{task}/train.parquet" for task in EXPERIMENT.all_tasks],
            edited=L2T.templates or [],
        output:
            "<results>/templates.tsv",
        log:
            "<results>/logs/mine_templates.log",
        benchmark:
            "<results>/benchmarks/mine_templates.tsv"
        priority: 50
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=8000,
            runtime=60,
        params:
            records=EXPERIMENT.folder / "records",
            options=options(
                task=EXPERIMENT.all_tasks,
                share=L2T.template_share,
                count=L2T.template_count,
                keep=L2T.keep,
                remove=L2T.remove,
                text_only=L2T.text_only,
            ),
            edited=lambda w, input: f"--edited {shlex.quote(input.edited)}" if input.edited else "",
        shell:
            "python $SCRIPTS/mine_templates.py --records {params.records:q} {params.options} {params.edited}"
            " --output {output:q} > {log:q} 2>&1"

    rule count_instruction_tokens:
        input:
            records=[f"<results>/records/{task}/train.parquet" for task in EXPERIMENT.all_tasks],
            templates="<results>/templates.tsv",
            base=checkpoint_of(EXPERIMENT.model),
        output:
            "<results>/instruction_ledger.tsv",
        log:
            "<results>/logs/count_instruction_tokens.log",
        benchmark:
            "<results>/benchmarks/count_instruction_tokens.tsv"
        priority: 50
        conda:
            "../envs/train.yaml"
        resources:
            mem_mb=8000,
            runtime=120,
        params:
            records=EXPERIMENT.folder / "records",
            base=EXPERIMENT.model.source,
            options=options(
                task=EXPERIMENT.all_tasks,
                instruction_weight=L2T.instruction_weight,
                text_only=L2T.text_only,
            ),
        shell:
            "$MODEL_PYTHON $SCRIPTS/count_instruction_tokens.py --base {params.base:q} --records {params.records:q}"
            " {params.options} --templates {input.templates:q} --output {output:q} > {log:q} 2>&1"
