"""Attacks and audits whose answer is known by construction."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pseudocohort.core.contracts import check_evaluation
from pseudocohort.experiments.privacy.attacks import AttackSpace, attack_space
from pseudocohort.experiments.privacy.score import privacy
from pseudocohort.experiments.shared.inputs import ScoreInputs
from pseudocohort.generators.base.ledger import Ledger, Mechanism, noise_for

from .generators import study_of, toy

GENES = 200


def draw(rng: np.random.Generator, n: int, genes: int = GENES) -> tuple[np.ndarray, np.ndarray]:
    """Profiles of two conditions, log2 units, with ten factors shared by all draws."""
    fixed = np.random.default_rng(99)
    contrast, loadings = 0.5 * fixed.normal(size=(2, genes)), 0.5 * fixed.normal(size=(10, genes))
    kind = np.arange(n) % 2
    x = 8 + contrast[kind] + rng.normal(size=(n, 10)) @ loadings + rng.normal(size=(n, genes))
    return x.astype(np.float32), np.array(["a", "b"])[kind]


def toy_space(seed: int, synthetic: str) -> tuple[AttackSpace, np.ndarray]:
    """Space with 60 members and 60 non-members in random order, and who is a member."""
    rng = np.random.default_rng(seed)
    (x, y), (reference, reference_y) = draw(rng, 120), draw(rng, 60)
    member = rng.permutation(120) < 60
    made, made_y = (x[member], y[member]) if synthetic == "copy" else draw(rng, 60)
    return attack_space(x, reference, made, y, reference_y, made_y), member


def audits(coins: int):
    """Profiles, plan and signals of audits whose signal is the coin plus noise."""
    data, _ = study_of(toy(n=90, p=12))
    rng = np.random.default_rng(0)
    plan, sets, synthetic, signals = [], [], {}, []
    reference = np.arange(data.n_obs) % 3 == 0
    for coin in range(coins):
        name = f"priv-c{coin}"
        member = rng.random(data.n_obs) < 0.5
        role = np.where(reference, "reference", np.where(member, "member", "non_member"))
        ids = {"training_set": name, "sample_id": data.obs_names, "role": role}
        plan.append(pd.DataFrame({**ids, "condition": data.obs["condition"].to_numpy()}))
        sets.append({"training_set": name, "experiment": "privacy", "generators": "toy", "regime": "audit",
                     "repeat": coin, "seed": coin})  # fmt: skip
        synthetic[name] = data[role == "reference"].copy()
        score = member[~reference] + 0.3 * rng.normal(size=(~reference).sum())
        ids = {"training_set": name, "sample_id": data.obs_names[~reference], "signal": "loss", "score": score}
        signals.append(pd.DataFrame(ids))
    return data, synthetic, pd.DataFrame(sets), pd.concat(plan, ignore_index=True), pd.concat(signals)


def table_of(coins, **settings):
    data, synthetic, sets, plan, signals = audits(coins)
    kept, broken = Ledger(1e-5), Ledger(1e-5)
    kept.noised("class means", "donors cut", Mechanism(noise_for(2.5, 1e-5)))
    broken.exact("class means", "without noise")
    ledgers = {"priv-c0": kept.state(), "priv-c1": broken.state()}
    table = privacy(ScoreInputs(
        data, synthetic, sets, plan, study="s", generator="toy", seed=1,
        settings={"attacks": ["nearest_neighbour", "span_residual"], **settings},
    ), signals=signals, ledgers=ledgers)  # fmt: skip
    check_evaluation(table, "here")
    table["regime"] = table["task"].fillna(table["regime"])  # areas of one condition are rows of their own
    return table.set_index(["repeat", "regime", "estimator", "metric"])["value"]
