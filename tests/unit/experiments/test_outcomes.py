"""The four outcomes: how often each is given where the truth is known, and what would tell."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pseudocohort.experiments.shared.estimators import SMALLEST
from pseudocohort.experiments.shared.outcomes import FIRST, Outcome, decide

TABLES = 400


def _outcomes(effect: float, repeats: int, *, sd: float = 0.02, candidates: int = 1, seed: int = 0) -> dict[str, int]:
    """Outcomes over simulated tables whose candidates all have the gain `effect`."""
    rng = np.random.default_rng([seed, repeats, candidates])
    tables = rng.normal(effect, sd, (TABLES, candidates, repeats))
    found = [decide({str(i): gains for i, gains in enumerate(table)}).outcome for table in tables]
    return {outcome: found.count(outcome) for outcome in Outcome}


def _seldom(count: int, level: float = 0.025) -> bool:
    """No more often than in a share `level` of the tables, beside chance."""
    return stats.binomtest(count, TABLES, level, alternative="greater").pvalue > 1e-3


@pytest.mark.parametrize("candidates", [1, 6])
@pytest.mark.parametrize("repeats", [3, 5, 20])
def test_without_an_effect_yes_is_seldom(repeats: int, candidates: int) -> None:
    found = _outcomes(0.0, repeats, candidates=candidates)
    assert _seldom(found["yes"])
    assert found["nothing_to_gain"] == 0


@pytest.mark.parametrize("effect", [SMALLEST, 0.03, 0.1])
@pytest.mark.parametrize("repeats", [3, 5, 20])
def test_with_a_worthwhile_effect_no_is_seldom(repeats: int, effect: float) -> None:
    assert _seldom(_outcomes(effect, repeats)["no"])
    # One good candidate among five useless ones is enough.
    rng = np.random.default_rng(repeats)
    found = [
        decide({str(i): rng.normal(effect * (i == 2), 0.02, repeats) for i in range(6)}).outcome for _ in range(TABLES)
    ]
    assert _seldom(found.count("no"))


def test_twenty_repeats_find_a_large_effect_and_exclude_a_worthwhile_one() -> None:
    assert _outcomes(0.04, 20)["yes"] > 0.95 * TABLES
    assert _outcomes(0.04, 20, candidates=6)["yes"] > 0.95 * TABLES
    assert _outcomes(0.0, 20, sd=0.008)["no"] > 0.95 * TABLES
    assert _outcomes(0.0, 20, sd=0.008, candidates=6)["no"] > 0.6 * TABLES


def test_three_repeats_mostly_cannot_tell() -> None:
    for effect in (0.0, 0.01, 0.02):
        assert _outcomes(effect, 3)["cannot_tell"] > 0.7 * TABLES


def test_a_wide_interval_is_no_no() -> None:
    found = decide({"ddpm": [-0.5, 0.6, 1.1]})
    assert found.outcome == Outcome.CANNOT_TELL
    assert found.gain.low < 0 < found.gain.high


def test_a_gain_too_small_to_matter_is_no() -> None:
    found = decide({"mvn": [0.003, 0.004, 0.0035, 0.003, 0.004]})
    assert found.outcome == Outcome.NO and found.gain.low > 0


def test_the_ceiling_leaves_nothing_to_gain() -> None:
    gains, rng = {"mvn": [0.02, -0.03, 0.02]}, np.random.default_rng(0)
    assert decide(gains, headroom=[0.002, 0.001, 0.003]).outcome == Outcome.NOTHING_TO_GAIN
    assert decide(gains, headroom=[0.1, 0.12, 0.09]).outcome == Outcome.CANNOT_TELL
    found = [
        decide({"mvn": rng.normal(0, 0.01, 5)}, headroom=rng.normal(0.012, 0.01, 5)).outcome for _ in range(TABLES)
    ]
    assert _seldom(found.count(Outcome.NOTHING_TO_GAIN), 0.025)


def test_copies_that_change_nothing_are_no() -> None:
    assert decide({"copy": [0.0] * FIRST}).outcome == Outcome.NO


@pytest.mark.parametrize("gain", [0.0, 0.05, -0.05])
@pytest.mark.parametrize("repeats", [3, 5, FIRST - 1])
def test_few_equal_gains_do_not_decide(gain: float, repeats: int) -> None:
    found = decide({"ddpm": [gain] * repeats}, headroom=[0.1] * repeats)
    assert (found.outcome, found.repeats) == (Outcome.CANNOT_TELL, FIRST)
    assert decide({"ddpm": [gain] * repeats}, headroom=[0.0] * repeats).outcome == Outcome.NOTHING_TO_GAIN
    # Neither do they take a clear answer for another candidate away.
    assert decide({"ddpm": [gain] * repeats, "mvn": np.linspace(0.09, 0.11, repeats)}).outcome == Outcome.YES


def test_a_score_in_steps_does_not_say_no_after_three_repeats() -> None:
    """Four donors held out: a gain of 5 points on average shows as 0 in three repeats in about half of the tables."""
    rng = np.random.default_rng(1)
    found = [decide({"ddpm": rng.binomial(4, 0.05, 3) / 4}).outcome for _ in range(TABLES)]
    assert found.count(Outcome.NO) == 0


@pytest.mark.parametrize(("effect", "right"), [(0.012, "yes"), (0.0, "no")])
def test_the_repeats_asked_for_do_tell(effect: float, right: str) -> None:
    rng = np.random.default_rng(3)
    sd, asked = 0.02, []
    while len(asked) < 40:
        x = rng.normal(effect, sd, 5)
        x = (x - x.mean()) / x.std(ddof=1) * sd + effect  # a table whose estimates are the truth
        asked.append(decide({"ddpm": x}).repeats)
    assert len(set(asked)) == 1 and asked[0] > 5
    told = [decide({"ddpm": rng.normal(effect, sd, asked[0])}).outcome for _ in range(TABLES)]
    assert stats.binomtest(told.count(right), TABLES, 0.75, alternative="less").pvalue > 1e-3
    fewer = [decide({"ddpm": rng.normal(effect, sd, asked[0] // 2)}).outcome for _ in range(TABLES)]
    assert fewer.count(right) < told.count(right)


def test_one_or_two_repeats_ask_for_ten() -> None:
    for gains in ([0.05], [0.05, 0.06]):
        found = decide({"ddpm": gains})
        assert (found.outcome, found.repeats) == (Outcome.CANNOT_TELL, FIRST)


def test_where_the_patients_limit_more_of_them_are_asked_for() -> None:
    gains = {"ddpm": list(np.random.default_rng(0).normal(0.005, 0.004, 10))}
    assert decide(gains).repeats is not None or decide(gains).outcome != Outcome.CANNOT_TELL
    found = decide(gains, shared_se={"ddpm": 0.02})
    assert found.outcome == Outcome.CANNOT_TELL and found.repeats is None and found.donors > 10


def test_repeats_asked_for_allow_for_candidates_that_spread_more() -> None:
    """A candidate near 0 that spreads little does not make one that spreads much decide: both have to be excluded."""
    rng = np.random.default_rng(4)

    def scaled(mean: float, sd: float) -> np.ndarray:
        x = rng.normal(size=10)
        return (x - x.mean()) / x.std(ddof=1) * sd + mean

    asked = decide({"ddpm": scaled(0.002, 0.01), "gan": scaled(0.0, 0.05)}).repeats
    assert asked is not None
    told = [
        decide({"ddpm": rng.normal(0.002, 0.01, asked), "gan": rng.normal(0.0, 0.05, asked)}).outcome
        for _ in range(TABLES)
    ]
    decided = TABLES - told.count(Outcome.CANNOT_TELL)
    assert stats.binomtest(decided, TABLES, 0.75, alternative="less").pvalue > 1e-3


def test_a_candidate_without_values_is_left_out() -> None:
    nothing, good = [np.nan] * 5, [0.05, 0.06, 0.055, 0.05, 0.052]
    assert (decide({"gan": nothing, "ddpm": good}).outcome, decide({"gan": nothing, "ddpm": good}).best) == (
        Outcome.YES,
        "ddpm",
    )
    small = [0.001, 0.0, 0.0005, 0.0, 0.001]
    assert decide({"gan": nothing, "ddpm": small}).outcome == Outcome.NO
    assert decide({"gan": nothing}).outcome == Outcome.CANNOT_TELL


def test_a_gain_too_small_to_matter_is_no_yes_beside_one_that_is_open() -> None:
    small, wide = [0.004, 0.0041, 0.0039, 0.004, 0.0042], [0.0, 0.2, -0.2, 0.1, -0.1]
    assert decide({"mvn": small}).outcome == Outcome.NO
    assert decide({"mvn": small, "ddpm": wide}).outcome == Outcome.CANNOT_TELL


def test_a_clear_gain_above_the_ceiling_is_a_yes() -> None:
    gains, none_left = {"ddpm": [0.03, 0.031, 0.029, 0.03]}, [0.001, 0.0, 0.002, 0.001]
    assert decide(gains, headroom=none_left).outcome == Outcome.YES
    assert decide({"ddpm": [0.03, -0.02, 0.0, 0.01]}, headroom=none_left).outcome == Outcome.NOTHING_TO_GAIN


def test_what_repeats_share_may_be_unknown() -> None:
    gains = {"ddpm": [0.0, 0.03, -0.02, 0.01]}
    assert decide(gains, shared_se={"ddpm": np.nan}) == decide(gains)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="no candidates"):
        decide({})
    with pytest.raises(ValueError, match="not above 0"):
        decide({"mvn": [0.1]}, smallest=0)
