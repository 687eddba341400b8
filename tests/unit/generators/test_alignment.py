"""Alignment of levels: closed forms, and what must not move."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy.linalg import fractional_matrix_power

from pseudocohort.core.errors import UserError
from pseudocohort.generators.fit.alignment import STANDARDISED, add_technology_offset, align


def _profiles(tissue: np.ndarray, cells: np.ndarray, conditions: int = 2, unlabelled: int = 0) -> ad.AnnData:
    names = [f"c{i}" for i in range(conditions)]
    condition = [*np.resize(names, len(tissue)), *np.resize(names, len(cells))]
    obs = pd.DataFrame(
        {
            "condition": condition,
            "level": ["tumour"] * len(tissue) + ["pseudobulk"] * len(cells),
            "donor": [f"d{i}" for i in range(len(condition))],
        },
        index=[f"s{i}" for i in range(len(condition))],
    )
    obs.iloc[:unlabelled, 0] = ""
    return ad.AnnData(np.concatenate([tissue, cells]).astype(np.float32), obs=obs)


@pytest.fixture
def levels() -> tuple[np.ndarray, np.ndarray]:
    """Tissue and lines of two conditions with other covariances and means."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(6, 6))
    contrast = np.array([2.0, -2.0])[:, None] * rng.normal(size=6)
    tissue = rng.normal(size=(3000, 6)) @ mix + np.resize(contrast, (3000, 6))
    cells = 0.5 * rng.normal(size=(2000, 6)) @ rng.normal(size=(6, 6)) + np.resize(contrast, (2000, 6))
    return tissue, cells


def _within(x: np.ndarray) -> np.ndarray:
    """Covariance within the two alternating conditions."""
    residuals = np.concatenate([x[i::2] - x[i::2].mean(0) for i in (0, 1)])
    return residuals.T @ residuals / (len(x) - 2)


def test_tissue_never_moves_and_condition_means_stay(levels) -> None:
    tissue, cells = levels
    data = _profiles(tissue, cells)
    for method in STANDARDISED:
        moved = align(data, method) if method != "mnn" else align(_profiles(tissue[:80], cells[:60]), method)
        n = len(tissue) if method != "mnn" else 80
        np.testing.assert_array_equal(moved[:n], tissue[:n].astype(np.float32))
        if method != "mnn":
            for i in (0, 1):
                np.testing.assert_allclose(moved[n:][i::2].mean(0), cells[i::2].mean(0), atol=1e-4)


def test_moments_give_the_spread_of_tissue_gene_by_gene(levels) -> None:
    tissue, cells = levels
    moved = align(_profiles(tissue, cells), "moments")[len(tissue) :]
    np.testing.assert_allclose(np.diag(_within(moved)), np.diag(_within(tissue)), rtol=0.03)  # moderated


def test_coral_is_the_closed_form(levels) -> None:
    tissue, cells = levels
    moved = align(_profiles(tissue, cells), "coral")[len(tissue) :]
    eye = np.eye(6)
    move = fractional_matrix_power(eye + _within(cells), -0.5) @ fractional_matrix_power(eye + _within(tissue), 0.5)
    np.testing.assert_allclose(_within(moved), move.T @ _within(cells) @ move, rtol=0.02, atol=0.02)


def test_mutual_neighbours_bring_lines_to_their_own_type_and_take_the_contrast_of_levels_out() -> None:
    """Lines lie off tissue along a direction in which only tissue varies; afterwards their type is the nearest one."""
    rng = np.random.default_rng(1)
    contrast = rng.normal(size=(4, 50)) * 1.5
    purity = rng.normal(size=50) * 2
    tissue = np.resize(contrast, (200, 50)) + rng.normal(size=(200, 1)) * purity + 0.5 * rng.normal(size=(200, 50))
    shift = rng.normal(size=50)
    cells = (
        np.resize(contrast, (40, 50)) + shift + 3 * purity / np.linalg.norm(purity) + 0.5 * rng.normal(size=(40, 50))
    )
    data = _profiles(tissue, cells, 4)
    centroids = np.stack([tissue[i::4].mean(0) for i in range(4)])

    def distance(x: np.ndarray) -> float:
        return float(np.mean([np.linalg.norm(x[i::4] - centroids[i], axis=1).mean() for i in range(4)]))

    moved = align(data, "mnn")[200:]
    assert distance(moved) < 0.8 * distance(cells)
    nearest = np.linalg.norm(moved[:, None] - centroids[None], axis=2).argmin(1)
    assert (nearest == np.resize(range(4), 40)).mean() > 0.9


def test_one_profile_per_condition_has_no_spread_to_match() -> None:
    rng = np.random.default_rng(2)
    data = _profiles(rng.normal(size=(2, 5)), rng.normal(size=(20, 5)))
    for method in ("coral", "moments"):
        np.testing.assert_array_equal(align(data, method), data.X)


def test_unlabelled_tissue_gives_the_spread_when_labels_are_few(levels) -> None:
    tissue, cells = levels
    data = _profiles(tissue, cells, unlabelled=len(tissue) - 2)
    moved = align(data, "moments")[len(tissue) :]
    ratio = np.diag(_within(moved)) / np.diag(_within(tissue))
    assert ((ratio > 0.6) & (ratio < 1.3)).all()


def test_technology_offset_is_the_mean_over_lines_measured_both_ways() -> None:
    rng = np.random.default_rng(3)
    base, offset = rng.normal(size=(5, 8)), rng.normal(size=8)
    x = np.concatenate([base, base[:3] + offset, rng.normal(size=(2, 8))])
    obs = pd.DataFrame(
        {
            "level": ["pseudobulk"] * 5 + ["line_bulk"] * 3 + ["tumour"] * 2,
            "donor": [*"abcde", *"abc", "p", "q"],
        },
        index=[str(i) for i in range(10)],
    )
    moved = add_technology_offset(ad.AnnData(x, obs=obs))
    np.testing.assert_allclose(moved[:5], base + offset, atol=1e-6)
    np.testing.assert_allclose(moved[5:], x[5:], atol=1e-6)
    obs["donor"] = [f"x{i}" for i in range(10)]
    with pytest.raises(UserError, match="both as pseudo-bulk and in bulk"):
        add_technology_offset(ad.AnnData(x, obs=obs))


def test_unknown_alignment_and_a_missing_level_are_refused(levels) -> None:
    tissue, cells = levels
    with pytest.raises(UserError, match="unknown alignment 'magic'"):
        align(_profiles(tissue, cells), "magic")
    with pytest.raises(UserError, match="both levels"):
        align(_profiles(tissue, cells[:0]), "coral")
