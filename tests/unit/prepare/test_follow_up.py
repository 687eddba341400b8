"""Follow-up in sample tables: what is read, and what is refused."""

from __future__ import annotations

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from pseudocohort.core.errors import UserError
from pseudocohort.prepare.follow_up import follow_up_of
from pseudocohort.prepare.gene_table import load_gene_table
from pseudocohort.prepare.harmonise import harmonise


def columns(time, event, level=None):
    ids = [f"s{i}" for i in range(len(time))]
    parts = [pd.Series(v, index=ids, name=n, dtype=str) for v, n in ((time, "days"), (event, "died"))]
    return *parts, pd.Series(level or ["tumour"] * len(ids), index=ids)


def test_times_and_events_are_read():
    times, events = follow_up_of(*columns(["10", "0", "", "3.5"], ["1:DECEASED", "Alive", "", "TRUE"]))
    np.testing.assert_array_equal(times, [10, 0, np.nan, 3.5])
    np.testing.assert_array_equal(events, [1, 0, np.nan, 1])


def test_follow_up_is_that_of_tumours_where_there_are_tumours():
    given = (["10", "20", "30"], ["1", "0", "1"])
    times, events = follow_up_of(*columns(*given, ["tumour", "normal", "tumour"]))
    np.testing.assert_array_equal(times, [10, np.nan, 30])
    np.testing.assert_array_equal(events, [1, np.nan, 1])
    assert follow_up_of(*columns(*given, ["normal"] * 3))[0].notna().all()


@pytest.mark.parametrize(
    ("time", "event", "message", "where"),
    [
        (["1", "-2"], ["1", "0"], "'-2' of sample 's1' is negative", "time"),
        (["1", "two"], ["1", "0"], "'two' of sample 's1' is not a number", "time"),
        (["1", "inf"], ["1", "0"], "'inf' of sample 's1' is not a number", "time"),
        (["1", "2"], ["1", "2"], "'2' of sample 's1' is neither an event nor none", "event"),
        (["1", "2"], ["1", ""], "sample 's1' has no event", "event"),
        (["1", ""], ["1", "0"], "sample 's1' has no time", "time"),
        (["", ""], ["", ""], "no sample has a follow-up", "time"),
        (["5", "5"], ["1", "0"], "all times are 5", "time"),
        (["1", "2"], ["0", "0"], "no patient has an event", "event"),
    ],
)
def test_what_cannot_be_a_follow_up_is_refused(time, event, message, where):
    with pytest.raises(UserError, match=message) as caught:
        follow_up_of(*columns(time, event))
    assert caught.value.where == f"prepare.survival.{where}" and caught.value.remedy


def test_harmonised_profiles_have_it_as_covariates():
    genes = load_gene_table("resources/genes.tsv.gz")
    rng, n = np.random.default_rng(0), 20
    obs = pd.DataFrame(
        {"donor": [f"d{i}" for i in range(n)], "dataset": "toy", "condition": "A", "technology": "bulk",
         "aggregation": "bulk", "context": "tumour", "level": "tumour", "days": rng.integers(1, 99, n).astype(str),
         "died": np.resize(["yes", "no"], n)},
        index=[f"s{i}" for i in range(n)],
    )  # fmt: skip
    uns = {"pseudocohort": {"unit": "tpm", "dataset": "toy", "log_offset": 1.0}}
    var = pd.DataFrame(index=genes.genes.index[:30])
    data = ad.AnnData(rng.gamma(3, 50, (n, 30)).astype(np.float32), obs=obs, var=var, uns=uns)
    donors = pd.DataFrame({"donor": obs["donor"], "dataset": "toy", "split": "train", "genes": "yes"})
    space = {"kind": "all", "n": 9, "min_median": 0, "min_sd": 0, "min_cell_level_mean": 0}
    made, _ = harmonise([data], donors, space, genes, survival={"time": "days", "event": "died"})
    assert made.uns["pseudocohort"]["covariates"] == {"days": "time", "died": "event"}
    np.testing.assert_array_equal(made.obs["days"], obs["days"].astype(float))
    np.testing.assert_array_equal(made.obs["died"], np.resize([1.0, 0.0], n))
    with pytest.raises(UserError, match="has a covariate 'months'") as caught:
        harmonise([data], donors, space, genes, survival={"time": "months", "event": "died"})
    assert caught.value.where == "prepare.survival.time"
