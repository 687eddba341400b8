"""Helpers of the other files: the validated study and what it asks for. Needs: config. Makes: no files."""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

WORKFLOW = Path(str(workflow.current_basedir)).parent
sys.path.insert(0, str(WORKFLOW / "scripts"))

from pseudocohort import study as study_files
from pseudocohort.acquire import catalogue, sources
from pseudocohort.core.errors import UserError
from pseudocohort.generators.base.registry import MODULES, PRIVATE, TRAINED, kind_of, modules_of, settings_of
from pseudocohort.plan.enumerate import EVALUATION_OF_PURPOSE, PURPOSE_OF_EVALUATION, alignments, batches, generators_of, lengths, purposes
from pseudocohort.core.versions import code_version, folder_version

try:
    DATASETS = sources.check(study_files.check_study(config, WORKFLOW / "schemas"))
except UserError as error:
    raise WorkflowError(f"\n{error}") from None

SINGLE_CELL = [name for name, row in DATASETS.items() if row["kind"] == "single_cell"]
PURPOSES = purposes(config)
# What never changes the numbers is kept out of the parameters that re-run rules.
PLAN_CONFIG = {
    key: config[key]
    for key in (
        "seed",
        "generators",
        "evaluations",
        "training",
        "fidelity",
        "augmentation",
        "privacy",
        "combination",
        "held_out_level",
        "camda",
        "lacan",
    )
}
# Of the generators' settings, the plan needs to know only what the variants are variants of.
PLAN_CONFIG["generator_settings"] = {
    name: {"generator": own["generator"]}
    for name, own in config["generator_settings"].items()
    if "generator" in own
}


TASK_TITLES = {
    name: task.get("title", name)
    for name, task in config["augmentation"]["tasks"].items()
}
FIGURES = [f"<results>/figures/{name}.svg" for name in config["evaluations"]]
if "fidelity" in config["evaluations"]:
    FIGURES += ["<results>/figures/map.svg", "<results>/figures/training.svg"]
if "augmentation" in config["evaluations"]:
    FIGURES += ["<results>/figures/learning.svg"]
if "privacy" in config["evaluations"]:
    FIGURES += ["<results>/figures/frontier.svg"]
if "combination" in config["evaluations"]:
    FIGURES += ["<results>/figures/levels.svg"]
if "privacy" in config["evaluations"] and (
    config["privacy"]["training_lengths"] or config["privacy"]["release_sizes"]
):
    FIGURES += ["<results>/figures/leakage.svg"]

# One caption per figure, shown in the report and in Snakemake's own.
CAPTIONS = [str(WORKFLOW / f"report/{Path(name).stem}.rst") for name in FIGURES]


wildcard_constraints:
    dataset="|".join(DATASETS),
    purpose="|".join(PURPOSE_OF_EVALUATION.values()),
    generator=r"[a-z][a-z0-9_]*",
    evaluation="|".join(config["evaluations"]),
    batch=r"b\d+",
    simulation="demo|twelve",


def dataset_file(name, column):
    """Path of a dataset's matrix or sample table: where it is, or where its download goes."""
    source = DATASETS[name].get(column, "").removeprefix("file://")
    if sources.is_downloaded(source):
        return sources.destination(name, column, source)
    return source


def dataset_files(wildcards):
    """Files of a dataset that exist before ingestion; a sample table inside the source's folder comes with it."""
    files = [
        dataset_file(wildcards.dataset, column)
        for column in ("source", "samples")
        if column in DATASETS[wildcards.dataset]
    ]
    return [files[0], *(f for f in files[1:] if not f.startswith(f"{files[0]}/"))]


def line_alias_file(wildcards):
    """The table of names of cell lines, where one is given; for tissue it is of no use."""
    path = config["prepare"]["line_aliases"]
    path = path.replace("{data_root}", study_files.data_root(config).rstrip("/"))
    cultured = "in_vitro" in DATASETS[wildcards.dataset]["context"]
    return {"lines": path} if path and cultured else {}


def gdc_api(wildcards):
    """Address of the GDC's API, from the catalogue of sources."""
    return catalogue.lookup("gdc_star_counts")["url"]


def dataset_row(wildcards):
    """Row of a dataset in the sheet, with its paths resolved."""
    row = dict(DATASETS[wildcards.dataset])
    return row | {
        c: dataset_file(wildcards.dataset, c) for c in ("source", "samples") if c in row
    }


def profiles_of_dataset(name):
    """Profiles of a dataset that enter the study: its pseudo-bulks if it is single-cell, else its samples."""
    stage = "pseudobulk" if name in SINGLE_CELL else "quality"
    return f"<results>/prepared/{stage}/{name}.h5ad"


def kind_of_generator(wildcards):
    """Registry name of a generator, which a variant shares with the generator that it is a variant of."""
    return kind_of(config, wildcards.generator)


def settings_of_generator(wildcards):
    """Settings of a generator that the config overrides."""
    return settings_of(config, wildcards.generator)


def sets_of_batch(wildcards):
    """Training sets of a training job."""
    return batches(config, wildcards.purpose, wildcards.generator)[wildcards.batch]


def alignments_of_batch(wildcards):
    """Alignments of the training sets of a job that have one."""
    return alignments(config, wildcards.purpose, sets_of_batch(wildcards))


def scope_of_purpose(wildcards):
    """One model for all conditions, or one each; where a condition is generated at a new level it learns from others."""
    crosses_levels = wildcards.purpose in ("combination", "held_out_level")
    return "joint" if crosses_levels else config["training"]["scope"]


def lengths_of_batch(wildcards):
    """Training sets of a training job that are trained for longer or shorter than the settings say."""
    return lengths(config, sets_of_batch(wildcards))


def checkpoints_of_job(wildcards):
    """Folder of a training job's unfinished work; parameters have no path variables."""
    job = f"{wildcards.purpose}/{wildcards.generator}/{wildcards.batch}"
    return f"results/{config['study']}/checkpoints/{job}"


def _code_of(stage, wildcards):
    return code_version(
        f"generators.fit.{stage}",
        *(f"generators.models.{name}" for name in modules_of(config, wildcards.generator)),
    )


def code_of_training(wildcards):
    """Digest of the code that trains a generator."""
    return _code_of("batch", wildcards)


def code_of_generator(wildcards):
    """Digest of the code that samples from a stored generator, or attacks it."""
    return _code_of("inference", wildcards)


def code_of_generators():
    """Digest of the code of the study's generators."""
    return code_version(
        *(
            f"generators.models.{module}"
            for name in config["generators"]
            for module in modules_of(config, name)
        )
    )


def settings_of_evaluation(wildcards):
    """Settings of an evaluation; the held-out level shares its levels with the combination."""
    settings = config[wildcards.evaluation]
    if wildcards.evaluation == "fidelity":
        return settings | {"gene_sets": "".join(gene_set_files(wildcards))}
    if wildcards.evaluation != "held_out_level":
        return settings
    levels = ("tissue_level", "cell_level")
    return settings | {name: config["combination"][name] for name in levels}


def gene_set_files(wildcards):
    """The GMT file of gene sets, where one is given and the evaluation is of fidelity."""
    path = config["fidelity"]["gene_sets"]
    if not path or wildcards.evaluation != "fidelity":
        return []
    return [path.replace("{data_root}", study_files.data_root(config).rstrip("/"))]


def code_of_evaluation(wildcards):
    """Digest of the code of an evaluation."""
    return code_version(f"experiments.{wildcards.evaluation}.score")


def synthetic_files(wildcards):
    """Synthetic profiles that an evaluation of a generator reads; none for the rows of real data."""
    purpose = PURPOSE_OF_EVALUATION[wildcards.evaluation]
    jobs = (
        {}
        if wildcards.generator == "real"
        else batches(config, purpose, wildcards.generator)
    )
    return [
        f"<results>/synthetic/{purpose}/{wildcards.generator}/{batch}.h5ad"
        for batch in jobs
    ]


def sets_of_audit(wildcards):
    """Training sets of a training job of the audits."""
    return batches(config, "privacy", wildcards.generator)[wildcards.batch]


def signal_files(wildcards):
    """White-box signals and ledgers that the privacy evaluation of a generator reads, if it has any and is to."""
    kind = kind_of_generator(wildcards)
    wanted = kind in PRIVATE or (config["privacy"]["white_box"] and kind in TRAINED)
    if wildcards.evaluation != "privacy" or not wanted:
        return []
    return [
        f"<results>/signals/{wildcards.generator}/{batch}.{kind}"
        for batch in batches(config, "privacy", wildcards.generator)
        for kind in ("tsv", "json")
    ]


def members_of_evaluation(wildcards):
    """Members of the training sets that an evaluation reads."""
    return (
        f"<results>/plan/members/{PURPOSE_OF_EVALUATION[wildcards.evaluation]}.parquet"
    )


def intervention_files(wildcards):
    """The regulatory graph and the known do-effects; the demo's are made by its simulator."""
    given = [config["interventions"][name] for name in ("graph", "truth")]
    folders = {str(Path(path).parent) for path in given}
    simulated = folders == {"resources/demo/truth"}
    return sorted(folders) if simulated else given


def evaluated_files(wildcards):
    """Tables of an evaluation, one per generator, the rows of real data first."""
    if wildcards.evaluation == "interventions":
        return ["<results>/evaluated/interventions/operators.tsv"]
    names = generators_of(config, PURPOSE_OF_EVALUATION[wildcards.evaluation])
    first = [] if wildcards.evaluation == "privacy" else ["real"]
    return [
        f"<results>/evaluated/{wildcards.evaluation}/{name}.tsv"
        for name in first + names
    ]


def fidelity_samples(wildcards):
    """First batch of synthetic profiles of each generator, for the map."""
    return [
        f"<results>/synthetic/full/{name}/b000.h5ad"
        for name in generators_of(config, "full")
    ]


def combination_samples(wildcards):
    """Synthetic profiles of the first generator of the combination, for the map of levels."""
    names = generators_of(config, "combination")[:1]
    return [
        f"<results>/synthetic/combination/{name}/{batch}.h5ad"
        for name in names
        for batch in batches(config, "combination", name)
    ]


def fidelity_models(wildcards):
    """First batch of models of each generator with a training loop: loss curves, embedding checks, clamped genes.

    A private generator keeps no loss curve: it would be one more thing fitted on private data.
    """
    if "fidelity" not in config["evaluations"]:
        return []
    return [
        f"<results>/models/full/{name}/b000"
        for name in generators_of(config, "full")
        if kind_of(config, name) in set(TRAINED) - set(PRIVATE)
    ]


def gpus_of_generator(wildcards):
    """GPUs of a training job: one for a network where CUDA is asked for, else none."""
    asked = config["training"]["device"] == "cuda"
    kinds = (kind_of_generator(wildcards), settings_of_generator(wildcards).get("of"))
    return int(asked and not set(kinds).isdisjoint(TRAINED))


def options_of_figure(wildcards):
    """What a figure needs beside its table."""
    return {"titles": TASK_TITLES} if wildcards.evaluation == "augmentation" else {}


def caption_of_figure(wildcards):
    """How to read a figure; a caption's file name takes no wildcard."""
    return (WORKFLOW / f"report/{wildcards.evaluation}.rst").read_text()


def code_of_figure(wildcards):
    """Digest of the code of a figure."""
    return code_version(f"experiments.{wildcards.evaluation}.figures.{wildcards.evaluation}")


def template_version():
    """Digest of the report's templates."""
    return folder_version(WORKFLOW / "scripts/pseudocohort/report/templates")
