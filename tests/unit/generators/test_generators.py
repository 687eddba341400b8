"""Every generator against what theory or an independent implementation says, and storage and resumption of all."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.covariance import LedoitWolf
from support.generators import FAST, annotation, study_of, toy

from pseudocohort.core import contracts, io
from pseudocohort.core.errors import ContractError, UserError
from pseudocohort.generators.base import registry
from pseudocohort.generators.base.serialization import load_state, save_state
from pseudocohort.generators.fit.batch import train_batch, training_profiles
from pseudocohort.generators.fit.inference import sample_batch
from pseudocohort.generators.fit.synthetic_store import SyntheticStore
from pseudocohort.generators.space.covariance import shrink

#: Of DP-SGD a step is slow: where it does not matter what was learned, it takes few.
SHORT = FAST | {name: FAST[name] | {"steps": 60} for name in ("dp_ddpm",)}
#: Those that learn from counts are tested in test_nb_cvae.py, those that need public profiles in
#: test_differential_privacy.py, the control that keeps nothing but outliers in test_privacy.py.
ELSEWHERE = ("public_profiles", "dp_components", "copied_outliers")
STANDARDISED = [n for n, d in registry.generators().items() if not d.capabilities.counts and n not in ELSEWHERE]


@pytest.fixture(scope="module", params=STANDARDISED)
def fitted(request):
    """A generator of every kind, fitted to the same toy profiles."""
    data = toy()
    kind = registry.get(request.param)
    return kind().fit(data, settings=FAST.get(request.param), seed=3), data


def test_samples_have_the_conditions_means_and_are_reproducible(fitted):
    model, data = fitted
    wanted = annotation(["A", "B"] * 150, ["tumour"] * 300)
    x = model.sample(wanted, seed=1)
    assert x.shape == (300, data.n_vars) and x.dtype == np.float32 and np.isfinite(x).all()
    np.testing.assert_array_equal(x, model.sample(wanted, seed=1))
    if model.name != "copy":
        assert (x != model.sample(wanted, seed=2)).any()
    for c in "AB":
        made, real = x[(wanted["condition"] == c).to_numpy()], data.X[(data.obs["condition"] == c).to_numpy()]
        assert np.abs(made.mean(0) - real.mean(0)).mean() < 0.3, c
        assert np.corrcoef(made.mean(0), real.mean(0))[0, 1] > 0.9, c


def test_saved_generators_load_and_sample_the_same(fitted, tmp_path):
    model, _ = fitted
    model.save(tmp_path / "model")
    of_class = dict(vars(type(model)))
    again = type(model).load(tmp_path / "model")
    assert dict(vars(type(model))) == of_class
    if not model.capabilities.private:  # what is fitted is stored, and no step of the fit leaves anything else
        assert set(vars(model)) - set(vars(again)) <= {"history", "device"}
    wanted = annotation(["A", "B", "B"], ["tumour"] * 3)
    np.testing.assert_allclose(again.sample(wanted, seed=5), model.sample(wanted, seed=5), atol=2e-6)
    assert {f.suffix for f in (tmp_path / "model").iterdir()} == {".safetensors", ".json"}


def test_unknown_condition_is_refused_by_name(fitted):
    model, _ = fitted
    with pytest.raises(UserError, match="'C'"):
        model.sample(annotation(["C"], ["tumour"]), seed=1)


def test_unknown_setting_is_refused(fitted):
    model, data = fitted
    with pytest.raises(UserError, match="unknown key 'colour'"):
        type(model)().fit(data, settings={"colour": 1}, seed=1)


@pytest.mark.parametrize("name", [n for n in STANDARDISED if registry.describe(n).capabilities.composition])
def test_composition_carries_the_contrast_of_the_other_level(name):
    data = toy(levels=("tumour", "pseudobulk"))
    unseen = ((data.obs["condition"] == "A") & (data.obs["level"] == "tumour")).to_numpy()
    pool = data[unseen | (data.obs["level"] == "tumour").to_numpy()].copy()
    pool.obs["condition"] = ""
    pool.obs_names = [f"u{i}" for i in range(pool.n_obs)]
    truth = data.X[unseen].mean(0)
    seen = ad.concat([data[~unseen], pool])
    model = registry.get(name)().fit(seen, settings=FAST.get(name), seed=1)
    made = model.sample(annotation(["A"] * 100, ["tumour"] * 100), seed=1)
    assert np.corrcoef(made.mean(0), truth)[0, 1] > (0.9 if name in ("mvn", "ddpm") else 0.7)


@pytest.mark.parametrize("name", ["copy", "jitter", "mixup", "independent", "mvn_camda"])
def test_controls_refuse_to_compose(name):
    data = toy(levels=("tumour", "pseudobulk"))
    seen = data[~((data.obs["condition"] == "A") & (data.obs["level"] == "tumour")).to_numpy()].copy()
    model = registry.get(name)().fit(seen, seed=1)
    with pytest.raises(UserError, match="level 'tumour'"):
        model.sample(annotation(["A"], ["tumour"]), seed=1)


def test_copy_repeats_no_profile_before_all_came():
    data = toy(n=20)
    x = registry.get("copy")().fit(data, seed=1).sample(annotation(["A"] * 10, ["tumour"] * 10), seed=1)
    assert sorted(map(tuple, x)) == sorted(map(tuple, data.X[:10]))


def test_mixup_stays_between_neighbours():
    data = toy(n=40)
    x = registry.get("mixup")().fit(data, seed=1).sample(annotation(["A"] * 60, ["tumour"] * 60), seed=1)
    rows = data.X[:20].astype(float)
    for made in x.astype(float):
        gaps = [np.linalg.norm(made - a) + np.linalg.norm(made - b) - np.linalg.norm(a - b) for a in rows for b in rows]
        assert min(gaps) < 1e-4


def test_independent_has_no_correlation_within_a_condition():
    data = toy(n=400, p=6)
    x = registry.get("independent")().fit(data, seed=1).sample(annotation(["A"] * 4000, ["tumour"] * 4000), seed=1)
    correlation = np.corrcoef(x, rowvar=False)
    assert np.abs(correlation - np.eye(6)).max() < 0.08
    np.testing.assert_allclose(x.std(0), data.X[:200].std(0, ddof=1), rtol=0.06)


def test_mvn_camda_has_one_and_a_half_times_the_sample_covariance_and_keeps_the_span():
    data = toy(n=60, p=100)
    model = registry.get("mvn_camda")().fit(data, seed=1)
    x = model.sample(annotation(["A"] * 20_000, ["tumour"] * 20_000), seed=1).astype(float)
    expected = 1.5 * np.cov(data.X[:30].astype(float), rowvar=False)
    assert np.abs(np.cov(x, rowvar=False) - expected).max() < 0.12 * np.abs(expected).max()
    basis = (data.X[:30] - data.X[:30].mean(0)).astype(float)
    centred = x[:50] - data.X[:30].mean(0)
    rest = centred - centred @ np.linalg.pinv(basis) @ basis
    assert np.abs(rest).max() < 1e-4


def test_mvn_recovers_a_gaussian():
    rng = np.random.default_rng(1)
    p = 8
    factor = rng.normal(size=(p, p)) / 2
    x = (rng.normal(size=(4000, p)) @ factor).astype(np.float32)
    x[2000:] += 1.5
    data = ad.AnnData(x, obs=annotation(["A"] * 2000 + ["B"] * 2000, ["tumour"] * 4000))
    made = registry.get("mvn")().fit(data, seed=1).sample(annotation(["A"] * 20_000, ["tumour"] * 20_000), seed=2)
    np.testing.assert_allclose(np.cov(made, rowvar=False), factor.T @ factor, atol=0.2)
    np.testing.assert_allclose(made.mean(0), x[:2000].mean(0), atol=0.06)


def test_shrinkage_is_ledoit_wolfs_on_unit_variance_genes():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(25, 40)) @ (np.eye(40) + 0.2 * rng.normal(size=(40, 40)))
    x -= x.mean(0)
    x /= x.std(0)
    ours = shrink(x, np.ones(25), 25).dense()
    np.testing.assert_allclose(ours, LedoitWolf(assume_centered=True).fit(x).covariance_, atol=1e-6)


def test_low_rank_log_density_is_scipys():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(9, 15))
    covariance = shrink(x - x.mean(0), np.ones(9), 8)
    rows = rng.normal(size=(4, 15))
    expected = stats.multivariate_normal(np.zeros(15), covariance.dense()).logpdf(rows)
    np.testing.assert_allclose(covariance.log_density(rows), expected, rtol=1e-9)


@pytest.mark.parametrize("name", [n for n in STANDARDISED if registry.describe(n).capabilities.trained])
def test_resumed_training_is_bit_for_bit_the_same(name, tmp_path, monkeypatch):
    import torch

    from pseudocohort.generators.base.checkpoint import Checkpoint
    from pseudocohort.generators.engine.training import Training

    data, kind = toy(), registry.get(name)
    whole = kind().fit(data, settings=SHORT[name], seed=7)
    saved = []
    original = Training._update_average

    def killed(self):
        original(self)
        if not saved and self.step == 30:
            saved.append(self.step)
            checkpoint.save(*self._state())
            raise KeyboardInterrupt

    checkpoint = Checkpoint(tmp_path / "c.safetensors", 5, "same")
    monkeypatch.setattr(Training, "_update_average", killed)
    with pytest.raises(KeyboardInterrupt):
        kind().fit(data, settings=SHORT[name], seed=7, checkpoint=checkpoint)
    resumed = kind().fit(data, settings=SHORT[name], seed=7, checkpoint=checkpoint)
    for a, b in zip(whole.network.parameters(), resumed.network.parameters(), strict=True):
        assert torch.equal(a, b)
    # A damaged file, and one of another run, start anew instead of failing.
    (tmp_path / "c.safetensors").write_bytes(b"damaged")
    assert checkpoint.load() is None
    checkpoint.save({"x": torch.zeros(1)}, {"step": 1, "rows": []})
    assert Checkpoint(tmp_path / "c.safetensors", 5, "other").load() is None


def test_storage_refuses_damage_and_other_kinds(tmp_path):
    save_state(tmp_path / "a", "copy", {"x": np.ones(3)}, {"k": 1})
    with pytest.raises(ContractError, match="holds 'copy', not 'mvn'"):
        load_state(tmp_path / "a", "mvn")
    (tmp_path / "a" / "arrays.safetensors").write_bytes(b"short")
    with pytest.raises(ContractError, match="cannot be read"):
        load_state(tmp_path / "a", "copy")


@pytest.mark.parametrize("name", ["copy", "mvn", "ddpm"])
def test_batch_trains_samples_and_ignores_held_out_profiles(name, tmp_path):
    data, members = study_of(toy())
    settings = FAST.get(name, {})
    options = {"generator": name, "settings": settings, "seed": 1, "device": "cpu", "checkpoint_minutes": 5}
    changed = data.copy()
    changed.X[members["role"] == "test"] += 100
    made = []
    for i, profiles in enumerate((data, changed)):
        train_batch(profiles, members, ["set"], tmp_path / f"m{i}", checkpoints=tmp_path / f"c{i}", **options)
        assert not (tmp_path / f"c{i}").exists()
        wanted = annotation(["A", "B"], ["tumour"] * 2).drop(columns="donor").reset_index(drop=True)
        made.append(
            sample_batch(tmp_path / f"m{i}", {"set": wanted}, data.var, generator=name, seeds={"set": 4}, device="cpu")
        )
    contracts.SYNTHETIC.check(made[0], "test")
    np.testing.assert_array_equal(made[0].X, made[1].X)
    assert made[0].X.min() >= 0
    io.write_profiles(made[0], tmp_path / "s.h5ad", contracts.SYNTHETIC)
    store = SyntheticStore([tmp_path / "s.h5ad"])
    assert list(store) == ["set"] and store["set"].n_obs == 2 and "other" not in store
    with pytest.raises(KeyError):
        store["other"]


def test_unlabelled_profiles_reach_scale_always_and_training_only_if_able():
    data, members = study_of(toy())
    members.loc[:9, "role"], members.loc[:9, "condition"] = "unlabeled", ""
    learned, scaled = training_profiles(data, members, "set", unlabeled=False)
    assert learned.n_obs == 60 and scaled.n_obs == 70 and (learned.obs["condition"] != "").all()
    learned, _ = training_profiles(data, members, "set", unlabeled=True)
    assert (learned.obs["condition"] == "").sum() == 10


def test_audits_train_on_members_and_negative_controls_on_the_reference():
    data, members = study_of(toy())
    members["role"] = ["member"] * 30 + ["non_member"] * 30 + ["reference"] * 20
    learned, _ = training_profiles(data, members, "set", unlabeled=False)
    assert list(learned.obs_names) == list(members["sample_id"][:30])
    control = pd.concat([members, members[60:].assign(role="train")])
    learned, _ = training_profiles(data, control, "set", unlabeled=False)
    assert list(learned.obs_names) == list(members["sample_id"][60:])


def test_interrupted_batch_keeps_finished_models(tmp_path, monkeypatch):
    data, members = study_of(toy())
    members = pd.concat([members, members.assign(training_set="two")])
    kind, fits = registry.get("mvn"), []
    original = kind.fit

    def counted(self, *args, **kwargs):
        fits.append(1)
        if len(fits) == 2:
            raise KeyboardInterrupt
        return original(self, *args, **kwargs)

    monkeypatch.setattr(kind, "fit", counted)
    options = {
        "generator": "mvn",
        "settings": {},
        "seed": 1,
        "device": "cpu",
        "checkpoint_minutes": 5,
        "checkpoints": tmp_path / "c",
    }
    with pytest.raises(KeyboardInterrupt):
        train_batch(data, members, ["set", "two"], tmp_path / "m", **options)
    assert not (tmp_path / "m").exists()
    train_batch(data, members, ["set", "two"], tmp_path / "m", **options)
    assert len(fits) == 3 and {f.name for f in (tmp_path / "m").iterdir()} == {"set", "two"}


@pytest.mark.parametrize("name", [n for n in STANDARDISED if n not in ("independent", "dp_naive_bayes")])
def test_every_generator_beats_independent_genes_on_a_gaussian_mixture(name):
    """Truth known: two classes of correlated genes; error = distance of a class mean and covariance from it."""
    rng = np.random.default_rng(21)
    p = 10
    truth = 0.8 ** np.abs(np.subtract.outer(np.arange(p), np.arange(p)))
    x = rng.multivariate_normal(np.zeros(p), truth, size=400) + np.repeat([[-1.0], [1.0]], 200, axis=0)
    data = ad.AnnData(x.astype(np.float32), obs=annotation(["A"] * 200 + ["B"] * 200, ["tumour"] * 400))

    def error(kind):
        made = registry.get(kind)().fit(data, settings=FAST.get(kind), seed=1)
        rows = made.sample(annotation(["A"] * 2000, ["tumour"] * 2000), seed=1).astype(float)
        scale = 1.5 if kind == "mvn_camda" else 1.0
        return np.linalg.norm(np.cov(rows, rowvar=False) / scale - truth) + np.linalg.norm(rows.mean(0) + 1)

    assert error(name) < 0.8 * error("independent")


def test_untrained_flow_is_the_class_gaussian():
    import torch

    data = toy(n=60, p=5)
    settings = {"steps": 1, "max_epochs": 1, "learning_rate": 0.0, "weight_decay": 0.0}
    model = registry.get("flow")().fit(data, settings=settings, seed=1)
    condition, factors = torch.zeros(500, dtype=torch.long), torch.zeros(500, 3, dtype=torch.long)
    with torch.no_grad():
        h = model.draw(condition, factors, torch.Generator().manual_seed(1)).numpy()
    noise = torch.randn(500, model.space.dim, generator=torch.Generator().manual_seed(1)).numpy()
    np.testing.assert_allclose(h, noise @ model.network.root[0].numpy().T, atol=1e-5)


def test_flow_pairs_rows_optimally_within_conditions():
    import torch

    from pseudocohort.generators.models.flow.model import pairing

    rng = torch.Generator().manual_seed(0)
    x1 = torch.randn(12, 3, generator=rng)
    condition = torch.tensor([0] * 6 + [1] * 6)
    shuffled = torch.cat([torch.randperm(6, generator=rng), 6 + torch.randperm(6, generator=rng)])
    order = pairing(x1[shuffled], x1, condition)
    torch.testing.assert_close(x1[shuffled][order], x1)


def test_copula_keeps_skewed_marginals_that_a_gaussian_loses():
    rng = np.random.default_rng(5)
    x = rng.exponential(size=(1500, 1)) @ np.ones((1, 4)) + 0.05 * rng.normal(size=(1500, 4))
    x = ((x - x.mean(0)) / x.std(0)).astype(np.float32)
    data = ad.AnnData(x, obs=annotation(["A"] * 750 + ["B"] * 750, ["tumour"] * 1500))
    wanted = annotation(["A"] * 4000, ["tumour"] * 4000)
    skew = {n: stats.skew(registry.get(n)().fit(data, seed=1).sample(wanted, seed=1)[:, 0]) for n in ("copula", "mvn")}
    assert abs(skew["copula"] - stats.skew(x[:, 0])) < 0.5 < abs(skew["mvn"] - stats.skew(x[:, 0]))


def test_ppca_is_scikit_learns_model_of_the_class():
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(6)
    x = rng.normal(size=(600, 2)) @ (3 * rng.normal(size=(2, 9))) + rng.normal(size=(600, 9))
    data = ad.AnnData(x.astype(np.float32), obs=annotation(["A"] * 300 + ["B"] * 300, ["tumour"] * 600))
    model = registry.get("ppca")().fit(data, seed=1)
    loadings, variance = model.parts["A", "tumour"]
    expected = PCA(len(loadings)).fit(x[:300]).get_covariance() * 299 / 300
    assert len(loadings) == 2
    np.testing.assert_allclose(loadings.T @ loadings + variance * np.eye(9), expected, rtol=1e-4, atol=1e-4)
    loadings, variance = registry.get("ppca")().fit(data, settings={"components": 1}, seed=1).parts["B", "tumour"]
    expected = PCA(1).fit(x[300:]).get_covariance() * 299 / 300
    np.testing.assert_allclose(loadings.T @ loadings + variance * np.eye(9), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", STANDARDISED)
def test_one_profile_per_level_is_enough_to_fit(name):
    """Standardised by level such profiles are all zero; what is generated is then the levels' means."""
    tumour, line = annotation(["A"], ["tumour"], "t"), annotation(["B"], ["pseudobulk"], "l")
    data = ad.AnnData(np.zeros((2, 6), np.float32), obs=pd.concat([tumour, line]))
    x = registry.get(name)().fit(data, settings=SHORT.get(name), seed=1).sample(tumour.iloc[[0, 0]], seed=1)
    assert np.isfinite(x).all() and np.abs(x).max() < 2


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, caplog):
    import torch

    from pseudocohort.generators.base.checkpoint import Checkpoint

    checkpoint = Checkpoint(tmp_path / "c.safetensors", 0, "same")
    for step in (1, 2):
        checkpoint.save({"w": torch.full((3,), float(step))}, {"step": step})
    assert checkpoint.load()[1] == {"step": 2}
    whole = checkpoint.path.read_bytes()
    checkpoint.path.write_bytes(whole[: len(whole) // 2])
    tensors, metadata = checkpoint.load()
    assert metadata == {"step": 1}
    assert torch.equal(tensors["w"], torch.ones(3))
    assert "is damaged" in caplog.text
    checkpoint.path.unlink()  # killed between the two renames
    assert checkpoint.load()[1] == {"step": 1}
    assert Checkpoint(checkpoint.path, 0, "other").load() is None
    checkpoint.previous.unlink()
    assert checkpoint.load() is None


@pytest.mark.parametrize("name", ["mvn", "independent", "ddpm", "gan"])
def test_per_condition_scope_fits_each_condition_alone(name, tmp_path):
    """Means are each condition's own; a condition of few donors comes from a joint model; storage gives the same."""
    from pseudocohort.generators.fit.per_condition import PerCondition, load_model

    data = toy()
    few = np.flatnonzero((data.obs["condition"] == "B").to_numpy())
    data = data[np.setdiff1d(np.arange(data.n_obs), few[3:])].copy()
    names: list[str] = []
    model = PerCondition(registry.get(name)).fit(
        data, settings=FAST.get(name), seed=3, device="cpu", checkpoint=lambda condition, part: names.append(condition)
    )
    assert names == [*sorted(set(data.obs["condition"]) - {"B"}), ""]
    wanted = data.obs.drop(columns=["donor"]).iloc[np.resize(np.arange(data.n_obs), 400)].reset_index(drop=True)
    made = model.sample(wanted, seed=5)
    assert made.dtype == np.float32 and np.isfinite(made).all()
    for condition in set(names) - {""}:
        real = np.asarray(data.X)[(data.obs["condition"] == condition).to_numpy()]
        of_it = made[(wanted["condition"] == condition).to_numpy()]
        assert np.corrcoef(real.mean(0), of_it.mean(0))[0, 1] > 0.8
    model.save(tmp_path / "model")
    again = load_model(tmp_path / "model", registry.get(name))
    np.testing.assert_allclose(again.sample(wanted, seed=5), made, atol=1e-5)
    with pytest.raises(UserError, match="'Z'"):
        PerCondition(registry.get(name)).fit(
            data[(data.obs["condition"] != "B").to_numpy()].copy(), settings=FAST.get(name), seed=3, device="cpu",
            checkpoint=lambda condition, part: None,
        ).sample(wanted.assign(condition="Z"), seed=1)  # fmt: skip


def test_a_condition_of_its_own_is_what_a_joint_fit_of_it_alone_gives():
    from pseudocohort.core.seeds import derive
    from pseudocohort.generators.fit.per_condition import PerCondition

    data = toy()
    model = PerCondition(registry.get("mvn")).fit(
        data, settings=None, seed=3, device="cpu", checkpoint=lambda condition, part: None
    )
    alone = data[(data.obs["condition"] == "A").to_numpy()].copy()
    wanted = alone.obs.drop(columns=["donor"]).reset_index(drop=True)
    expected = registry.get("mvn")().fit(alone, seed=derive(3, "condition", "A"))
    np.testing.assert_array_equal(
        model.sample(wanted, seed=5), expected.sample(wanted, seed=derive(5, "condition", "A"))
    )


@pytest.mark.parametrize("name", ["gan", "wgan_gp", "cvae", "ddpm", "flow", "unclip"])
def test_networks_are_no_wider_than_their_training_set_is_long(name, tmp_path):
    kind = registry.get(name)
    short = {k: 3 for k in ("steps", "max_epochs", "embedding_steps", "critic_steps") if k in kind.defaults}
    few, many = (kind().fit(toy(n=n), settings=short, seed=1) for n in (50, 140))
    assert few.settings["width"] == 64 and many.settings["width"] == 128
    sizes = [sum(w.numel() for w in model.network.parameters()) for model in (few, many)]
    assert sizes[0] < 0.5 * sizes[1]
    assert kind().fit(toy(n=50), settings=short | {"width": 32}, seed=1).settings["width"] == 32
    few.save(tmp_path / "m")
    wanted = annotation(["A"] * 5, ["tumour"] * 5)
    np.testing.assert_allclose(kind.load(tmp_path / "m").sample(wanted, seed=2), few.sample(wanted, seed=2), atol=1e-4)


def test_widths_given_layer_by_layer_and_networks_on_genes_keep_theirs():
    from pseudocohort.generators.engine.network_generator import width_for

    assert [width_for(128, n) for n in (1, 32, 33, 50, 96, 97, 10**4)] == [32, 32, 64, 64, 96, 128, 128]
    assert width_for([256, 1024], 50) == [256, 1024]
    on_genes = registry.get("ddpm")().fit(toy(n=20), settings={"components": 0, "steps": 2, "max_epochs": 1}, seed=1)
    assert on_genes.settings["width"] == 128
