"""Helpers of the other files: the validated study and what it asks for. Needs: config. Makes: no files."""

import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

from pseudocohort import study as study_files
from pseudocohort.errors import UserError
from pseudocohort.plan.enumerate import (
    EVALUATION_OF_PURPOSE,
    PURPOSE_OF_EVALUATION,
    batches,
    generators_of,
    purposes,
)
from pseudocohort.versions import code_version

try:
    DATASETS = study_files.check_study(config, Path(workflow.basedir) / "schemas")
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
    )
}


wildcard_constraints:
    dataset="|".join(DATASETS),
    purpose="|".join(PURPOSE_OF_EVALUATION.values()),
    generator=r"[a-z_]+",
    evaluation="|".join(config["evaluations"]),
    batch=r"b\d+",


def dataset_file(name, column):
    """Path of a dataset's matrix or sample table: where it is, or where its download goes."""
    source = DATASETS[name].get(column, "").removeprefix("file://")
    if study_files.is_remote(source):
        return f"resources/downloads/{name}/{Path(source.split('?')[0]).name}"
    return source


def dataset_files(wildcards):
    """Files of a dataset that exist before ingestion."""
    return [
        dataset_file(wildcards.dataset, c)
        for c in ("source", "samples")
        if c in DATASETS[wildcards.dataset]
    ]


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


def settings_of_generator(wildcards):
    """Settings of a generator that the config overrides."""
    return config["generator_settings"].get(wildcards.generator, {})


def sets_of_batch(wildcards):
    """Training sets of a training job."""
    return batches(config, wildcards.purpose, wildcards.generator)[wildcards.batch]


def code_of_generator(wildcards):
    """Digest of the code that trains and samples a generator."""
    return code_version(
        "generators.bundle", f"generators.{GENERATOR_MODULES[wildcards.generator]}"
    )


def code_of_evaluation(wildcards):
    """Digest of the code of an evaluation."""
    return code_version(f"evaluate.{wildcards.evaluation}")


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


def members_of_evaluation(wildcards):
    """Members of the training sets that an evaluation reads."""
    return f"<results>/plan/members/{PURPOSE_OF_EVALUATION[wildcards.evaluation]}.parquet"


def intervention_files(wildcards):
    """The regulatory graph and the known do-effects; the demo's are made by its simulator."""
    given = [config["interventions"][name] for name in ("graph", "truth")]
    simulated = [path.startswith("resources/demo/truth/") for path in given]
    return ["resources/demo/truth"] if all(simulated) else given


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
