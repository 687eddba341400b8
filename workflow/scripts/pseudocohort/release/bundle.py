"""The release bundle: one folder with the cohort, its card and checksums, written whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd

from ..core.contracts import SYNTHETIC
from ..core.errors import ContractError
from ..core.io import atomic
from ..core.survival import EVENT, TIME
from . import card as cards
from .gate import Decision

CHECKSUMS = "SHA256SUMS"


def without_follow_up(profiles: ad.AnnData, kinds: Mapping[str, str]) -> ad.AnnData:
    """Profiles without times and events: these are real patients', and an exact time of follow-up names a patient.

    Parameters
    ----------
    profiles : AnnData
        Synthetic profiles.
    kinds : mapping of str
        Covariates of the study and their kinds.
    """
    out = profiles.copy()
    out.obs = out.obs.drop(columns=[name for name, kind in kinds.items() if kind in (TIME, EVENT)], errors="ignore")
    return out


def released(profiles: ad.AnnData, training_set: str, generator: str) -> ad.AnnData:
    """The profiles of one training set, as they are in the file of their batch.

    Raises
    ------
    ContractError
        If there are none, or one is of another generator.
    """
    own = profiles[(profiles.obs["training_set"] == training_set).to_numpy()].copy()
    strange = set(own.obs["generator"].astype(str)) - {generator}
    if not own.n_obs or strange:
        raise ContractError(
            f"profiles of {', '.join(sorted(strange))} among those of {generator!r}"
            if strange
            else f"no synthetic profile of training set {training_set!r}",
            where="synthetic/full",
            remedy="delete the synthetic profiles and run the workflow again",
        )
    return own


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_matrix(profiles: ad.AnnData, path: Path, layer: str | None = None) -> None:
    """Write expression, or a layer, as gzipped TSV, genes × samples, first column ``gene``; same values, same bytes.

    Values are the shortest decimals that read back as the same 32-bit floats. The gzip header holds neither name nor
    time.
    """
    values = profiles.X if layer is None else profiles.layers[layer]
    table = pd.DataFrame(np.asarray(values).T, index=profiles.var_names, columns=profiles.obs_names)
    with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as file:
        table.to_csv(file, sep="\t", index_label="gene", lineterminator="\n")


def write(
    folder: str | Path,
    profiles: ad.AnnData,
    decision: Decision,
    *,
    training_set: str,
    members: pd.DataFrame,
    fidelity: pd.DataFrame,
    study: dict[str, Any],
    sources: list[dict[str, str]],
    model: dict[str, Any],
    software: dict[str, Any],
    ledger: dict[str, Any] | None = None,
) -> None:
    """Write the bundle: ``synthetic.h5ad``, ``synthetic.tsv.gz``, ``counts.tsv.gz`` where the sources were counts,
    ``samples.tsv``, the card, ``SHA256SUMS``.

    All is written to a temporary folder beside `folder` that is renamed at the end. A :class:`.gate.Decision` exists
    only where the gate let the release pass, so that nothing is written where it refuses.

    Parameters
    ----------
    profiles : AnnData
        Synthetic profiles of the batch that holds `training_set` (log2 units).

    Raises
    ------
    ContractError
        If the profiles of the training set are not there.
    UserError
        If the card breaks its schema.
    """
    cohort = released(profiles, training_set, model["generator"])
    SYNTHETIC.check(cohort, "synthetic/full")
    with atomic(folder) as temporary:
        temporary.mkdir()
        cohort.write_h5ad(temporary / "synthetic.h5ad", compression="gzip")
        write_matrix(cohort, temporary / "synthetic.tsv.gz")
        if "counts" in cohort.layers:
            write_matrix(cohort, temporary / "counts.tsv.gz", "counts")
        cohort.obs.to_csv(temporary / "samples.tsv", sep="\t", index_label="sample", lineterminator="\n")
        card = cards.build(
            cohort,
            decision,
            training_set=training_set,
            members=members,
            fidelity_summary=fidelity,
            study=study,
            sources=sources,
            model=model,
            software=software,
            ledger=ledger,
            files={p.name: sha256(p) for p in sorted(temporary.iterdir())},
        )
        text = json.dumps(card, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
        (temporary / "card.json").write_text(text + "\n", encoding="utf-8")
        (temporary / "card.html").write_text(cards.render(card), encoding="utf-8")
        sums = [f"{sha256(p)}  {p.name}\n" for p in sorted(temporary.iterdir())]
        (temporary / CHECKSUMS).write_text("".join(sums))
