"""A small simulated cohort, for examples: no download."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import yaml

from ..acquire.simulate.model import Model, make_model
from ..acquire.simulate.observe import bulk_tpm, read_counts
from ..core.errors import UserError
from ..core.seeds import RandomState, generator, seed_of

_PARAMETERS = Path(__file__).resolve().parents[4] / "resources/demo_parameters.yaml"
#: Reads of a sample over the simulated genes.
_READS = 4_000_000


@cache
def _model(path: Path) -> Model:
    if not path.is_file():
        raise UserError(
            "the simulator's parameters are not beside the package",
            where=str(path),
            remedy="install the package from a checkout: pip install -e .",
        )
    return make_model(yaml.safe_load(path.read_text()), seed=1)


def _follow_up(subtype: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Days and whether they ended in death; patients of the rare subtype have four times the hazard."""
    death = rng.exponential(3000 / 4.0 ** (subtype == 1))
    observed = rng.uniform(365, 3650, len(subtype))
    return {"days": np.ceil(np.minimum(death, observed)).astype(int), "died": (death <= observed).astype(int)}


def example(profiles: int = 120, *, unit: str = "log2", random_state: RandomState = 0) -> ad.AnnData:
    """Simulated tumours of four cancers, each with two subtypes, from the structural causal model of the demo.

    Parameters
    ----------
    profiles : int
        Number, the cancers in turn.
    unit : {'log2', 'counts'}
        log2(TPM + 1), or read counts.
    random_state : int, Generator or RandomState, optional
        The same cohort each time; the model behind it does not change.

    Returns
    -------
    AnnData
        profiles × 387 genes; ``obs``: ``cancer``, ``subtype``, ``patient``, ``sex``, ``days`` and ``died`` (a
        follow-up, in which the rare subtype dies earlier); ``var``: ``symbol``.

    Examples
    --------
    >>> import pseudocohort as pc
    >>> pc.example(8).obs["cancer"].tolist()
    ['breast', 'lung', 'liver', 'colon', 'breast', 'lung', 'liver', 'colon']
    """
    if unit not in ("log2", "counts"):
        raise UserError(f"unknown unit {unit!r}", where="unit", remedy="log2 or counts")
    if not isinstance(profiles, int | np.integer) or isinstance(profiles, bool) or profiles < 1:
        raise UserError(f"{profiles!r} is no number of profiles", where="profiles", remedy="a whole number from 1 on")
    seed = seed_of(random_state)
    model, rng = _model(_PARAMETERS), generator(seed, "example")
    condition = np.arange(profiles) % len(model.conditions)
    subtype, sex = model.draw_subtypes(rng, profiles), rng.integers(0, 2, profiles)
    donors = model.draw_donors(rng, profiles) + (sex[:, None] - 0.5) * model.sex
    states = model.states(model.exogenous(rng, condition, "tumour", subtype, donors))
    if unit == "counts":
        x = read_counts(states, rng, reads=_READS)
    else:
        x = np.log2(bulk_tpm(states, rng, noise=model.parameters["technology"]["bulk_noise"]) + 1)
    names = [f"P{i + 1:04d}" for i in range(profiles)]
    obs = pd.DataFrame(
        {
            "cancer": np.array(model.conditions)[condition],
            "subtype": np.where(subtype == 1, "rare", "common"),
            "patient": names,
            "sex": np.where(sex == 1, "female", "male"),
            **_follow_up(subtype, generator(seed, "example", "follow-up")),
        },
        index=names,
    )
    var = model.genes[["symbol"]].set_axis(model.genes["gene_id"].str.split(".").str[0].to_numpy(dtype=object))
    nuclear = (model.genes["role"] != "mitochondrial").to_numpy()
    return ad.AnnData(x[:, nuclear].astype(np.float32), obs=obs, var=var[nuclear])
