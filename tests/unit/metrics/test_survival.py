"""Genes that go with survival: against statsmodels and the log-rank test, with known prognostic genes and without."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.duration.hazard_regression import PHReg
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

from pseudocohort.core.survival import FollowUpTimes, Hazard, follow_up
from pseudocohort.metrics.survival import Patients, cox, survival_recovery

PROGNOSTIC = 12


def cohort(n, seed, *, log_hr=0.7, genes=150, strata=2):
    """Patients of strata with different hazards; the first twelve genes go with survival, up and down by turns."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, genes))
    effect = np.where(np.arange(genes) < PROGNOSTIC, log_hr * (-1.0) ** np.arange(genes), 0)
    stratum = np.arange(n) % strata
    time = rng.exponential(size=n) * np.exp(-x @ effect) * np.exp(stratum)
    censored = rng.uniform(0, 6, n)
    return Patients(x, np.minimum(time, censored), (time <= censored) * 1.0, stratum.astype(str)), effect


@given(st.integers(0, 10**6), st.integers(1, 3), st.booleans())
@settings(max_examples=25, deadline=None)
def test_cox_is_that_of_statsmodels_with_ties_and_strata(seed, strata, tied):
    patients, _ = cohort(80, seed, genes=3, strata=strata)
    if tied:
        patients = patients._replace(time=np.ceil(patients.time * 4))
    ours = cox(patients)
    for gene in range(3):
        model = PHReg(
            patients.time, patients.x[:, [gene]], status=patients.event, strata=patients.stratum, ties="efron"
        )
        assert ours.log_hr[gene] == pytest.approx(model.fit().params[0], abs=1e-5)
        score, information = model.score(np.zeros(1))[0], -model.hessian(np.zeros(1))[0, 0]
        assert ours.z[gene] == pytest.approx(score / np.sqrt(information), abs=1e-6)
        assert ours.p[gene] == pytest.approx(2 * stats.norm.sf(abs(ours.z[gene])))


def test_score_test_of_two_groups_is_the_log_rank_test():
    patients, _ = cohort(90, 4, strata=1)
    group = (patients.x[:, 0] > 0) * 1.0
    statistic, p = survdiff(patients.time, patients.event, group)
    ours = cox(patients._replace(x=group[:, None]))
    assert ours.z[0] ** 2 == pytest.approx(statistic) and ours.p[0] == pytest.approx(p)


def test_a_gene_that_orders_the_events_or_does_not_vary_gives_finite_numbers():
    time = np.arange(1.0, 41)
    x = np.stack([-time, np.full(40, 3.0)], axis=1)
    found = cox(Patients(x, time, np.ones(40), np.full(40, "a")))
    assert np.isfinite(found.log_hr).all() and found.log_hr[0] > 0 and found.p[0] < 1e-6
    assert found.log_hr[1] == 0 and found.p[1] == 1


def test_known_genes_are_recovered_and_a_null_claims_none():
    (real, effect), (other, _) = cohort(500, 1), cohort(500, 2)
    adjusted = stats.false_discovery_control(cox(real).p)
    assert (adjusted[:PROGNOSTIC] < 0.05).all() and (adjusted[PROGNOSTIC:] < 0.05).sum() <= 3
    assert np.abs(cox(real).log_hr[PROGNOSTIC:]).max() < np.abs(cox(real).log_hr[:PROGNOSTIC]).min()
    assert (np.sign(cox(real).log_hr[:PROGNOSTIC]) == np.sign(effect[:PROGNOSTIC])).all()
    found = survival_recovery(real, other, np.random.default_rng(0))
    assert found["survival_log_hr_r"] > 0.6 and found["survival_recall"] > 0.8
    assert found["survival_false_share"] < 0.2 and found["survival_permuted_calls"] == 0
    assert abs(found["survival_permuted_log_hr_r"]) < 0.3
    null, again = cohort(500, 3, log_hr=0)[0], cohort(500, 4, log_hr=0)[0]
    found = survival_recovery(null, again, np.random.default_rng(0))
    assert found["survival_calls"] == found["survival_real_calls"] == 0 and abs(found["survival_log_hr_r"]) < 0.3
    # Where a stand-in's genes do not go with survival, none of the real ones is found.
    found = survival_recovery(real, null, np.random.default_rng(0))
    assert found["survival_recall"] == 0 and found["survival_real_calls"] > 8


def test_strata_with_different_survival_make_no_gene_prognostic():
    patients, _ = cohort(400, 5, log_hr=0)
    marker = patients._replace(x=patients.x + (patients.stratum == "1")[:, None] * 3)
    assert (stats.false_discovery_control(cox(marker).p) > 0.05).all()
    pooled = marker._replace(stratum=np.full(400, "all"))
    assert (stats.false_discovery_control(cox(pooled).p) < 0.05).mean() > 0.5


def test_patients_without_follow_up_are_left_out_and_few_events_give_nothing():
    patients, _ = cohort(200, 6)
    holes = patients._replace(time=np.where(np.arange(200) < 50, np.nan, patients.time))
    kept = Patients(*(part[50:] for part in patients))
    rng = np.random.default_rng
    assert survival_recovery(holes, patients, rng(0)) == survival_recovery(kept, patients, rng(0))
    few = patients._replace(event=np.where(np.cumsum(patients.event) <= 9, patients.event, 0))
    assert survival_recovery(patients, few, rng(0)) == survival_recovery(few, patients, rng(0)) == {}


def test_cumulative_hazard_and_residuals():
    hazard = Hazard.fit(np.array([1.0, 2, 3, 3]), np.array([1.0, 0, 1, 0]))
    np.testing.assert_allclose(hazard.cumulative, [1 / 4, 1 / 4 + 1 / 2])
    np.testing.assert_allclose(hazard.residual(np.array([0.5, 1, 9]), np.array([0.0, 1, 0])), [0, 0.75, -0.75])
    patients, _ = cohort(120, 7, strata=1)
    own = Hazard.fit(patients.time, patients.event)
    assert own.residual(patients.time, patients.event).sum() == pytest.approx(0, abs=1e-9)
    curve = SurvfuncRight(patients.time, patients.event)
    at = np.isin(curve.surv_times, own.times)
    np.testing.assert_allclose(own.cumulative, np.cumsum(curve.n_events / curve.n_risk)[at])
    assert follow_up({"sex": "categorical", "days": "time", "died": "event"}) == ("days", "died")
    assert follow_up({"age": "numeric"}) is None


def test_follow_up_is_drawn_as_patients_have_it():
    patients, _ = cohort(300, 8, strata=1, log_hr=0)
    given = FollowUpTimes.fit(patients.time, patients.event, np.ones(300))
    time, event = FollowUpTimes.restored(given.described()).draw(20_000, np.random.default_rng(0))
    for ends in (1, 0):  # of the event, and of the observation
        curve = SurvfuncRight(patients.time, patients.event == ends)
        drawn = SurvfuncRight(time, event == ends)
        for at in np.quantile(patients.time, [0.1, 0.3, 0.5, 0.7, 0.9]):
            one, other = (c.surv_prob[c.surv_times <= at].min(initial=1) for c in (curve, drawn))
            assert other == pytest.approx(one, abs=0.02)
    assert time.max() <= patients.time.max() and not set(time) & set(patients.time)
    days = np.ceil(patients.time * 100)
    time, _ = FollowUpTimes.fit(days, patients.event, np.ones(300)).draw(50, np.random.default_rng(0))
    assert (time == time.round()).all()
    # One patient, an event or none; two patients of one donor weigh as one.
    for event in (0.0, 1.0):
        time, ended = FollowUpTimes.fit(np.array([5.5]), np.array([event]), np.ones(1)).draw(
            99, np.random.default_rng(0)
        )
        assert (time < 5.5).all() and (ended == event).all()
    twice = [
        FollowUpTimes.fit(np.repeat(days, k), np.repeat(patients.event, k), np.full(300 * k, 1 / k)) for k in (1, 2)
    ]
    np.testing.assert_allclose(twice[0].share, twice[1].share)


@pytest.mark.parametrize("others", [False, True])
def test_end_of_a_study_is_the_end_of_observation_of_those_who_are_drawn(others):
    """Most patients are observed up to one day: those who are drawn die no earlier, and are not lost before."""
    rng = np.random.default_rng(0)
    death, end = rng.exponential(3000, 300), rng.uniform(200, 6000, 300) if others else np.inf
    end = np.minimum(end, 1825)
    time, event = np.minimum(death, end), (death <= end) * 1.0
    drawn, ended = FollowUpTimes.fit(time, event, np.ones(300)).draw(20_000, rng)
    assert ended.mean() == pytest.approx(event.mean(), abs=0.015)
    for quantile in (0.25, 0.5, 0.75):
        assert np.quantile(drawn, quantile) == pytest.approx(np.quantile(time, quantile), rel=0.05)
    assert np.median(drawn[ended == 0]) == pytest.approx(1825, rel=0.02) and drawn.max() <= 1825


def test_follow_up_of_one_event_and_of_none_at_all_is_drawn_around_it():
    """Of a single event, and of patients who all have time 0."""
    time, event = np.array([10.0, 20, 30, 40, 50]), np.array([0.0, 0, 1, 0, 0])
    drawn, ended = FollowUpTimes.fit(time, event, np.ones(5)).draw(4000, np.random.default_rng(0))
    assert ended.mean() == pytest.approx(0.2, abs=0.03)
    died = drawn[ended == 1]
    assert 25 <= died.min() < died.max() <= 35
    at_once = FollowUpTimes.fit(np.zeros(4), np.array([1.0, 0, 0, 0]), np.ones(4))
    assert (at_once.draw(9, np.random.default_rng(0))[0] == 0).all()


def test_follow_up_of_few_patients_is_not_drawn_earlier_than_theirs():
    ratios, shares = [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        death, end = rng.exponential(1000, 30), rng.uniform(200, 3000, 30)
        time, event = np.minimum(death, end), (death <= end).astype(float)
        drawn, ended = FollowUpTimes.fit(time, event, np.ones(30)).draw(5000, rng)
        ratios.append(drawn.mean() / time.mean())
        shares.append(ended.mean() - event.mean())
    assert np.mean(ratios) == pytest.approx(1, abs=0.02)
    assert np.mean(shares) == pytest.approx(0, abs=0.01)
