"""Helpers of the other files: the checked study and what it asks for. Needs: config. Makes: no files."""

import re
import sys
from functools import partial
from pathlib import Path

import yaml
from snakemake.exceptions import WorkflowError

WORKFLOW = Path(str(workflow.current_basedir)).parent
PROJECT = WORKFLOW.parent
sys.path.insert(0, str(WORKFLOW / "scripts"))

from pseudocohort import configuration
from pseudocohort.acquire import catalogue, sources
from pseudocohort.core.errors import UserError
from pseudocohort.core.paths import in_data_root, put_before_installed
from pseudocohort.core.versions import code_version, folder_version
from pseudocohort.experiments import registry as experiment_registry
from pseudocohort.generators.base import registry as generator_registry
from pseudocohort.intervene import questions
from pseudocohort.plan import training_sets as plan
from pseudocohort.study import conditions_of, read_study

put_before_installed(WORKFLOW / "scripts")

if not config.get("study"):
    logger.info("no study is given: this is the demo (--configfile config/demo.yaml)")
    config.update(
        {**yaml.safe_load((PROJECT / "config/demo.yaml").read_text()), **config}
    )
try:
    # Of a key given twice, Snakemake keeps the last without a word.
    for path in filter(Path.is_file, map(Path, workflow.configfiles)):
        read_study(path)
    config.update(configuration.complete(config, WORKFLOW / "schemas"))
    DATASETS = sources.check(
        configuration.check_study(config, WORKFLOW / "schemas", PROJECT)
    )
    # Graphs and tables of effects that are downloaded, as datasets are.
    CATALOGUED = sources.catalogued(config["interventions"])
except UserError as error:
    raise WorkflowError(f"\n{error}") from None

TISSUE_DATASETS = [
    name for name, row in DATASETS.items() if row["context"] != "in_vitro"
]
SINGLE_CELL = [name for name, row in DATASETS.items() if row["kind"] == "single_cell"]
TRAINED = plan.trained_experiments(config)
FIGURES = experiment_registry.figures_of(config)
# What the plan depends on: what never changes the training sets is kept out of the parameters that re-run rules.
PLAN_CONFIG = {
    "seed": config["seed"],
    "generators": config["generators"],
    "experiments": config["experiments"],
    **experiment_registry.plan_settings(config),
    "generator_settings": {
        name: {"generator": own["generator"]}
        for name, own in config["generator_settings"].items()
        if "generator" in own
    },
}


wildcard_constraints:
    dataset="|".join(map(re.escape, [*DATASETS, *CATALOGUED])),
    experiment="|".join(experiment_registry.experiments()),
    generator=r"[a-z][a-z0-9_]*",
    figure="|".join(FIGURES) or "none",
    batch=r"b\d+",
    simulation=r"[a-z]+",


def resource(name):
    """A file that comes with the workflow."""
    return str(PROJECT / "resources" / name)


def growing(base, per_input_mb=0.0):
    """A resource of a rule: a base, so much per MB of its input, and more at each further attempt."""

    def resource_of_job(wildcards, input, attempt):
        return round((base + per_input_mb * input.size_mb) * attempt)

    return resource_of_job


memory = minutes = growing  # MB; minutes


def parameters_of_simulation(wildcards):
    """Parameters of simulated cohorts."""
    return resource(f"{wildcards.simulation}_parameters.yaml")


def dataset_file(name, column):
    """Path of a dataset's matrix or sample table: where it is, or where its download goes."""
    source = DATASETS[name].get(column, "").removeprefix("file://")
    if sources.is_downloaded(source):
        return sources.destination(name, column, source)
    return source


def dataset_files(wildcards):
    """Files of a dataset that exist before ingestion; what lies in a folder that is made comes with it."""
    row = DATASETS[wildcards.dataset]
    files = [
        dataset_file(wildcards.dataset, column)
        for column in sources.COLUMNS
        if column in row
    ]
    if re.fullmatch("resources/[a-z]+/cells", files[0]):  # of rule simulate
        return [files[0], *(f for f in files[1:] if not f.startswith(f"{files[0]}/"))]
    if row["format"] == "mtx":
        # A folder's time does not tell that a file in it was changed.
        from pseudocohort.ingest import tenx

        files[:1] = tenx.files_of(files[0])
    return files


def line_alias_file(wildcards):
    """The table of names of cell lines, where one is given; for tissue it is of no use."""
    path = in_data_root(config["prepare"]["line_aliases"], config)
    cultured = "in_vitro" in DATASETS[wildcards.dataset]["context"]
    return {"lines": path} if path and cultured else {}


def given_for_download(wildcards):
    """What a downloaded file depends on."""
    row = DATASETS.get(wildcards.dataset) or {
        "dataset": wildcards.dataset,
        "source": CATALOGUED[wildcards.dataset],
    }
    return sources.of_file(row, wildcards.file)


def gdc_api(wildcards):
    """Address of the GDC's API, from the catalogue of sources."""
    return catalogue.lookup("gdc_star_counts")["url"]


def dataset_row(wildcards):
    """Row of a dataset in the sheet, with its paths resolved."""
    row = dict(DATASETS[wildcards.dataset])
    return row | {
        c: dataset_file(wildcards.dataset, c) for c in sources.COLUMNS if c in row
    }


def conditions_of_dataset(wildcards):
    """``prepare.conditions`` as they hold for a dataset."""
    return conditions_of(config, wildcards.dataset)


def profiles_of_dataset(name):
    """Profiles of a dataset that enter the study: its pseudo-bulks if it is single-cell, else its samples."""
    stage = "pseudobulk" if name in SINGLE_CELL else "quality"
    return f"<results>/prepared/{stage}/{name}.h5ad"


def kind_of_generator(wildcards):
    """Registry name of a generator, which a variant shares with the generator that it is a variant of."""
    return generator_registry.kind_of(config, wildcards.generator)


def settings_of_generator(wildcards):
    """Settings of a generator that the config overrides."""
    return generator_registry.settings_of(config, wildcards.generator)


def jobs_of(experiment, generator):
    """Names of the training jobs of a generator in an experiment."""
    return list(plan.batches(config, experiment, generator))


def sets_of_batch(wildcards):
    """Training sets of a training job."""
    jobs = plan.batches(config, wildcards.experiment, wildcards.generator)
    return jobs[wildcards.batch]


def drawn_of_batch(wildcards):
    """What the training sets of a job are, whatever others the plan has."""
    return plan.drawn(config, wildcards.experiment, sets_of_batch(wildcards))


def asked_of_batch(wildcards):
    """The same, and what is sampled."""
    return plan.drawn(
        config, wildcards.experiment, sets_of_batch(wildcards), asked=True
    )


def alignments_of_batch(wildcards):
    """Alignments of the training sets of a job that have one."""
    return plan.alignments(config, sets_of_batch(wildcards))


def scope_of_experiment(wildcards):
    """One model for all conditions, or one each; where a condition is generated at a new level it learns from others."""
    joint = experiment_registry.describe(wildcards.experiment).crosses_levels
    return "joint" if joint else config["training"]["scope"]


def lengths_of_batch(wildcards):
    """Training sets of a training job that are trained for longer or shorter than the settings say."""
    return plan.facts(config, sets_of_batch(wildcards), "training_length", 1.0)


def checkpoints_of_job(wildcards):
    """Folder of a training job's unfinished work; parameters have no path variables."""
    job = f"{wildcards.experiment}/{wildcards.generator}/{wildcards.batch}"
    return f"results/{config['study']}/checkpoints/{job}"


def code_of_training(wildcards):
    """Digest of the code that trains a generator."""
    modules = generator_registry.modules_of(config, wildcards.generator)
    return code_version("generators.fit.batch", *modules)


def code_of_generator(wildcards):
    """Digest of the code that samples from a stored generator, or attacks it."""
    modules = generator_registry.modules_of(config, wildcards.generator)
    return code_version("generators.fit.inference", *modules)


def code_of_generators():
    """Digest of the code of the study's generators."""
    names = config["generators"]
    modules = {m for name in names for m in generator_registry.modules_of(config, name)}
    return code_version(*sorted(modules))


def code_of_plan():
    """Digest of the code of the plan, and of the experiments' plans; their descriptions do not count."""
    plans = [experiment_registry.describe(e).modules_of("plan")[-1] for e in TRAINED]
    return code_version("plan.members", "plan.training_sets", "plan.requests", *plans)


def code_of_members(wildcards):
    """Digest of the code of an experiment's part of the plan."""
    own = experiment_registry.describe(wildcards.experiment).modules_of("plan")[-1]
    return code_version("plan.members", "plan.requests", own)


def settings_of_experiment(wildcards):
    """Settings of an experiment's score."""
    return experiment_registry.settings_of(config, wildcards.experiment)


def code_of_experiment(wildcards):
    """Digest of the code of an experiment's score."""
    experiment = experiment_registry.describe(wildcards.experiment)
    score = experiment.modules_of(experiment.score.partition(":")[0])
    return code_version("generators.fit.synthetic_store", *score)


def code_of_summary(wildcards):
    """Digest of the code of an experiment's summary."""
    experiment = experiment_registry.describe(wildcards.experiment)
    # Without the description; where it is all of a plug-in, the scores run again.
    own = experiment.modules_of("finish", "curves")[1:]
    return code_version("experiments.shared.statistics", *own)


def generators_of_evaluation(wildcards):
    """Generators that an evaluation scores; "real" is the rows of real data."""
    generators = plan.generators_of(config, wildcards.experiment)
    return experiment_registry.evaluations(config, wildcards.experiment, generators)[
        wildcards.batch
    ]


def files_of_evaluation(wildcards):
    """Files that an evaluation reads of its generators: ``<generator>.<name>``."""
    return {
        f"{generator}.{name}": files
        for generator in generators_of_evaluation(wildcards)
        for name, files in experiment_registry.score_inputs(
            config, wildcards.experiment, generator, jobs_of
        ).items()
    }


def sets_of_audit(wildcards):
    """Training sets of a training job of the audits."""
    return plan.batches(config, "privacy", wildcards.generator)[wildcards.batch]


def settings_of_questions(wildcards):
    """What of the section interventions answers depend on; {data_root} stays, so that a moved folder re-runs nothing."""
    scored = ("truth", "truths", "generators", "n_genes", "n_leaves")
    return {k: v for k, v in config["interventions"].items() if k not in scored}


def settings_of_truths(wildcards):
    """What of the section interventions its scores depend on."""
    return {k: v for k, v in config["interventions"].items() if k != "questions"}


# Strings among params are taken for patterns of wildcards: what may have braces in it comes from a function.


def title_of_study(wildcards):
    """Title of the study, or its name."""
    return config["title"] or config["study"]


def pathway_file(wildcards):
    """The GMT file of pathways, as the configuration names it."""
    return config["fidelity"]["gene_sets"]


def question_files(wildcards):
    """Files that answers are made from; simulated ones come as a folder."""
    asked = config["interventions"]["questions"]
    return [
        *_files_of_interventions("graph", "druggable"),
        *questions.files_of(asked, root=configuration.data_root(config)),
    ]


def intervention_files(wildcards):
    """Files that predictions are scored with; simulated ones come as a folder."""
    return _files_of_interventions(
        "graph", "truth", "perturbations", "perturbation_columns"
    )


def _files_of_interventions(*keys):
    """The configured files of these keys, the tables of dependencies, and the gene sets."""
    own = config["interventions"]
    paths = (
        *(own[key] for key in keys),
        *own["dependencies"],
        config["fidelity"]["gene_sets"],
    )
    root = configuration.data_root(config)
    given = [questions.resolved(path, root) for path in filter(None, paths)]
    # The truth of simulated data is made as a folder.
    made = [re.match("resources/[a-z]+/truth(?=/)", path) for path in given]
    return list(
        dict.fromkeys(
            found[0] if found and config["simulated"] else path
            for path, found in zip(given, made)
        )
    )


def evaluated_files(wildcards):
    """Tables of an experiment, the rows of real data first."""
    generators = plan.generators_of(config, wildcards.experiment)
    names = experiment_registry.evaluated(config, wildcards.experiment, generators)
    return [f"<results>/evaluated/{wildcards.experiment}/{name}.tsv" for name in names]


def clamping_models(wildcards):
    """Models of fidelity's first training set whose genes are clamped."""
    effects = "effects" in config["interventions"]["truths"]
    if "fidelity" not in config["experiments"] or not effects:
        return []
    models = experiment_registry.table_inputs(config, "fidelity", jobs_of)["models"]
    asked = config["interventions"]["generators"]
    return [path for path in models if not asked or Path(path).parent.name in asked]


def report_files(wildcards):
    """Files that the report's further tables are made from."""
    files = [experiment_registry.table_inputs(config, e, jobs_of) for e in TRAINED]
    return [path for part in files for paths in part.values() for path in paths]


def report_files_by_experiment(wildcards):
    """The same by experiment and name; parameters have no path variables."""
    results = f"results/{config['study']}"
    return {
        experiment: {
            name: [path.replace("<results>", results) for path in paths]
            for name, paths in experiment_registry.table_inputs(
                config, experiment, jobs_of
            ).items()
        }
        for experiment in TRAINED
    }


def gpus_of_generator(wildcards):
    """GPUs of a training job: one for a network where CUDA is asked for, else none."""
    asked = config["training"]["device"] == "cuda"
    kind = generator_registry.describe(kind_of_generator(wildcards))
    return int(asked and kind.capabilities.trained)


def files_of_figure(wildcards):
    """Files that a figure is drawn from, by name."""
    return experiment_registry.figure_inputs(config, wildcards.figure, jobs_of)


def caption_of_figure(wildcards):
    """How to read a figure."""
    return FIGURES[wildcards.figure][1].caption


def code_of_figure(wildcards):
    """Digest of the code of a figure."""
    experiment, figure = FIGURES[wildcards.figure]
    return experiment.code(figure.draw.partition(":")[0])


def code_of_verdicts():
    """Digest of the code of the study's verdicts."""
    studied = experiment_registry.of_study(config)
    modules = [part for e in studied for part in e.modules_of("verdict")]
    return code_version("experiments.shared.verdicts", *modules)


def code_of_report():
    """Digest of the code of the report, and of the experiments' tables and descriptions in it."""
    studied = experiment_registry.of_study(config)
    modules = [part for e in studied for part in e.modules_of("tables")]
    return code_version("report.page", "report.cost", *modules)


def template_version():
    """Digest of the report's templates."""
    return folder_version(WORKFLOW / "scripts/pseudocohort/report/templates")


def finished_studies():
    """Reports of all studies here, which are made last, and when: what the page of studies depends on."""
    files = sorted(Path("results").glob("*/report/index.html"))
    return {str(path): path.stat().st_mtime for path in files}
