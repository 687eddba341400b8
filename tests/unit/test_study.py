"""Configuration and dataset sheet: shipped files are valid, mistakes get one readable message."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from pseudocohort.acquire import sources
from pseudocohort.configuration import check_study, complete, schema, validate_configuration
from pseudocohort.core.errors import UserError
from pseudocohort.generators.base.registry import kind_of, settings_of
from pseudocohort.plan.training_sets import training_sets
from pseudocohort.study import conditions_of, read_datasets, read_study

STUDIES = ("demo", "breast", "paired", "gtex")


def deep_merge(base, other):
    for key, value in other.items():
        base[key] = (
            deep_merge(dict(base[key]), value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
        )
    return base


@pytest.fixture
def study(project_root, monkeypatch):
    monkeypatch.chdir(project_root)

    def load(name="demo", **changes):
        config = deep_merge(yaml.safe_load(Path(f"config/{name}.yaml").read_text()), changes)
        return complete(config, Path("workflow/schemas"))

    return load


def check(config):
    return check_study(config, Path("workflow/schemas"))


#: Files that are laid over a study.
OVERLAYS = {"full-size", "release-tcga"}
SHIPPED = sorted(p.stem for p in Path(__file__).parents[2].glob("config/*.yaml") if p.stem not in OVERLAYS)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_studies_are_valid(study, name):
    rows = check(study(name, data_root="somewhere"))
    assert rows


@pytest.mark.parametrize("name", ["breast", "gtex", "paired"])
def test_sizes_of_a_cluster_are_laid_over_a_study(study, name):
    sizes = yaml.safe_load(Path("config/full-size.yaml").read_text())
    config = study(name, data_root="somewhere", **sizes)
    assert check(config) and config["privacy"]["coins"] == 10
    assert config["prepare"]["conditions"] == study(name)["prepare"]["conditions"]
    assert len(training_sets(config)) > 2 * len(training_sets(study(name)))


def test_the_release_study_is_valid_for_all_cancers_of_the_gdc(study):
    cancers = yaml.safe_load(Path("config/release-tcga.yaml").read_text())
    config = study("release", data_root="somewhere", **cancers)
    assert len(check(config)) == 33
    private = {name: settings_of(config, name) for name in config["generators"] if name.startswith("dp_")}
    assert {name: own["epsilon"] for name, own in private.items()} == {"dp_components_e1": 1, "dp_components_e3": 3}
    for own in private.values():
        assert own["public"] == "reference" and own["genes"] == "public"
        assert {f"tcga_{c.removeprefix('TCGA-').lower()}" for c in own["conditions"]} == set(config["datasets"])


def test_defaults_fill_what_a_study_leaves_out_and_pass_their_own_schema(project_root):
    schemas = project_root / "workflow/schemas"
    config = complete({"study": "s", "datasets": ["x"], "privacy": {"coins": 7}}, schemas)
    assert config["privacy"]["coins"] == 7 and config["privacy"]["level"] == "tumour"
    assert config["prepare"]["gene_space"]["n"] == 1000 and config["seed"] == 1
    validate_configuration(config, schemas)


def test_every_key_is_described(project_root):
    described = 0

    def walk(part, path):
        nonlocal described
        for key, entry in part.get("properties", {}).items():
            assert entry.get("description") or "properties" in entry, f"{path}{key}"
            described += 1
            walk(entry, f"{path}{key}.")

    walk(schema(project_root / "workflow/schemas"), "")
    assert described > 80


def test_every_config_key_is_documented(project_root):
    text = (project_root / "config/README.md").read_text()

    def walk(properties, path=""):
        for key, entry in properties.items():
            assert f"`{path}{key}`" in text, f"{path}{key} is not in config/README.md"
            if key != "generator_settings":  # docs/generators has a page for each
                walk(entry.get("properties", {}), f"{path}{key}.")

    walk(schema(project_root / "workflow/schemas")["properties"])
    sheet = yaml.safe_load((project_root / "workflow/schemas/datasets.schema.yaml").read_text())
    for column in sheet["properties"]:
        assert f"`{column}`" in text


@pytest.mark.parametrize(
    ("changes", "where", "remedy"),
    [
        ({"generatorz": ["mvn"]}, "top level", "did you mean 'generators'"),
        ({"generators": ["mvn", "gann"]}, "generators[1]", "did you mean 'gan'"),
        ({"prepare": {"gene_space": {"kind": "landmarks"}}}, "prepare.gene_space.kind", "did you mean 'landmark'"),
        ({"seed": "one"}, "seed", "Master seed"),
        ({"experiments": "fidelity"}, "experiments", "put it in brackets: [fidelity]"),
        ({"study": "../../x"}, "study", "letters, digits"),
        ({"prepare": {"test_share": 1.5}}, "prepare.test_share", ""),
        ({"datasets": ["demo_norml"]}, "datasets", "did you mean 'demo_normal'"),
        ({"datasets": []}, "datasets", ""),
        ({"experiments": []}, "experiments", "name one at least: "),
        ({"interventions": {"generators": ["copy"]}}, "interventions.generators[0]", "one of: "),
        ({"combination": {"conditions": ["breast"]}}, "combination.conditions", "leave combination out"),
        ({"interventions": {"graph": ""}}, "interventions", "leave interventions out"),
        ({"interventions": {"questions": [{"gene": "A"}]}}, "interventions.questions, question 1", ""),
        (
            {"interventions": {"questions": [{"targets": "liver"}, {"targets": "liver"}]}, "experiments": ["fidelity"]},
            "interventions.questions, question 2", "give one a name",
        ),
        ({"prepare": {"conditions": {"map": {False: "x"}}}}, "prepare.conditions.map", "put it in quotes"),
        ({"prepare": {"conditions": {"map": {1: "x"}}}}, "prepare.conditions.map", "put it in quotes"),
        ({"prepare": {"sources": {False: "x"}}}, "prepare.sources", "put it in quotes"),
        (
            {"privacy": {"generators": ["ddpm"]}, "augmentation": {"generators": ["mvn"]}, "generators": ["mvn"]},
            "privacy.generators", "add it",
        ),
    ],
)  # fmt: skip
def test_mistakes_name_field_value_and_remedy(study, changes, where, remedy):
    with pytest.raises(UserError) as caught:
        check(study(**changes))
    assert where in caught.value.where
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(("text", "number"), [("010", 8), ("1:30", 90), ("-0_17", -15)])
def test_numbers_that_yaml_reads_otherwise_are_refused(tmp_path, text, number):
    (tmp_path / "s.yaml").write_text(f"study: s\nseed: {text}\n")
    with pytest.raises(UserError, match=f"{text} is read as {number} ") as caught:
        read_study(tmp_path / "s.yaml")
    assert "line 2, column 7" in caught.value.where
    for good in ("0", "10", "-3", "1_000", "'010'", "0x1F"):
        (tmp_path / "s.yaml").write_text(f"seed: {good}\n")
        assert read_study(tmp_path / "s.yaml") == yaml.safe_load(f"seed: {good}")


def test_a_study_without_tasks_is_shown_one(study):
    config = study()
    config["augmentation"]["tasks"] = {}
    with pytest.raises(UserError, match="no task is defined") as caught:
        check(config)
    assert "tasks: {subtype: {label: [condition], levels: [tumour]}}" in caught.value.remedy


VARIANT = {"ddpm_short": {"generator": "ddpm", "steps": 200}}


def test_a_variant_of_a_generator_stands_beside_it(study):
    changed = study(generators=["mvn", "ddpm", "ddpm_short"], generator_settings=VARIANT)
    changed["privacy"] |= {"training_lengths": {}, "generators": changed["generators"]}
    changed["augmentation"]["generators"] = changed["generators"]
    changed["interventions"]["generators"] = ["ddpm"]
    changed["combination"] |= {"generators": ["ddpm_short"], "draws": 3, "generator_draws": 1}
    check(changed)
    assert kind_of(changed, "ddpm_short") == "ddpm" and kind_of(changed, "mvn") == "mvn"
    assert settings_of(changed, "ddpm_short") == {"steps": 200} and settings_of(changed, "mvn") == {}
    trained = [s for s in training_sets(changed) if "ddpm_short" in s["generators"].split(";")]
    assert {s["repeat"] for s in trained if s["experiment"] == "combination"} == {0}


@pytest.mark.parametrize(
    ("settings", "listed", "where", "remedy"),
    [
        (VARIANT, "ddpm_shrt", "generators[0]", "did you mean 'ddpm_short'"),
        ({"short": {"generator": "dpm"}}, "short", "generator_settings.short.generator", "did you mean 'ddpm'"),
        ({"a": VARIANT["ddpm_short"], "b": {"generator": "a"}}, "b", "generator_settings.b.generator", "one of"),
        ({"ddpm": {"generator": "flow"}}, "ddpm", "generator_settings.ddpm", "a name of its own"),
        ({"ddpm-short": {"generator": "ddpm"}}, "ddpm-short", "generator_settings.ddpm-short", "small letters"),
    ],
)
def test_mistakes_in_variants(study, settings, listed, where, remedy):
    with pytest.raises(UserError) as caught:
        check(study(generators=[listed], generator_settings=settings))
    assert caught.value.where.endswith(where) and remedy in caught.value.remedy


def test_missing_data_root_says_how_to_set_it(study, monkeypatch):
    monkeypatch.delenv("PSEUDOCOHORT_DATA", raising=False)
    with pytest.raises(UserError, match="data_root") as caught:
        check(study("breast"))
    assert "--config data_root=" in caught.value.remedy


def test_sheet_errors_name_row_and_column(study, tmp_path):
    sheet = Path("config/datasets.tsv").read_text()
    cases = {
        sheet.replace("\tcounts\t", "\tcount\t", 1): "unit",
        sheet.replace("\tgct\t", "\tgctx\t", 1): "format",
        sheet.replace("demo_tumour\tbulk", "demo_normal\tbulk", 1): "two rows",
        sheet.replace("\t", ","): "comma-separated",
        sheet.replace("\t0.001\t", "\tabc\t", 1): "log_offset",
    }
    for k, (text, expected) in enumerate(cases.items()):
        path = tmp_path / f"sheet{k}.tsv"
        path.write_text(text)
        with pytest.raises(UserError) as caught:
            check(study(datasets_sheet=str(path)))
        assert expected in str(caught.value)
        assert str(path) in str(caught.value) or "data_root" in str(caught.value)


def test_generators_of_counts_want_datasets_of_counts(study):
    for generators, settings in (["nb_cvae"], {}), (["mine"], {"mine": {"generator": "nb_cvae"}}):
        with pytest.raises(UserError, match="learns from counts, and dataset 'gtex' has none"):
            check(study("gtex", data_root="somewhere", generators=generators, generator_settings=settings))


def test_covariates_are_columns_that_the_sheet_keeps(study):
    assert check(study("gtex", data_root="somewhere"))
    with pytest.raises(UserError, match="no dataset of the study keeps a covariate 'age'") as caught:
        check(study("gtex", data_root="somewhere", prepare={"covariates": {"age": "numeric"}}))
    assert caught.value.where == "prepare.covariates.age"
    assert "gender" in caught.value.remedy
    with pytest.raises(UserError, match="'number' is not allowed"):
        check(study("gtex", data_root="somewhere", prepare={"covariates": {"gender": "number"}}))


def test_survival_names_two_columns_of_the_sheet_and_a_generator_that_carries_them(study, tmp_path):
    sheet = Path("config/datasets.tsv").read_text().splitlines()
    header = sheet[0].split("\t")
    row = dict(zip(header, next(line for line in sheet if line.startswith("tcga_brca\t")).split("\t"), strict=False))
    row |= {"covariates": "days,died"}
    (tmp_path / "sheet.tsv").write_text("\n".join("\t".join(r) for r in (header, [row.get(c, "") for c in header])))

    def given(survival, **more):
        prepare = {"survival": survival} | more.pop("prepare", {})
        own = {"datasets": ["tcga_brca"], "datasets_sheet": str(tmp_path / "sheet.tsv"), "experiments": ["fidelity"]}
        return study("breast", data_root="somewhere", prepare=prepare, **own, **more)

    both = {"time": "days", "event": "died"}
    assert check(given(both)) and check(given({}))
    for config, message, where in (
        (given({"time": "days", "event": "dead"}), "keeps a column 'dead'", "prepare.survival.event"),
        (given({"time": "days", "event": "days"}), "time and event are one column", "prepare.survival"),
        (given(both, prepare={"covariates": {"days": "numeric"}}), "is among the covariates", "prepare.survival.time"),
        (given(both, generators=["copy"]), "no generator of the study can be conditioned", "prepare.survival"),
    ):
        with pytest.raises(UserError, match=message) as caught:
            check(config)
        assert caught.value.where == where
    with pytest.raises(UserError, match="event"):
        check(given({"time": "days"}))


def test_a_datasets_own_map_goes_before_the_common_one(study):
    maps = {"d*": {"Breast": "BRCA"}, "e": {"Breast": "Breast"}}
    config = {"prepare": {"conditions": {"map": {"Breast": "Mamma", "x": "y"}, "dataset_maps": maps, "min_donors": 3}}}
    assert conditions_of(config, "d1") == {"map": {"Breast": "BRCA", "x": "y"}, "min_donors": 3}
    assert conditions_of(config, "e")["map"]["Breast"] == "Breast"
    assert conditions_of(config, "f")["map"] == {"Breast": "Mamma", "x": "y"}


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"sources": {"demo_tumor": "A"}}, "prepare.sources"),
        ({"conditions": {"dataset_maps": {"tcga_*": {"a": "b"}}}}, "prepare.conditions.dataset_maps"),
    ],
)
def test_patterns_that_fit_no_dataset_are_said(study, changes, where):
    with pytest.raises(UserError, match="no dataset is called") as error:
        check(study(prepare=changes))
    assert where in str(error.value) and error.value.remedy


def test_a_source_is_a_column_that_the_sheet_keeps(study):
    told = {"data_root": "somewhere", "prepare": {"sources": {"gtex": "@Batch"}}}
    with pytest.raises(UserError, match="dataset 'gtex' keeps no column 'Batch'") as error:
        check(study("gtex", **told))
    assert "gender" in error.value.remedy and error.value.where == "prepare.sources.gtex"
    told["prepare"]["sources"]["gtex"] = "@gender"
    check(study("gtex", **told))


def test_the_maps_of_lines_do_not_rename_tissues_of_the_full_study(study):
    config = study("full")
    for label in ("Breast", "Skin", "Liver"):
        assert label not in conditions_of(config, "gtex_v10")["map"]
        assert conditions_of(config, "depmap")["map"][label].startswith("TCGA-")


def test_the_public_sheet_has_every_dataset_of_the_shipped_studies(project_root):
    """Files under {data_root} have a recipe: a row of public sources, and a line on the page about them."""
    shipped = pd.read_csv(project_root / "config/datasets.tsv", sep="\t", dtype=str)
    rooted = shipped[shipped["source"].str.startswith("{data_root}")]
    config = {"datasets_sheet": project_root / "config/datasets-public.tsv", "datasets": rooted["dataset"].tolist()}
    rows = sources.check(read_datasets(config, project_root / "workflow/schemas/datasets.schema.yaml"))
    page = (project_root / "docs/data-sources.md").read_text()
    for name, row in rows.items():
        assert sources.is_downloaded(row["source"]) or row["source"].startswith("resources/manual/"), name
    for folder in rooted["source"].str.extract(r"\{data_root\}/([^/]+)/")[0]:
        assert f"`{folder}/" in page, folder
    studies = [p.stem for p in (project_root / "config").glob("*.yaml") if p.stem not in OVERLAYS - {"release-tcga"}]
    assert all(f"`{name}`" in page for name in studies if name not in ("config",))


def test_all_columns_that_a_row_lacks_are_named_at_once_with_what_they_may_be(tmp_path, project_root):
    sheet = tmp_path / "sheet.tsv"
    sheet.write_text("dataset\tkind\tsource\nmine\tbulk\tcounts.tsv\n")
    with pytest.raises(UserError) as refused:
        read_datasets(
            {"datasets": ["mine"], "datasets_sheet": str(sheet)}, project_root / "workflow/schemas/datasets.schema.yaml"
        )
    text = str(refused.value)
    for column, choice in (
        ("format", "gct"),
        ("orientation", "genes_by_samples"),
        ("unit", "tpm"),
        ("context", "normal"),
    ):
        assert f"'{column}'" in text and choice in text
    assert text.count("\n  ") >= 9
