"""Attribute inference against truths by construction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from support.privacy import table_of, toy_space

from pseudocohort.experiments.privacy.attacks import CannotRun
from pseudocohort.experiments.privacy.attacks._distances import nearest_row
from pseudocohort.experiments.privacy.attributes import ATTRIBUTES, condition_agreement, excess, hidden_agreement
from pseudocohort.experiments.privacy.genotype import genotype_agreement


def test_nearest_row_is_the_row_of_the_least_distance() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(30, 7)), rng.normal(size=(40, 7))
    expected = ((a[:, None] - b[None]) ** 2).sum(2).argmin(1)
    np.testing.assert_array_equal(nearest_row(a, b), expected)


def test_copies_tell_all_hidden_genes_of_members_and_an_independent_draw_no_more_than_of_others() -> None:
    space, member = toy_space(0, "copy")
    agreement = hidden_agreement(space, seed=1)
    np.testing.assert_allclose(agreement[member], 1.0)
    found = excess(agreement, member)
    assert found["members"] == pytest.approx(1) and found["excess_low"] > 0.3
    null = []
    for seed in range(5):
        space, member = toy_space(seed, "independent")
        null.append(excess(hidden_agreement(space, seed=1), member))
    # What the cohort says about everybody is not leakage: the agreement is well above 0 and the excess is not.
    assert np.mean([f["non_members"] for f in null]) > 0.15
    assert abs(np.mean([f["excess"] for f in null])) < 0.04


def test_agreement_uses_known_genes_only_to_find_the_row() -> None:
    space, _ = toy_space(2, "independent")
    genes = np.random.default_rng(1).permutation(space.candidates.shape[1])
    hidden = genes[len(genes) // 2 :]
    changed = space.candidates.copy()
    changed[:, hidden] *= -1
    np.testing.assert_allclose(
        hidden_agreement(replace(space, candidates=changed), seed=1), -hidden_agreement(space, seed=1), atol=1e-9
    )


def test_condition_agreement_is_that_of_one_nearest_neighbour() -> None:
    from sklearn.neighbors import KNeighborsClassifier

    space, _ = toy_space(3, "independent")
    model = KNeighborsClassifier(1).fit(space.synthetic, space.synthetic_condition)
    expected = model.predict(space.candidates) == space.candidate_condition
    np.testing.assert_array_equal(condition_agreement(space, seed=0), expected)


def test_interval_of_the_excess_is_welchs() -> None:
    rng = np.random.default_rng(0)
    x, member = rng.normal(size=50), np.arange(50) < 20
    found = excess(x, member)
    low, high = stats.ttest_ind(x[:20], x[20:], equal_var=False).confidence_interval(0.95)
    assert found["excess"] == pytest.approx(x[:20].mean() - x[20:].mean())
    assert (found["excess_low"], found["excess_high"]) == pytest.approx((low, high))
    assert "excess_low" not in excess(np.ones(50), member)


def _cohort(copied: bool) -> tuple[np.ndarray, ...]:
    """Donors whose first four genes are two-state and whose other twenty are not; 60 members, 60 others."""
    rng = np.random.default_rng(5)

    def draw(n: int) -> np.ndarray:
        return np.hstack([6 * (rng.random((n, 4)) < 0.4) + rng.normal(0, 0.2, (n, 4)) + 4, rng.normal(7, 1, (n, 20))])

    candidates, reference = draw(120), draw(200)
    synthetic = candidates[:60] + rng.normal(0, 0.2, (60, 24)) if copied else draw(60)
    labels = [np.array(["A", "B"])[np.arange(len(x)) % 2] for x in (candidates, reference, synthetic)]
    return (candidates, reference, synthetic, np.arange(24) < 4, *labels)


def test_genotype_survives_in_near_copies_of_members_only() -> None:
    member = np.arange(120) < 60
    found = excess(genotype_agreement(*_cohort(copied=True)), member)
    assert found["members"] > 0.8 and found["excess_low"] > 0.2
    null = excess(genotype_agreement(*_cohort(copied=False)), member)
    assert null["excess_low"] < 0 < null["excess_high"] and null["members"] < 0.6


def test_genes_are_in_the_same_state_within_half_a_deviation_of_the_condition() -> None:
    candidates, reference, synthetic, panel, a, b, c = _cohort(copied=False)
    synthetic[:, ~panel] = candidates[:60][:, ~panel]  # row i is nearest to candidate i
    agreement = genotype_agreement(candidates[:60], reference, synthetic, panel, a[:60], b, c)
    for i in range(60):
        sd = reference[b == a[i]][:, :4].std(0)
        assert agreement[i] == (abs(candidates[i, :4] - synthetic[i, :4]) < sd / 2).mean()
    with pytest.raises(CannotRun):
        genotype_agreement(candidates, reference, synthetic, panel & False, a, b, c)


def test_table_has_attributes_where_they_are_asked_for() -> None:
    plain, full = table_of(2).sort_index(), table_of(2, attributes=True).sort_index()
    assert "attribute_inference" not in plain.index.get_level_values("regime")
    rows = full.loc[0, "attribute_inference"]
    assert set(rows.index.get_level_values("estimator")) == {*ATTRIBUTES, "genotype"}
    assert rows["genotype", "not_run_no_gene_of_the_panel_in_the_gene_space"] == 1
    named = table_of(2, attributes=True, genotype_genes=["G3", "G7"]).sort_index().loc[0, "attribute_inference"]
    assert named["genotype", "excess"] == pytest.approx(named["genotype", "members"] - named["genotype", "non_members"])
    assert rows["hidden_genes", "excess"] == pytest.approx(
        rows["hidden_genes", "members"] - rows["hidden_genes", "non_members"]
    )
