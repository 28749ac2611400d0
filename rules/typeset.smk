# Tables as papers print them, in Markdown and LaTeX.


rule typeset_benchmark:
    input:
        "<results>/benchmark.tsv",
    output:
        markdown="<results>/benchmark.md",
        latex="<results>/benchmark.tex",
    log:
        "<results>/logs/typeset_benchmark.log",
    benchmark:
        "<results>/benchmarks/typeset_benchmark.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        options=options(column=COLUMNS, group=GROUPS),
        blocks=variant_options(),
    shell:
        "python $SCRIPTS/typeset_benchmark.py --benchmark {input:q} {params.options} {params.blocks}"
        " --markdown {output.markdown:q} --latex {output.latex:q} > {log:q} 2>&1"


rule typeset_weights:
    input:
        "<results>/weights.tsv",
    output:
        markdown="<results>/weights.md",
        latex="<results>/weights.tex",
    log:
        "<results>/logs/typeset_weights.log",
    benchmark:
        "<results>/benchmarks/typeset_weights.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    shell:
        "python $SCRIPTS/typeset_weights.py --weights {input:q}"
        " --markdown {output.markdown:q} --latex {output.latex:q} > {log:q} 2>&1"


rule typeset_data:
    input:
        "<results>/data_report.tsv",
    output:
        markdown="<results>/data.md",
        latex="<results>/data.tex",
    log:
        "<results>/logs/typeset_data.log",
    benchmark:
        "<results>/benchmarks/typeset_data.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        options=options(column=COLUMNS, group=GROUPS, instruction=INSTRUCTIONS),
    shell:
        "python $SCRIPTS/typeset_data.py --data-report {input:q} {params.options}"
        " --markdown {output.markdown:q} --latex {output.latex:q} > {log:q} 2>&1"
