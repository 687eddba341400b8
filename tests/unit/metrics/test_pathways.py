"""Recovery of pathways, beside scipy and truths by construction."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from pseudocohort.core.errors import UserError
from pseudocohort.metrics.pathways import pathway_recovery, read_gene_sets, set_matrix, set_scores


def test_gene_sets_are_read_and_thinned_to_the_gene_space(tmp_path) -> None:
    path = tmp_path / "a.gmt"
    path.write_text("ONE\tfirst\tA\tB\tC\tD\tE\tX\t\nTWO\thttp://b\tA\tB\nALL\t\t" + "\t".join("ABCDEF") + "\n")
    sets = read_gene_sets(path)
    assert sets["ONE"] == set("ABCDEX") and sets["TWO"] == {"A", "B"}
    matrix = set_matrix(sets, pd.Series(list("ABCDEF")))
    np.testing.assert_array_equal(matrix, [[True] * 5 + [False]])
    path.write_text("ONE\tfirst\tA\nTWO A B\n")
    with pytest.raises(UserError, match="where a name") as caught:
        read_gene_sets(path)
    assert "line 2" in caught.value.where
    with pytest.raises(UserError, match="not there"):
        read_gene_sets(tmp_path / "b.gmt")


def test_real_hallmarks_are_read(data_root) -> None:
    sets = read_gene_sets(data_root / "gene-sets/h.all.v6.1.symbols.gmt")
    assert len(sets) == 50 and all(len(genes) >= 30 for genes in sets.values())
    assert "TP53" in sets["HALLMARK_P53_PATHWAY"]


def test_score_is_that_of_a_draw_of_as_many_genes() -> None:
    rng = np.random.default_rng(0)
    change, sets = rng.normal(0.3, 2, 2000), rng.random((400, 2000)) < 0.03
    scores = set_scores(change, sets)
    assert stats.kstest(scores, "norm").pvalue > 0.01  # sets by chance: standard normal
    up = np.zeros((1, 2000), bool)
    up[0, np.argsort(change)[-50:]] = True
    expected = stats.zscore(change)[up[0]].sum() / np.sqrt(50)
    assert set_scores(change, up)[0] == pytest.approx(expected) and expected > 10


def _cohort(seed: int, effect: np.ndarray, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    label = np.array(["a", "b"])[np.arange(n) % 2]
    return rng.normal(size=(n, len(effect))) + (label == "b")[:, None] * effect, label


def test_changed_sets_are_recovered_and_unrelated_ones_are_not() -> None:
    rng = np.random.default_rng(1)
    sets = np.zeros((20, 400), bool)
    for i in range(20):
        sets[i, 20 * i : 20 * i + 20] = True
    effect, other = (np.repeat(rng.normal(size=20), 20) for _ in range(2))
    real, again, wrong = _cohort(1, effect), _cohort(2, effect), _cohort(3, other)
    good = pathway_recovery(real[0], again[0], real[1], again[1], sets)
    bad = pathway_recovery(real[0], wrong[0], real[1], wrong[1], sets)
    assert good["pathway_r"] > 0.95 and good["pathway_sign_agreement"] == 1
    assert abs(bad["pathway_r"]) < 0.5 and bad["pathway_sign_agreement"] < 0.9
    turned = pathway_recovery(real[0], again[0], real[1], np.where(again[1] == "a", "b", "a"), sets)
    assert turned["pathway_r"] == pytest.approx(-good["pathway_r"])
    assert pathway_recovery(real[0], again[0], real[1], again[1], sets[:2]) == {}
    assert pathway_recovery(real[0][:6], again[0], real[1][:6], again[1], sets) == {}
