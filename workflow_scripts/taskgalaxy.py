"""TaskGalaxy: from seed types and a folder of pictures to instruction data in tasks and splits."""

from pathlib import Path

from visatb.config.taskgalaxy import ExportConfig, MatchLimits, TaskGalaxyConfig
from visatb.runtime.cli import run_program
from visatb.runtime.files import read_parquet, read_table, write_json, write_parquet, write_table, write_text
from visatb.runtime.progress import say
from visatb.taskgalaxy import tables as t
from visatb.taskgalaxy.embedding import read_vectors
from visatb.taskgalaxy.jobs import EmbeddingJob, ExpansionJob, PictureJob, TypeEmbeddingJob, VotingJob


def taskgalaxy_plan(job: TaskGalaxyConfig, output: Path) -> None:
    """Count what models will be asked and what that may cost, before anything is sent.

    Args:
        job: what the plan depends on.
        output: plan.tsv.
    """
    from visatb.taskgalaxy.plan import planned

    write_table(output, planned(job))


def list_images(images: Path, output: Path, processes: int = 1) -> None:
    """List the pictures of a folder, with those that cannot be used and why.

    Args:
        images: the folder.
        output: pictures, Parquet.
        processes: that look at pictures.
    """
    from visatb.taskgalaxy.pictures import list_pictures

    t.write_stage(output, list_pictures(images, processes), t.PICTURE_SCHEMA)


def expand_types(job: ExpansionJob, seeds: Path, prompt: Path, replies: Path, output: Path) -> None:
    """Grow seed types into a tree of three levels by asking a model. What it was asked before is not asked again.

    Args:
        job: whom to ask, and for how many names.
        seeds: seed types, YAML.
        prompt: the texts system and user, YAML.
        replies: folder of the replies of all stages.
        output: types, Parquet.
    """
    from visatb.taskgalaxy.connections import asking_of, endpoints_of
    from visatb.taskgalaxy.expansion import expand
    from visatb.taskgalaxy.prompt_files import read_prompt
    from visatb.taskgalaxy.types import read_seeds

    asking, (endpoint,) = asking_of("expand_types", job, replies), endpoints_of(job)
    rows = expand(read_seeds(seeds), job.numbers, read_prompt("expand", prompt), endpoint, asking)
    t.write_stage(output, rows, t.TYPE_SCHEMA, vars(asking.usage))


def embed_types(job: TypeEmbeddingJob, types: Path, shards: Path, output: Path) -> None:
    """Embed types with CLIP. What is embedded already is not embedded again.

    Args:
        job: the CLIP, and what is embedded of a type.
        types: Parquet.
        shards: folder of what is embedded already.
        output: unit vectors, .npy.
    """
    from visatb.taskgalaxy.clip import embed_types as embed

    embed(job, t.kept_rows(types), shards, output)


def embed_images(job: EmbeddingJob, pictures: Path, images: Path, shards: Path, output: Path, threads: int = 4) -> None:
    """Embed pictures with CLIP. What is embedded already is not embedded again.

    Args:
        job: the CLIP.
        pictures: Parquet.
        images: folder that their names are relative to.
        shards: folder of what is embedded already.
        output: unit vectors, .npy.
        threads: that read pictures.
    """
    from visatb.taskgalaxy.clip import embed_pictures

    embed_pictures(job, t.kept_rows(pictures, ["image", "digest"]), images, shards, output, threads)


def deduplicate_types(threshold: float, types: Path, vectors: Path, output: Path, duplicates: Path) -> None:
    """Take types away that are nearly the same as an earlier one, and list them.

    Args:
        threshold: cosine from which on two types count as one.
        types: Parquet.
        vectors: their unit vectors, .npy.
        output: types, those with an earlier one beside them rejected, Parquet.
        duplicates: table of the pairs.
    """
    from visatb.taskgalaxy.dedup import dedup_types

    rows, pairs = dedup_types(t.kept_rows(types), read_vectors(vectors), threshold)
    write_table(duplicates, pairs)
    t.write_stage(output, rows, t.TYPE_SCHEMA)


def match_types(
    job: MatchLimits,
    pictures: Path,
    picture_vectors: Path,
    types: Path,
    type_vectors: Path,
    output: Path,
    threads: int = 1,
) -> None:
    """Match pictures to their nearest types by the cosine of unit vectors.

    Args:
        job: how many of them, and how near.
        pictures: Parquet.
        picture_vectors: .npy, mapped into memory.
        types: Parquet, after near duplicates were rejected.
        type_vectors: .npy, of the types before that.
        output: matches, Parquet.
        threads: blocks of pictures at a time.
    """
    from visatb.taskgalaxy.matches import match_files

    write_parquet(output, match_files(pictures, picture_vectors, types, type_vectors, job, threads))


def filter_types(
    job: PictureJob, matches: Path, types: Path, prompt: Path, images: Path, replies: Path, output: Path
) -> None:
    """Ask a vision model which of a picture's types suit it. What it was asked before is not asked again.

    Args:
        job: whom to ask, and how.
        matches: Parquet.
        types: Parquet.
        prompt: the texts system and user, YAML.
        images: folder of pictures.
        replies: folder of the replies of all stages.
        output: candidates, Parquet.
    """
    from visatb.taskgalaxy import stages
    from visatb.taskgalaxy.connections import endpoints_of

    stage, (endpoint,) = stages.picture_stage("filter_types", job, prompt, types, images, replies), endpoints_of(job)
    rows = stages.filter_types(t.kept_rows(matches), stage, endpoint)
    t.write_stage(output, rows, t.CANDIDATE_SCHEMA, vars(stage.asking.usage))


def write_questions(
    job: PictureJob, candidates: Path, types: Path, prompt: Path, images: Path, replies: Path, output: Path
) -> None:
    """Have a vision model write a question and its answer for each candidate. What it was asked is not asked again.

    Args:
        job: whom to ask, and how.
        candidates: pictures and types that suit them, Parquet.
        types: Parquet.
        prompt: the texts system and user, YAML.
        images: folder of pictures.
        replies: folder of the replies of all stages.
        output: samples, Parquet.
    """
    from visatb.taskgalaxy import stages
    from visatb.taskgalaxy.connections import endpoints_of

    stage, (endpoint,) = stages.picture_stage("write_questions", job, prompt, types, images, replies), endpoints_of(job)
    rows = stages.write_questions(t.kept_rows(candidates), stage, endpoint)
    t.write_stage(output, rows, t.SAMPLE_SCHEMA, vars(stage.asking.usage))


def vote(
    job: VotingJob, samples: Path, types: Path, prompt: Path, images: Path, replies: Path, votes: Path, output: Path
) -> None:
    """Have vision models vote on each question and its answer. What they were asked before is not asked again.

    Args:
        job: the judges, and how many of them a sample needs.
        samples: Parquet.
        types: Parquet.
        prompt: the texts system and user, YAML.
        images: folder of pictures.
        replies: folder of the replies of all stages.
        votes: each judge's vote, Parquet.
        output: samples with their votes, Parquet.
    """
    from visatb.taskgalaxy import stages
    from visatb.taskgalaxy.connections import endpoints_of

    stage = stages.picture_stage("vote", job, prompt, types, images, replies)
    ballots, judged = stages.vote(t.kept_rows(samples), stage, endpoints_of(job), job.min_votes)
    t.write_stage(votes, ballots, t.VOTE_SCHEMA)
    t.write_stage(output, judged, t.JUDGED_SCHEMA, vars(stage.asking.usage))


def export_taskgalaxy(
    job: ExportConfig, samples: Path, types: Path, type_vectors: Path, folder: Path, table: Path, tasks: Path
) -> None:
    """Write accepted samples as LLaVA JSON lines, in tasks and splits.

    Args:
        job: what tasks are, how large, and the shares of the splits.
        samples: with their votes, Parquet.
        types: Parquet, after near duplicates were rejected.
        type_vectors: .npy, of the types before that.
        folder: gets <split>.jsonl.
        table: every accepted sample, Parquet.
        tasks: table of the tasks.
    """
    from visatb.taskgalaxy.export import export_rows, task_of_types, write_export

    accepted, kinds = t.kept_rows(samples), read_parquet(types).to_pylist()
    task_of = task_of_types(kinds, read_vectors(type_vectors), {row["type"] for row in accepted}, job)
    write_export(export_rows(accepted, kinds, task_of, job), folder, table, tasks)


def collect_funnel(
    job: TaskGalaxyConfig,
    tables: dict[str, Path],
    files: dict[str, Path],
    tasks: Path,
    funnel: Path,
    rejections: Path,
    provenance: Path,
    markdown: Path,
) -> None:
    """Count how many rows each stage was given and kept, and say what the data set was made of.

    Args:
        job: the settings that exported files follow from.
        tables: stage=file, of every stage.
        files: name=file, seeds, prompts and exported files, whose digests are noted.
        tasks: table of the tasks.
        funnel: a row a stage.
        rejections: a row a stage and reason.
        provenance: what the data set was made of, JSON.
        markdown: the same for people.
    """
    from visatb.taskgalaxy import provenance as p
    from visatb.taskgalaxy.funnel import funnel as funnel_of

    stages, reasons = funnel_of(tables)
    origin = p.provenance(job, files, stages)
    write_table(funnel, stages)
    write_table(rejections, reasons)
    write_json(provenance, origin)
    write_text(markdown, p.format_provenance(origin, reasons, read_table(tasks)))
    say(f"\nTaskGalaxy in {job.folder}:\n\n{p.format_funnel(stages)}")


def plot_funnel(funnel: Path, output: list[Path]) -> None:
    """Draw what of each stage went on.

    Args:
        funnel: funnel.tsv.
        output: files to write, .svg or .png.
    """
    from visatb.reporting.figures.funnel import funnel_figure
    from visatb.reporting.figures.style import save_figure

    save_figure(funnel_figure(read_table(funnel)), output)


def browse_taskgalaxy(
    tables: dict[str, Path], votes: Path, types: Path, images: Path, number: int, output: Path
) -> None:
    """Write a page to leaf through accepted and rejected examples with their pictures.

    Args:
        tables: stage=file, of the stages that reject single samples.
        votes: Parquet.
        types: Parquet.
        images: folder of pictures.
        number: of examples.
        output: the page, HTML.
    """
    from visatb.taskgalaxy.browse import write_page

    write_page(tables, votes, read_parquet(types).to_pylist(), images, number, output)


if __name__ == "__main__":
    run_program(
        *(taskgalaxy_plan, list_images, expand_types, embed_types, embed_images, deduplicate_types, match_types),
        *(filter_types, write_questions, vote, export_taskgalaxy, collect_funnel, plot_funnel, browse_taskgalaxy),
    )
