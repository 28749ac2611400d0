# TaskGalaxy: from seed types and a folder of pictures to LLaVA JSON lines that an experiment reads as its tasks.

if TASKGALAXY:
    # No parameters of rules: what is replied does not depend on them, and another address, price or budget should
    # re-run nothing.
    os.environ |= {
        "TASKGALAXY_CONNECTIONS": connections(TASKGALAXY),
        "CLIP_PYTHON": TASKGALAXY.embedding.python or "python",
    }
    PROMPTS = prompt_paths(TASKGALAXY)

    rule taskgalaxy_plan:
        input:
            TASKGALAXY.seeds,
            PROMPTS.values(),
        output:
            f"{GALAXY}/plan.tsv",
        log:
            f"{GALAXY}/logs/taskgalaxy_plan.log",
        benchmark:
            f"{GALAXY}/benchmarks/taskgalaxy_plan.tsv"
        priority: 100
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=2000,
            runtime=60,
        params:
            section=lambda w: TASKGALAXY.model_dump_json(),
        shell:
            "python $SCRIPTS/taskgalaxy_plan.py --section {params.section:q} --output {output:q} > {log:q} 2>&1"

    rule list_images:
        output:
            STAGE_TABLES["list_images"],
        log:
            f"{GALAXY}/logs/list_images.log",
        benchmark:
            f"{GALAXY}/benchmarks/list_images.tsv"
        priority: 60
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=4000,
            runtime=480,
        params:
            options=lambda w: options(images=TASKGALAXY.images),
        shell:
            "VISATB_PROGRESS_FD=3 python $SCRIPTS/list_images.py {params.options} --processes {threads} --output {output:q} 3>&2 > {log:q} 2>&1"

    rule expand_types:
        input:
            seeds=TASKGALAXY.seeds,
            prompt=PROMPTS["expand"],
        output:
            STAGE_TABLES["expand_types"],
        log:
            f"{GALAXY}/logs/expand_types.log",
        benchmark:
            f"{GALAXY}/benchmarks/expand_types.tsv"
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=4000,
            runtime=1440,
            judge=1,
        params:
            options=lambda w: asking_options(TASKGALAXY.expansion.endpoint),
            numbers=[getattr(TASKGALAXY.expansion, level) for level in ("level_1", "level_2", "level_3")],
            replies=Path(GALAXY, "replies"),
        shell:
            "VISATB_PROGRESS_FD=3 python $SCRIPTS/expand_types.py {params.options} --seeds {input.seeds:q}"
            " --prompt {input.prompt:q} --numbers {params.numbers}"
            ' --connections "$TASKGALAXY_CONNECTIONS" --replies {params.replies:q} --output {output:q} 3>&2 > {log:q} 2>&1'

    rule embed_types:
        input:
            types=STAGE_TABLES["expand_types"],
        output:
            f"{GALAXY}/stages/types.npy",
        log:
            f"{GALAXY}/logs/embed_types.log",
        benchmark:
            f"{GALAXY}/benchmarks/embed_types.tsv"
        conda:
            "../envs/train.yaml"
        threads: cpus(embedding_resources)
        resources:
            cpus_per_task=cpus(embedding_resources),
            nodes=placed("nodes", embedding_resources),
            gpu=placed("gpu", embedding_resources),
            gpu_model=placed("gpu_model", embedding_resources),
            mem_mb=growing("mem_mb", embedding_resources),
            runtime=growing("runtime", embedding_resources),
        params:
            options=lambda w: embedding_options(),
            text=lambda w: TASKGALAXY.embedding.text,
            shards=Path(GALAXY, "embeddings"),
        shell:
            "VISATB_PROGRESS_FD=3 $CLIP_PYTHON $SCRIPTS/embed_types.py {params.options} --text {params.text:q}"
            " --types {input.types:q} --shards {params.shards:q} --output {output:q} 3>&2 > {log:q} 2>&1"

    rule embed_images:
        input:
            pictures=STAGE_TABLES["list_images"],
        output:
            f"{GALAXY}/stages/pictures.npy",
        log:
            f"{GALAXY}/logs/embed_images.log",
        benchmark:
            f"{GALAXY}/benchmarks/embed_images.tsv"
        conda:
            "../envs/train.yaml"
        threads: cpus(embedding_resources)
        resources:
            cpus_per_task=cpus(embedding_resources),
            nodes=placed("nodes", embedding_resources),
            gpu=placed("gpu", embedding_resources),
            gpu_model=placed("gpu_model", embedding_resources),
            mem_mb=growing("mem_mb", embedding_resources),
            runtime=growing("runtime", embedding_resources),
        params:
            options=lambda w: embedding_options(),
            images=lambda w: TASKGALAXY.images,
            shards=Path(GALAXY, "embeddings"),
        shell:
            "VISATB_PROGRESS_FD=3 $CLIP_PYTHON $SCRIPTS/embed_images.py {params.options} --threads {threads} --images {params.images:q}"
            " --pictures {input.pictures:q} --shards {params.shards:q} --output {output:q} 3>&2 > {log:q} 2>&1"

    rule deduplicate_types:
        input:
            types=STAGE_TABLES["expand_types"],
            vectors=f"{GALAXY}/stages/types.npy",
        output:
            types=STAGE_TABLES["deduplicate_types"],
            duplicates=f"{GALAXY}/duplicates.tsv",
        log:
            f"{GALAXY}/logs/deduplicate_types.log",
        benchmark:
            f"{GALAXY}/benchmarks/deduplicate_types.tsv"
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=8000,
            runtime=60,
        params:
            threshold=TASKGALAXY.duplicates,
        shell:
            "VISATB_PROGRESS_FD=3 python $SCRIPTS/deduplicate_types.py --threshold {params.threshold} --types {input.types:q}"
            " --vectors {input.vectors:q} --output {output.types:q} --duplicates {output.duplicates:q} 3>&2 > {log:q} 2>&1"

    # A block of pictures a thread, each with one thread for its product.
    rule match_types:
        input:
            pictures=STAGE_TABLES["list_images"],
            picture_vectors=f"{GALAXY}/stages/pictures.npy",
            types=STAGE_TABLES["deduplicate_types"],
            type_vectors=f"{GALAXY}/stages/types.npy",
        output:
            STAGE_TABLES["match_types"],
        log:
            f"{GALAXY}/logs/match_types.log",
        benchmark:
            f"{GALAXY}/benchmarks/match_types.tsv"
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=TASKGALAXY.matching.mem_mb,
            runtime=480,
        params:
            options=lambda w: options(**TASKGALAXY.matching.model_dump(exclude={"mem_mb"})),
        shell:
            "OMP_NUM_THREADS=1 VISATB_PROGRESS_FD=3 python $SCRIPTS/match_types.py {params.options} --threads {threads}"
            " --pictures {input.pictures:q} --picture-vectors {input.picture_vectors:q} --types {input.types:q}"
            " --type-vectors {input.type_vectors:q} --output {output:q} 3>&2 > {log:q} 2>&1"

    rule filter_types:
        input:
            matches=STAGE_TABLES["match_types"],
            types=STAGE_TABLES["deduplicate_types"],
            prompt=PROMPTS["filter"],
        output:
            STAGE_TABLES["filter_types"],
        log:
            f"{GALAXY}/logs/filter_types.log",
        benchmark:
            f"{GALAXY}/benchmarks/filter_types.tsv"
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=16000,
            runtime=1440,
            judge=1,
        params:
            options=lambda w: looking_options(TASKGALAXY.filter.endpoint),
            replies=Path(GALAXY, "replies"),
        shell:
            "VISATB_PROGRESS_FD=3 python $SCRIPTS/filter_types.py {params.options} --matches {input.matches:q}"
            " --types {input.types:q} --prompt {input.prompt:q}"
            ' --connections "$TASKGALAXY_CONNECTIONS" --replies {params.replies:q} --output {output:q} 3>&2 > {log:q} 2>&1'

    rule write_questions:
        input:
            candidates=STAGE_TABLES["filter_types"],
            types=STAGE_TABLES["deduplicate_types"],
            prompt=PROMPTS["write"],
        output:
            STAGE_TABLES["write_questions"],
        log:
            f"{GALAXY}/logs/write_questions.log",
        benchmark:
            f"{GALAXY}/benchmarks/write_questions.tsv"
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=16000,
            runtime=1440,
            judge=1,
        params:
            options=lambda w: looking_options(TASKGALAXY.writing.endpoint),
            replies=Path(GALAXY, "replies"),
        shell:
            "VISATB_PROGRESS_FD=3 python $SCRIPTS/write_questions.py {params.options} --candidates {input.candidates:q}"
            " --types {input.types:q} --prompt {input.prompt:q}"
            ' --connections "$TASKGALAXY_CONNECTIONS" --replies {params.replies:q} --output {output:q} 3>&2 > {log:q} 2>&1'

    rule vote:
        input:
            samples=STAGE_TABLES["write_questions"],
            types=STAGE_TABLES["deduplicate_types"],
            prompt=PROMPTS["vote"],
        output:
            votes=f"{GALAXY}/stages/votes.parquet",
            judged=STAGE_TABLES["vote"],
        log:
            f"{GALAXY}/logs/vote.log",
        benchmark:
            f"{GALAXY}/benchmarks/vote.tsv"
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=16000,
            runtime=1440,
            judge=1,
        params:
            options=lambda w: looking_options(*TASKGALAXY.voting.endpoints),
            min_votes=TASKGALAXY.voting.min_votes,
            replies=Path(GALAXY, "replies"),
        shell:
            "VISATB_PROGRESS_FD=3 python $SCRIPTS/vote.py {params.options} --samples {input.samples:q} --types {input.types:q}"
            " --prompt {input.prompt:q} --min-votes {params.min_votes}"
            ' --connections "$TASKGALAXY_CONNECTIONS" --replies {params.replies:q} --votes {output.votes:q} --output {output.judged:q} 3>&2 > {log:q} 2>&1'

    rule export_taskgalaxy:
        input:
            samples=STAGE_TABLES["vote"],
            types=STAGE_TABLES["deduplicate_types"],
            vectors=f"{GALAXY}/stages/types.npy",
        output:
            **GALAXY_SPLITS,
            table=STAGE_TABLES["export_taskgalaxy"],
            tasks=f"{GALAXY}/tasks.tsv",
        log:
            f"{GALAXY}/logs/export_taskgalaxy.log",
        benchmark:
            f"{GALAXY}/benchmarks/export_taskgalaxy.tsv"
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=8000,
            runtime=60,
        params:
            options=lambda w: export_options(),
            folder=Path(GALAXY),
        shell:
            "VISATB_PROGRESS_FD=3 python $SCRIPTS/export_taskgalaxy.py {params.options} --samples {input.samples:q} --types {input.types:q}"
            " --type-vectors {input.vectors:q} --folder {params.folder:q} --table {output.table:q}"
            " --tasks {output.tasks:q} 3>&2 > {log:q} 2>&1"
