"""Training sets of the track: folds by donor."""

from __future__ import annotations

from functools import partial

from ..shared.folds import fold_members, fold_request, fold_sets

training_sets = partial(fold_sets, experiment="lacan")
members, request = fold_members, fold_request
