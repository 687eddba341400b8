"""Integer counts of synthetic profiles: unbiased, at library sizes like the real ones, none where there were none."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pseudocohort.generators.base.serialization import load_state, save_state
from pseudocohort.generators.fit.batch import train_batch
from pseudocohort.generators.fit.counts import LibrarySizes, counts_of
from pseudocohort.generators.fit.inference import sample_batch


def _obs(level: list[str], size: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"level": level, "library_size": size}, index=[f"s{i}" for i in range(len(level))])


def test_library_sizes_are_log_normal_per_level_and_survive_storage(tmp_path) -> None:
    rng = np.random.default_rng(0)
    sizes = np.exp(rng.normal(15, 0.4, 4000))
    fitted = LibrarySizes.fit(_obs(["tumour"] * 4000, sizes))
    save_state(tmp_path / "library", "library", *fitted.state())
    again = LibrarySizes.from_state(*load_state(tmp_path / "library", "library"))
    drawn = np.log(again.draw(_obs(["tumour"] * 20_000, np.zeros(20_000)), rng))
    assert drawn.mean() == pytest.approx(15, abs=0.03)
    assert drawn.std() == pytest.approx(0.4, abs=0.03)
    assert not set(np.exp(drawn)) & set(sizes)


def test_levels_without_counts_have_no_library_size() -> None:
    rng = np.random.default_rng(1)
    fitted = LibrarySizes.fit(_obs(["tumour", "tumour", "normal", "normal"], np.array([0, 9, 5, 7.0])))
    assert set(fitted.mean) == {"normal"}
    assert fitted.draw(_obs(["normal", "tumour"], np.zeros(2)), rng) is None
    assert fitted.draw(_obs(["normal"], np.zeros(1)), rng) is not None
    assert LibrarySizes.fit(pd.DataFrame({"level": ["normal"]})).draw(_obs(["normal"], np.zeros(1)), rng) is None


def test_rounding_has_no_bias() -> None:
    x = np.log2(np.array([[0.4, 3.3, 250.0, 0.0]]) + 1)
    made = counts_of(np.repeat(x, 40_000, axis=0), np.full(40_000, 2e6), np.random.default_rng(2))
    np.testing.assert_allclose(made.mean(0), [0.8, 6.6, 500, 0], atol=0.02)
    assert (made[:, 3] == 0).all()
    assert set(np.unique(made[:, 1])) == {6, 7}


@given(st.integers(1, 5_000_000), st.lists(st.floats(0, 19), min_size=1, max_size=6), st.integers(0, 99))
def test_counts_are_within_one_of_what_is_expected(library: int, log2: list[float], seed: int) -> None:
    x = np.array([log2])
    made = counts_of(x, np.array([float(library)]), np.random.default_rng(seed))
    assert made.dtype == np.int32 and (made >= 0).all()
    assert (np.abs(made - (2**x - 1) * library / 1e6) <= 1).all()


@pytest.mark.parametrize("counted", [True, False])
def test_a_batch_has_counts_where_its_training_profiles_had(tmp_path, counted: bool) -> None:
    rng = np.random.default_rng(3)
    library = np.exp(rng.normal(14, 0.2, 60))
    x = np.log2(rng.gamma(2, 100, (60, 8)) + 1).astype(np.float32)
    level = {"technology": "bulk", "aggregation": "bulk", "context": "tumour", "level": "tumour"}
    obs = pd.DataFrame({"condition": ["A", "B"] * 30, "dataset": "d", **level}, index=[f"s{i}" for i in range(60)])
    obs["donor"], obs["unit"] = obs.index, "log2(cpm + 1)"
    obs["library_size"] = library if counted else 0.0
    data = ad.AnnData(x, obs=obs, var=pd.DataFrame({"symbol": list("abcdefgh")}, index=[f"g{i}" for i in range(8)]))
    members = pd.DataFrame(
        {"training_set": "t", "sample_id": obs.index, "role": "train", "condition": obs["condition"]}
    )
    train_batch(
        data, members, ["t"], tmp_path / "models", generator="mvn", settings={}, seed=1, device="cpu",
        checkpoints=tmp_path / "work", checkpoint_minutes=5,
    )  # fmt: skip
    wanted = pd.DataFrame({"condition": ["A", "B"] * 20, **level})
    made = sample_batch(tmp_path / "models", {"t": wanted}, data.var, generator="mvn", seeds={"t": 5}, device="cpu")
    assert ("counts" in made.layers) == counted
    if counted:
        counts = made.layers["counts"]
        assert counts.dtype == np.int32
        cpm = np.exp2(made.X) - 1
        ratio = counts.sum(1) / cpm.sum(1) * 1e6
        assert np.median(ratio) == pytest.approx(np.exp(14), rel=0.2)
