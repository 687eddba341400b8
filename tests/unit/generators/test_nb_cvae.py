"""The autoencoder of counts: its likelihood against scipy, what it recovers of known counts, storage and resumption."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from support.generators import FACTORS, annotation

from pseudocohort.core.errors import UserError
from pseudocohort.generators.base import registry
from pseudocohort.generators.base.checkpoint import Checkpoint
from pseudocohort.generators.engine.training import Training
from pseudocohort.generators.fit.batch import train_batch
from pseudocohort.generators.fit.inference import sample_batch
from pseudocohort.generators.models.nb_cvae.model import log_likelihood

KIND = registry.get("nb_cvae")
GENES = 80
FAST = {"steps": 300, "width": 64}


def counted(n: int, seed: int, levels=("tumour",)) -> tuple[ad.AnnData, np.ndarray]:
    """Profiles as log2(CPM + 1) of two conditions, two factors and negative binomial noise; and their counts."""
    fixed, rng = np.random.default_rng(5), np.random.default_rng(seed)
    base = fixed.uniform(np.log(0.3), np.log(3000), GENES)  # counts in a million
    contrast, loading = fixed.normal(size=(2, GENES)), 0.3 * fixed.normal(size=(2, GENES))
    condition = np.resize([0, 1], n * len(levels))
    log = base + 0.5 * contrast[condition] + rng.normal(size=(len(condition), 2)) @ loading
    library = np.exp(rng.normal(np.log(3e6), 0.3, len(condition)))
    mean = np.exp(log) * library[:, None] / 1e6
    counts = rng.poisson(rng.gamma(4.0, mean / 4.0))
    obs = annotation(np.array(["A", "B"])[condition], np.repeat(levels, n), f"s{seed}-")
    obs["library_size"] = library
    return ad.AnnData(np.log2(counts / library[:, None] * 1e6 + 1).astype(np.float32), obs=obs), counts


def test_likelihood_is_that_of_scipy():
    rng = np.random.default_rng(0)
    counts, mean, r = rng.integers(0, 3000, 200), rng.gamma(1, 300, 200) + 1e-3, rng.uniform(0.05, 50, 200)
    found = log_likelihood(*(torch.as_tensor(v, dtype=torch.float64) for v in (counts, mean, r)))
    np.testing.assert_allclose(found, stats.nbinom.logpmf(counts, r, r / (r + mean)), rtol=1e-9, atol=1e-9)


@pytest.fixture(scope="module")
def fitted():
    data, counts = counted(400, 1)
    model = KIND().fit(data, seed=2)
    np.testing.assert_array_equal(model.sizes.mean["tumour"], np.log(data.obs["library_size"]).mean())
    return model, data, counts


def test_means_spread_zeros_and_correlations_are_those_of_the_counts(fitted):
    model, _, _ = fitted
    truth, _ = counted(2000, 3)
    x = model.sample(truth.obs, seed=1)
    assert x.dtype == np.float32 and (x >= 0).all() and np.isfinite(x).all()
    for c in "AB":
        made, real = (v[(truth.obs["condition"] == c).to_numpy()] for v in (x, np.asarray(truth.X)))
        assert np.abs(made.mean(0) - real.mean(0)).mean() < 0.1
        np.testing.assert_allclose(np.median(made.std(0) / real.std(0)), 1, atol=0.1)
        silent = np.abs((made == 0).mean(0) - (real == 0).mean(0))
        assert silent.mean() < 0.02 and silent.max() < 0.15
        upper = np.triu_indices(GENES, 1)
        found, wanted = (np.corrcoef(v, rowvar=False)[upper] for v in (made, real))
        assert np.corrcoef(found, wanted)[0, 1] > 0.8
    # What a Gaussian cannot: values of a rare gene are few and far apart.
    rare = np.argmin(np.asarray(truth.X).mean(0))
    assert (x[:, rare] == 0).mean() > 0.2 and len(np.unique(np.rint(np.exp2(x[:, rare])))) < 60


def test_dispersions_are_learned(fitted):
    model, _, counts = fitted
    r = model.network.inverse_dispersion(torch.zeros(1, dtype=torch.long))[0].numpy()
    frequent = counts.mean(0) > 20
    assert 2.8 < np.median(r[frequent]) < 5.6  # the truth is 4


def test_stored_it_samples_the_same(fitted, tmp_path):
    model, _, _ = fitted
    model.save(tmp_path / "model")
    wanted = annotation(["A", "B", "B"], ["tumour"] * 3)
    np.testing.assert_allclose(KIND.load(tmp_path / "model").sample(wanted, seed=5), model.sample(wanted, seed=5))
    assert model.member_signals(model_input := counted(5, 4)[0]) == {} and len(model_input) == 5


def test_a_condition_seen_in_cells_only_is_placed_in_tissue():
    data, _ = counted(120, 1, ("tumour", "pseudobulk"))
    seen = data[~((data.obs["condition"] == "A") & (data.obs["level"] == "tumour")).to_numpy()].copy()
    model = KIND().fit(seen, settings=FAST, seed=1)
    made = model.sample(annotation(["A", "B"] * 100, ["tumour"] * 200), seed=1)
    whole = np.asarray(data.X)[(data.obs["level"] == "tumour").to_numpy()]
    found, wanted = (v[::2].mean(0) - v[1::2].mean(0) for v in (made, whole))
    assert np.corrcoef(found, wanted)[0, 1] > 0.8


def test_profiles_without_counts_are_refused():
    data, _ = counted(20, 1)
    data.obs.iloc[3, data.obs.columns.get_loc("library_size")] = 0.0
    with pytest.raises(UserError, match="profiles at level 'tumour' have none"):
        KIND().fit(data, settings=FAST, seed=1)
    del data.obs["library_size"]
    with pytest.raises(UserError, match="learns from counts"):
        KIND().fit(data, settings=FAST, seed=1)


def test_together_and_resumed_as_one_by_one(tmp_path, monkeypatch):
    parts, settings = [counted(40, seed)[0] for seed in (1, 2)], {"steps": 40, "width": 32, "validation": 0.2}
    alone = [KIND().fit(part, settings=settings, seed=i) for i, part in enumerate(parts)]
    for one, other in zip(alone, KIND.fit_together(parts, settings=settings, seeds=[0, 1]), strict=True):
        for a, b in zip(one.network.state_dict().values(), other.network.state_dict().values(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
    saved, original = Checkpoint(tmp_path / "c.safetensors", 0.0, "x"), Training._set_rates

    def interrupted(self, share):
        if share > 0.3:
            raise KeyboardInterrupt
        original(self, share)

    monkeypatch.setattr(Training, "_set_rates", interrupted)
    with pytest.raises(KeyboardInterrupt):
        KIND().fit(parts[0], settings=settings, seed=0, checkpoint=saved)
    monkeypatch.setattr(Training, "_set_rates", original)
    resumed = KIND().fit(parts[0], settings=settings, seed=0, checkpoint=saved)
    for a, b in zip(alone[0].network.state_dict().values(), resumed.network.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_the_workflow_trains_it_on_counts_and_hands_counts_on(tmp_path):
    data, counts = counted(60, 1)
    data.obs["dataset"], data.obs["unit"] = "d", "log2(cpm + 1)"
    data.var = pd.DataFrame({"symbol": [f"G{i}" for i in range(GENES)]}, index=[f"g{i}" for i in range(GENES)])
    members = pd.DataFrame(
        {"training_set": "t", "sample_id": data.obs_names, "role": "train", "condition": data.obs["condition"]}
    )
    train_batch(
        data, members, ["t"], tmp_path / "models", generator="nb_cvae", settings=FAST, seed=1, device="cpu",
        checkpoints=tmp_path / "work", checkpoint_minutes=5,
    )  # fmt: skip
    wanted = pd.DataFrame({"condition": ["A", "B"] * 200, **FACTORS["tumour"], "level": "tumour"})
    made = sample_batch(tmp_path / "models", {"t": wanted}, data.var, generator="nb_cvae", seeds={"t": 5}, device="cpu")
    drawn = made.layers["counts"]
    assert np.corrcoef(np.log(drawn.mean(0) + 1), np.log(counts.mean(0) + 1))[0, 1] > 0.98
    assert np.corrcoef((drawn == 0).mean(0), (counts == 0).mean(0))[0, 1] > 0.9
