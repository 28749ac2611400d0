# The stages of TaskGalaxy.

from visatb.taskgalaxy.jobs import (
    expansion_job,
    filter_job,
    image_embedding_job,
    matching_job,
    type_embedding_job,
    voting_job,
    writing_job,
)

REPLIES, EMBEDDINGS = f"{GALAXY}/replies", f"{GALAXY}/embeddings"
os.environ |= {"CLIP_PYTHON": TASKGALAXY.embedding.python or "python"}


rule list_images:
    output:
        STAGE_TABLES["list_images"],
    log:
        log_of("list_images", GALAXY),
    benchmark:
        benchmark_of("list_images", GALAXY)
    priority: 60
    conda:
        "../envs/evaluate.yaml"
    resources:
        runtime=480,
    params:
        images=lambda w: TASKGALAXY.images,
    shell:
        program(
            "taskgalaxy list_images",
            "--images {params.images:q} --processes {threads} --output {output:q}",
        )


rule expand_types:
    input:
        seeds=TASKGALAXY.seeds,
        prompt=PROMPTS["expand"],
    output:
        STAGE_TABLES["expand_types"],
    log:
        log_of("expand_types", GALAXY),
    benchmark:
        benchmark_of("expand_types", GALAXY)
    conda:
        "../envs/evaluate.yaml"
    resources:
        runtime=1440,
        judge=1,
    params:
        job=lambda w: as_json(expansion_job(TASKGALAXY)),
        replies=REPLIES,
    shell:
        program(
            "taskgalaxy expand_types",
            "--job {params.job:q} --seeds {input.seeds:q} --prompt {input.prompt:q} --replies {params.replies:q} --output {output:q}",
        )


rule embed_types:
    input:
        types=STAGE_TABLES["expand_types"],
    output:
        f"{GALAXY}/stages/types.npy",
    log:
        log_of("embed_types", GALAXY),
    benchmark:
        benchmark_of("embed_types", GALAXY)
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
        job=lambda w: as_json(type_embedding_job(TASKGALAXY)),
        shards=EMBEDDINGS,
    shell:
        program(
            "taskgalaxy embed_types",
            "--job {params.job:q} --types {input.types:q} --shards {params.shards:q} --output {output:q}",
            python="$CLIP_PYTHON",
        )


rule embed_images:
    input:
        pictures=STAGE_TABLES["list_images"],
    output:
        f"{GALAXY}/stages/pictures.npy",
    log:
        log_of("embed_images", GALAXY),
    benchmark:
        benchmark_of("embed_images", GALAXY)
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
        job=lambda w: as_json(image_embedding_job(TASKGALAXY)),
        images=lambda w: TASKGALAXY.images,
        shards=EMBEDDINGS,
    shell:
        program(
            "taskgalaxy embed_images",
            "--job {params.job:q} --pictures {input.pictures:q} --images {params.images:q} --threads {threads}"
            " --shards {params.shards:q} --output {output:q}",
            python="$CLIP_PYTHON",
        )


rule deduplicate_types:
    input:
        types=STAGE_TABLES["expand_types"],
        vectors=f"{GALAXY}/stages/types.npy",
    output:
        types=STAGE_TABLES["deduplicate_types"],
        duplicates=f"{GALAXY}/duplicates.tsv",
    log:
        log_of("deduplicate_types", GALAXY),
    benchmark:
        benchmark_of("deduplicate_types", GALAXY)
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=8000,
    params:
        threshold=TASKGALAXY.duplicates,
    shell:
        program(
            "taskgalaxy deduplicate_types",
            "--threshold {params.threshold} --types {input.types:q} --vectors {input.vectors:q}"
            " --output {output.types:q} --duplicates {output.duplicates:q}",
        )


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
        log_of("match_types", GALAXY),
    benchmark:
        benchmark_of("match_types", GALAXY)
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=TASKGALAXY.matching.mem_mb,
        runtime=480,
    params:
        job=lambda w: as_json(matching_job(TASKGALAXY)),
    shell:
        "OMP_NUM_THREADS=1 "
        + program(
            "taskgalaxy match_types",
            "--job {params.job:q} --threads {threads} --pictures {input.pictures:q} --picture-vectors {input.picture_vectors:q}"
            " --types {input.types:q} --type-vectors {input.type_vectors:q} --output {output:q}",
        )


rule filter_types:
    input:
        matches=STAGE_TABLES["match_types"],
        types=STAGE_TABLES["deduplicate_types"],
        prompt=PROMPTS["filter"],
    output:
        STAGE_TABLES["filter_types"],
    log:
        log_of("filter_types", GALAXY),
    benchmark:
        benchmark_of("filter_types", GALAXY)
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=16000,
        runtime=1440,
        judge=1,
    params:
        job=lambda w: as_json(filter_job(TASKGALAXY)),
        images=lambda w: TASKGALAXY.images,
        replies=REPLIES,
    shell:
        program(
            "taskgalaxy filter_types",
            "--job {params.job:q} --matches {input.matches:q} --types {input.types:q} --prompt {input.prompt:q}"
            " --images {params.images:q} --replies {params.replies:q} --output {output:q}",
        )


rule write_questions:
    input:
        candidates=STAGE_TABLES["filter_types"],
        types=STAGE_TABLES["deduplicate_types"],
        prompt=PROMPTS["write"],
    output:
        STAGE_TABLES["write_questions"],
    log:
        log_of("write_questions", GALAXY),
    benchmark:
        benchmark_of("write_questions", GALAXY)
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=16000,
        runtime=1440,
        judge=1,
    params:
        job=lambda w: as_json(writing_job(TASKGALAXY)),
        images=lambda w: TASKGALAXY.images,
        replies=REPLIES,
    shell:
        program(
            "taskgalaxy write_questions",
            "--job {params.job:q} --candidates {input.candidates:q} --types {input.types:q} --prompt {input.prompt:q}"
            " --images {params.images:q} --replies {params.replies:q} --output {output:q}",
        )


rule vote:
    input:
        samples=STAGE_TABLES["write_questions"],
        types=STAGE_TABLES["deduplicate_types"],
        prompt=PROMPTS["vote"],
    output:
        votes=f"{GALAXY}/stages/votes.parquet",
        judged=STAGE_TABLES["vote"],
    log:
        log_of("vote", GALAXY),
    benchmark:
        benchmark_of("vote", GALAXY)
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=16000,
        runtime=1440,
        judge=1,
    params:
        job=lambda w: as_json(voting_job(TASKGALAXY)),
        images=lambda w: TASKGALAXY.images,
        replies=REPLIES,
    shell:
        program(
            "taskgalaxy vote",
            "--job {params.job:q} --samples {input.samples:q} --types {input.types:q} --prompt {input.prompt:q}"
            " --images {params.images:q} --replies {params.replies:q} --votes {output.votes:q} --output {output.judged:q}",
        )


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
        log_of("export_taskgalaxy", GALAXY),
    benchmark:
        benchmark_of("export_taskgalaxy", GALAXY)
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=8000,
    params:
        job=lambda w: as_json(TASKGALAXY.export),
        folder=Path(GALAXY),
    shell:
        program(
            "taskgalaxy export_taskgalaxy",
            "--job {params.job:q} --samples {input.samples:q} --types {input.types:q} --type-vectors {input.vectors:q}"
            " --folder {params.folder:q} --table {output.table:q} --tasks {output.tasks:q}",
        )
