"""Joint embedding of the levels: one encoder for cell-level and tissue-level profiles of a condition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from torch import nn
from torch.nn.functional import normalize

from ...engine.networks import mlp


class Encoder(nn.Module):
    """Profile components to a point on the sphere of radius sqrt(width), the same network for every level."""

    def __init__(self, dim: int, width: int, hidden: int) -> None:
        super().__init__()
        self.width = width
        self.body = mlp([dim, hidden, hidden, width], norm=True)

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        return normalize(self.body(y), dim=-1) * self.width**0.5


def supervised_contrastive(
    z: torch.Tensor, other: torch.Tensor, label: torch.Tensor, level: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Supervised contrastive loss (Khosla et al. 2020, eq. 2) of rows (... × n), between two views of them.

    Positives of a row are the other view of itself, rows of its condition, and, twice as much, rows of its condition at
    another level: what two levels of a condition share is what the embedding is for. Views `z` and `other` are
    (... × n × width), numbers of condition and level (... × n); `temperature` is that of the softmax over cosine
    similarities.
    """
    similarity = normalize(z, dim=-1) @ normalize(other, dim=-1).mT / temperature
    same = label[..., :, None] == label[..., None, :]
    weight = same.float() * (1 + (level[..., :, None] != level[..., None, :]).float())
    log_share = similarity - similarity.logsumexp(-1, keepdim=True)
    return -(weight * log_share).sum(-1).div(weight.sum(-1))


@dataclass(frozen=True)
class Degeneracy:
    """Checks of an embedding (n × width).

    * effective_rank: exp of the entropy of the singular values' shares (Roy & Vetterli 2007); 1 means collapse to a
      line
    * within_condition_share: share of the variance within conditions; 0: the embedding knows the condition only
    * level_auroc: cross-validated AUROC with which a linear classifier tells the levels of a condition apart; .5 means
      aligned, NaN that no condition has two levels
    """

    effective_rank: float
    within_condition_share: float
    level_auroc: float


def degeneracy(z: np.ndarray, condition: np.ndarray, level: np.ndarray) -> Degeneracy:
    """Compute :class:`Degeneracy`."""
    centred = z - z.mean(0)
    share = np.linalg.svd(centred, compute_uv=False)
    share = share[share > 1e-12] / share.sum()
    within = sum(((z[condition == c] - z[condition == c].mean(0)) ** 2).sum() for c in np.unique(condition))
    scores = []
    for c in np.unique(condition):
        rows = condition == c
        names, counts = np.unique(level[rows], return_counts=True)
        if len(names) > 1 and np.sort(counts)[-2] >= 5:
            two = np.isin(level, names[np.argsort(counts)[-2:]]) & rows
            y = level[two] == names[np.argmax(counts)]
            model = LogisticRegression(class_weight="balanced", max_iter=500)
            made = cross_val_predict(
                model, z[two], y, cv=min(5, int(min(y.sum(), (~y).sum()))), method="decision_function"
            )
            scores.append(roc_auc_score(y, made))
    return Degeneracy(
        float(np.exp(-(share * np.log(share)).sum())),
        float(within / max((centred**2).sum(), 1e-12)),
        float(np.mean(scores)) if scores else float("nan"),
    )
