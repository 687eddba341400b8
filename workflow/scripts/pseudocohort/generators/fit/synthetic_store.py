"""Synthetic profiles of many training sets, read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import anndata as ad

from ...core.contracts import SYNTHETIC
from ...core.io import read_profiles


class SyntheticStore(Mapping[str, ad.AnnData]):
    """Synthetic profiles by training set, from the files of several batches.

    Parameters
    ----------
    paths : sequence of path
        Files that keep ``contracts.SYNTHETIC``; each training set is in one of them.
    """

    def __init__(self, paths) -> None:
        self.batches = [read_profiles(path, SYNTHETIC) for path in paths]
        self.where = {
            name: number for number, batch in enumerate(self.batches) for name in batch.obs["training_set"].unique()
        }

    def __getitem__(self, training_set: str) -> ad.AnnData:
        batch = self.batches[self.where[training_set]]
        return batch[(batch.obs["training_set"] == training_set).to_numpy()]

    def __iter__(self) -> Iterator[str]:
        return iter(self.where)

    def __len__(self) -> int:
        return len(self.where)
