"""Plug-ins of generators, found by discovery: descriptions, settings, and the classes that they stand for."""

from __future__ import annotations

import copy
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pseudocohort.configuration import check_study, complete
from pseudocohort.core.errors import UserError
from pseudocohort.core.versions import code_version
from pseudocohort.generators.base import registry
from pseudocohort.generators.base.generator import Generator

GENERATORS = registry.generators()
#: Every setting of every generator.
SETTINGS = [(name, key) for name, described in GENERATORS.items() for key in described.all_settings]
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", GENERATORS)
def test_a_description_says_all_and_its_class_points_back(name):
    described, kind = GENERATORS[name], registry.get(name)
    assert issubclass(kind, Generator) and kind.description == described
    assert (kind.name, kind.capabilities, kind.defaults) == (name, described.capabilities, described.defaults)
    assert described.summary and described.source and described.assumptions and described.limits
    for key, setting in described.settings.items():
        assert setting.help.endswith(".") and setting.schema, key
    assert set(described.training_length) & set(described.settings) or not described.capabilities.trained
    assert len(code_version(*described.modules)) == 12


@pytest.mark.parametrize("name", GENERATORS)
def test_defaults_and_presets_pass_their_own_checks(name):
    described = GENERATORS[name]
    assert described.merged(None) == described.merged(described.defaults) == described.defaults
    for preset, values in described.presets.items():
        whole = described.merged({"preset": preset})
        assert whole == described.defaults | values and set(values) <= set(described.settings)
        assert described.merged(values) == whole
        key, value = next(iter(values.items()))
        assert described.merged({"preset": preset, key: described.defaults[key]})[key] != value


def test_the_scan_needs_neither_torch_nor_the_code_of_a_generator():
    code = (
        "import sys; from pseudocohort.generators.base.registry import generators; from pseudocohort import study;"
        "generators(); bad = [m for m in sys.modules if m == 'torch' or m.endswith('.model')"
        " and '.generators.models.' in m]; sys.exit(str(bad) if bad else 0)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow/scripts")}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_nothing_outside_of_the_plugins_lists_them():
    """The names of most generators are no English words; where one stands in code, it is named from outside."""
    assert len(GENERATORS) > 15 and list(GENERATORS)[:4] == ["copy", "jitter", "mixup", "independent"]
    package = ROOT / "workflow/scripts/pseudocohort/generators"
    names = [f'"{name}"' for name in GENERATORS if name not in ("copy", "flow")]
    files = [f for f in package.rglob("*.py") if "models" not in f.relative_to(package).parts]
    assert len(files) > 30
    assert [(f.name, name) for f in files for name in names if name in f.read_text()] == []


# --- wrong settings -----------------------------------------------------------------------------------------------


def beyond(schema: dict) -> list:
    """Values just outside of the range of a schema, and others that are of no use as a number."""
    step = 1 if schema["type"] == "integer" else 1e-9
    out = [math.nan, math.inf] if schema["type"] != "integer" else [0.5 + schema.get("minimum", 0)]
    if "minimum" in schema:
        out.append(schema["minimum"] - step)
    if "maximum" in schema:
        out.append(schema["maximum"] + step * 1e3)
    out += [schema[key] for key in ("exclusiveMinimum", "exclusiveMaximum") if key in schema]
    return out


def wrong_values(schema: dict) -> st.SearchStrategy:
    """Values that a setting with this schema must refuse: other types, unknown choices, out of range."""
    kinds = [st.dictionaries(st.text(), st.integers(), min_size=1), st.text(max_size=20)]
    if "enum" in schema:
        return st.one_of(
            kinds[0], st.integers(), st.text().filter(lambda v: v not in schema["enum"]),
            st.sampled_from([f"{choice}x" for choice in schema["enum"]]),
        )  # fmt: skip
    if "anyOf" in schema:
        return st.one_of(*kinds, st.just([]), st.just(["128"]), st.just(-1), st.just([0]), st.booleans())
    kind = schema["type"]
    if isinstance(kind, list):
        return st.one_of(*kinds, st.booleans(), st.sampled_from(beyond(schema | {"type": "number"})))
    if kind == "boolean":
        return st.one_of(*kinds, st.integers(), st.none())
    if kind in ("integer", "number"):
        return st.one_of(*kinds, st.booleans(), st.none(), st.sampled_from(beyond(schema)))
    if kind == "object":
        return st.one_of(kinds[1], st.integers(), st.lists(st.integers()))
    return st.one_of(kinds[0], st.integers(), st.booleans())


@given(data=st.data())
def test_wrong_values_are_refused_with_key_value_and_remedy(data):
    name, key = data.draw(st.sampled_from(SETTINGS))
    described = GENERATORS[name]
    value = data.draw(wrong_values(described.all_settings[key].schema))
    with pytest.raises(UserError) as caught:
        described.merged({key: value})
    error = caught.value
    assert f"generator_settings.{name}.{key}" in error.where and error.remedy
    inside = value[0] if isinstance(value, list) and value else value
    assert repr(inside) in str(error) or isinstance(value, (dict, list)), error


@given(data=st.data())
def test_mistyped_keys_are_refused_with_the_nearest_name(data):
    name = data.draw(st.sampled_from(list(GENERATORS)))
    known = list(GENERATORS[name].all_settings)
    if not known:
        with pytest.raises(UserError, match="unknown key"):
            GENERATORS[name].merged({data.draw(st.text(min_size=1)): 1})
        return
    right = data.draw(st.sampled_from([key for key in known if len(key) > 4] or known))
    at = data.draw(st.integers(0, len(right) - 1))
    typed = data.draw(st.sampled_from([right[:at] + right[at + 1 :], right[:at] + "q" + right[at:]]))
    if typed in known:
        return
    with pytest.raises(UserError) as caught:
        GENERATORS[name].merged({typed: GENERATORS[name].all_settings[right].default})
    assert f"unknown key {typed!r}" in str(caught.value) and name in caught.value.where
    assert "did you mean" in caught.value.remedy or len(right) <= 4, caught.value.remedy


@pytest.mark.parametrize("name", GENERATORS)
def test_every_range_ends_where_the_schema_says(name):
    tried = 0
    for key, setting in GENERATORS[name].settings.items():
        for value in beyond(setting.schema) if setting.schema.get("type") in ("integer", "number") else ():
            tried += 1
            with pytest.raises(UserError) as caught:
                GENERATORS[name].merged({key: value})
            assert key in caught.value.where and str(value) in str(caught.value)
    assert tried or not any(s.schema.get("type") in ("integer", "number") for s in GENERATORS[name].settings.values())


@pytest.fixture(scope="module")
def demo():
    return complete(yaml.safe_load((ROOT / "config/demo.yaml").read_text()), ROOT / "workflow/schemas")


@pytest.mark.parametrize(
    ("own", "where", "value", "remedy"),
    [
        ({"ddpm": {"sampler": "dmp"}}, "generator_settings.ddpm.sampler", "'dmp'", "did you mean 'dpm'"),
        ({"ddpm": {"schedule": "cosin"}}, "generator_settings.ddpm.schedule", "'cosin'", "did you mean 'cosine'"),
        ({"ddpm": {"prediction": "veloctiy"}}, "generator_settings.ddpm.prediction", "'veloctiy'", "'velocity'"),
        ({"unclip": {"prior": "gausian"}}, "generator_settings.unclip.prior", "'gausian'", "did you mean 'gaussian'"),
        ({"ddpm": {"steps": "many"}}, "generator_settings.ddpm.steps", "'many'", "Training steps"),
        ({"wgan_gp": {"width": [128, "wide"]}}, "generator_settings.wgan_gp.width[1]", "'wide'", "hidden layer"),
        ({"flow": {"components": 0}}, "generator_settings.flow.components", "0", "Principal components"),
        ({"ddpm": {"preset": "papre"}}, "generator_settings.ddpm.preset", "'papre'", "did you mean 'paper'"),
        ({"ddpm": {"step": 3}}, "generator_settings.ddpm", "'step'", "did you mean 'steps'"),
        ({"dpm": {"steps": 3}}, "generator_settings", "'dpm'", "did you mean 'ddpm'"),
        ({"mine": {"generator": "ddpm", "eta": 2}}, "generator_settings.mine.eta", "2", "DDIM"),
        ({"mine": {"generator": "ddpm", "ata": 1}}, "generator_settings.mine", "'ata'", "did you mean 'eta'"),
    ],
)
def test_a_study_is_refused_for_wrong_settings_before_anything_runs(demo, monkeypatch, own, where, value, remedy):
    monkeypatch.chdir(ROOT)
    schemas = ROOT / "workflow/schemas"
    assert check_study(copy.deepcopy(demo), schemas)
    config = demo | {
        "generator_settings": own,
        "generators": [*demo["generators"], *(["mine"] if "mine" in own else [])],
    }
    with pytest.raises(UserError) as caught:
        check_study(copy.deepcopy(config), schemas)
    assert caught.value.where == f"configuration: {where}"
    assert value in str(caught.value) and remedy in caught.value.remedy


def test_a_generator_that_cannot_compose_is_refused_where_it_would_have_to(demo, monkeypatch):
    monkeypatch.chdir(ROOT)
    config = copy.deepcopy(demo)
    config["combination"]["generators"] = ["copy"]
    with pytest.raises(UserError, match="'copy' is not allowed") as caught:
        check_study(config, ROOT / "workflow/schemas")
    assert caught.value.where == "configuration: combination.generators[0]" and "mvn" in caught.value.remedy
