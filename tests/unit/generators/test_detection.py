"""Silent genes: as often on their floor as in the training profiles, and nothing else changed."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from support.generators import annotation

from pseudocohort.generators.base.serialization import load_state, save_state
from pseudocohort.generators.fit.batch import fit, train_batch
from pseudocohort.generators.fit.detection import DetectionLimits
from pseudocohort.generators.fit.inference import sample_batch


def _obs(n: int, level: str = "tumour") -> pd.DataFrame:
    return pd.DataFrame({"condition": "A", "level": level}, index=[f"s{i}" for i in range(n)])


@pytest.mark.parametrize("centre", [-1.0, 0.0, 1.0])
def test_a_gaussian_fitted_to_censored_values_is_silent_as_often_as_they_are(centre: float, tmp_path) -> None:
    """Censored normal values: P(0) = Phi(-centre), a Gaussian of their mean and sd alone has another share below 0."""
    rng = np.random.default_rng(0)
    x = np.maximum(rng.normal(centre, 1, (4000, 1)), 0)

    def draw(obs: pd.DataFrame) -> np.ndarray:
        return np.maximum(rng.normal(x.mean(), x.std(), (len(obs), 1)), 0)

    limits = DetectionLimits.fit(x, _obs(4000), draw)
    save_state(tmp_path / "detection", "detection", *limits.state())
    again = DetectionLimits.from_state(*load_state(tmp_path / "detection", "detection"))
    made = again.apply(draw(_obs(20_000)), _obs(20_000))
    assert (made == 0).mean() == pytest.approx(stats.norm.cdf(-centre), abs=0.03)


def test_genes_without_a_floor_few_profiles_and_photocopies_are_left_alone() -> None:
    rng = np.random.default_rng(1)
    x = np.column_stack([rng.normal(5, 1, 200), np.maximum(rng.normal(0, 1, 200), 0), np.full(200, 2.0)])
    limits = DetectionLimits.fit(x, _obs(200), lambda obs: rng.normal(1, 1, (len(obs), 3)))
    assert np.isfinite(limits.limit["tumour"]).tolist() == [False, True, False]
    assert not DetectionLimits.fit(x[:9], _obs(9), lambda obs: x[: len(obs)]).limit
    copied = DetectionLimits.fit(x, _obs(200), lambda obs: x[rng.integers(0, 200, len(obs))])
    np.testing.assert_array_equal(copied.apply(x, _obs(200)), x)
    made = limits.apply(rng.normal(1, 1, (50, 3)), _obs(50))
    assert (made[:, 2] == 2).all(), "a gene that never leaves its floor stays on it"
    assert len(np.unique(made[:, 0])) == 50
    other = rng.normal(1, 1, (50, 3))
    np.testing.assert_array_equal(limits.apply(other, _obs(50, "normal")), other)


@given(st.integers(0, 1000), st.floats(0, 1), st.floats(-2, 2))
def test_values_stay_or_fall_to_the_floor(seed: int, share: float, shift: float) -> None:
    rng = np.random.default_rng(seed)
    x = np.where(rng.random((60, 4)) < share, 0.5, 0.5 + rng.gamma(2, size=(60, 4)))
    made = np.maximum(rng.normal(1 + shift, 1, (80, 4)), 0)
    limits = DetectionLimits.fit(x, _obs(60), lambda obs: made[np.resize(np.arange(80), len(obs))])
    out = limits.apply(made, _obs(80))
    floor = limits.floor.get("tumour", np.full(4, np.nan))
    assert ((out == made) | (out == floor)).all()


@pytest.mark.parametrize("name", ["mvn", "independent", "jitter"])
def test_a_batch_has_the_silent_genes_of_its_training_profiles(name: str, tmp_path) -> None:
    rng = np.random.default_rng(3)
    obs = annotation(["A", "B"] * 100, ["tumour"] * 200).assign(library_size=0.0)
    x = rng.normal(4, 1, (200, 6))
    x[:, 0] = np.maximum(rng.normal(-1, 1, 200), 0)
    x[:, 1] = np.maximum(np.where(obs["condition"] == "A", 3, -3) + rng.normal(0, 0.5, 200), 0)
    data = ad.AnnData(x.astype(np.float32), obs=obs, var=pd.DataFrame(index=[f"G{i}" for i in range(6)]))
    members = pd.DataFrame({
        "training_set": "set", "sample_id": obs.index, "role": "train", "condition": obs["condition"].to_numpy(),
    })  # fmt: skip
    train_batch(
        data, members, ["set"], tmp_path / "models", generator=name, settings={}, seed=1, device="cpu",
        checkpoints=tmp_path / "checkpoints", checkpoint_minutes=5,
    )  # fmt: skip
    made = sample_batch(tmp_path / "models", {"set": obs}, data.var, generator=name, seeds={"set": 1}, device="cpu")
    silent = np.asarray(made.X) == 0
    assert silent[:, 0].mean() == pytest.approx((x[:, 0] == 0).mean(), abs=0.08)
    for condition, share in (("A", 0), ("B", 1)):
        assert silent[(made.obs["condition"] == condition).to_numpy(), 1].mean() == pytest.approx(share, abs=0.15)
    assert not silent[:, 2:].any()


def test_a_private_generator_has_the_floors_of_public_profiles_and_of_no_training_donor():
    rng = np.random.default_rng(0)
    n, genes = 240, 30
    x = rng.normal(6, 1, (n, genes)).astype(np.float32)
    x[:, :10] = np.where(rng.random((n, 10)) < 0.6, 0.5, x[:, :10])  # silent in six of ten, at .5 in public profiles
    names = [f"S{i}" for i in range(n)]
    obs = pd.DataFrame(
        {
            "donor": [f"D{i}" for i in range(n)], "condition": np.resize(["a", "b"], n), "level": "tumour",
            "dataset": "d", "context": "tumour", "technology": "bulk", "aggregation": "bulk",
        },
        index=names,
    )  # fmt: skip
    role = np.resize(["train", "reference"], n)
    x[np.flatnonzero(role == "train")[0], :10] = 0.1  # one training donor lies below the floor of the others
    members = obs.reset_index(names="sample_id").assign(training_set="t", role=role)
    profiles = ad.AnnData(x, obs=obs, var=pd.DataFrame(index=[f"G{i}" for i in range(genes)]))
    private = {"epsilon": 3, "genes": "public", "conditions": ["a", "b"], "noise_seed": "study"}

    def fitted(public):
        settings = private | {"public": public}
        kind = "dp_components" if public == "reference" else "dp_naive_bayes"
        return fit(profiles, members, ["t"], generator=kind, settings=settings, seed=1, device="cpu")[0]

    found = fitted("reference")
    np.testing.assert_allclose(found.limits.floor["tumour"][:10], 0.5)
    made = found.sample(obs.iloc[:200], seed=2, device="cpu")[:, :10]
    assert made.min() > 0.45 and 0.45 < (made <= 0.5 + 1e-6).mean() < 0.75
    assert not fitted("none").limits.floor, "without public profiles there is nothing to take floors from"
