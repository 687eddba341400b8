"""Use against leakage: the points of the figure are those of the tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from pseudocohort.experiments.privacy.figures import frontier
from pseudocohort.experiments.shared.style import save, spread


def _row(generator: str, metric: str, value: float, **keys: str) -> dict:
    return {"generator": generator, "metric": metric, "value": value, "ci_low": value - 0.01, "ci_high": value + 0.01,
            "task": np.nan, **keys}  # fmt: skip


def _table() -> pd.DataFrame:
    privacy = []
    for name, leakage, use, epsilon in (("mvn", 0.97, 0.7, None), ("dp", 0.52, 0.6, 3.0), ("void", 0.51, 0.5, None)):
        privacy += [
            _row(name, "max_auc", leakage - 0.05, regime="audit", estimator="battery"),
            _row(name, "auc", 0.99, regime="white_box", estimator="span_residual"),
            _row(name, "auc", 0.98, regime="negative_control", estimator="span_residual"),
            _row(name, "auc", leakage - 0.05, regime="audit", estimator="span_residual"),
            _row(name, "auc", leakage, regime="shadow" if name == "dp" else "audit", estimator="stack"),
            _row(name, "auc", 0.999, regime="release_size", estimator="stack") | {"task": "release x0.25"},
            _row(name, "auc", np.nan, regime="audit", estimator="classifier"),
        ]
        privacy += [
            _row(name, frontier.USE, use, regime="audit", estimator="use"),
            _row(name, frontier.CEILING, 0.8, regime="audit", estimator="use"),
            _row(name, frontier.USE, 0.1, regime="release_size", estimator="use") | {"task": "release x0.25"},
        ]
        if name != "mvn":
            keys = {"regime": "audit", "estimator": "ledger"}
            privacy += [_row(name, "guarantee", float(epsilon is not None), **keys), _row(name, "delta", 1e-5, **keys)]
            privacy += [_row(name, "epsilon", epsilon, **keys)] if epsilon else []
    privacy.append(_row("no classes", "auc", 0.5, regime="audit", estimator="stack"))
    return pd.DataFrame(privacy)


def test_points_are_those_of_the_strongest_attack_that_the_gate_judges() -> None:
    found = frontier.points(_table()).set_index("generator")
    assert list(found.index) == ["mvn", "dp", "void"]
    assert list(found["leakage"]) == [0.97, 0.52, 0.51] and list(found["use"]) == [0.7, 0.6, 0.5]
    assert list(found["private"]) == [False, True, True]
    assert np.isnan(found.loc["mvn", "epsilon"]) and found.loc["dp", "epsilon"] == 3
    assert np.isnan(found.loc["void", "epsilon"])  # the ledger does not bear it out


def test_figure_names_generators_and_claims(tmp_path) -> None:
    save(frontier.draw(_table(), {"release": {"max_auc_high": 0.6}}), tmp_path / "f.svg")
    text = (tmp_path / "f.svg").read_text()
    assert "dp (\u03b5 = 3)" in text and ">void<" in text and "the donors themselves" in text
    nothing = frontier.draw(_table()[lambda t: t["metric"] != frontier.USE], {"release": {"max_auc_high": 0.6}})
    save(nothing, tmp_path / "g.svg")
    assert "no cohort has classes" in (tmp_path / "g.svg").read_text()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=15), st.floats(0.01, 0.2))
def test_labels_keep_their_order_and_distance(wanted: list[float], gap: float) -> None:
    places = spread(np.array(wanted), gap)
    order = np.argsort(wanted, kind="stable")
    assert (np.diff(places[order]) >= gap - 1e-9).all()
    if len(wanted) == 1 or np.diff(np.sort(wanted)).min() >= gap:
        np.testing.assert_allclose(places, wanted)
