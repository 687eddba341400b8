"""Follow-up of patients in the sample tables: time and event, checked."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..core.errors import UserError

#: Words for an event and for none, in small letters; of cBioPortal's ``1:DECEASED`` the number counts.
WORDS = {
    1.0: ("1", "1.0", "true", "yes", "dead", "deceased", "event"),
    0.0: ("0", "0.0", "false", "no", "alive", "living", "censored"),
}


def _refuse(what: str, column: str, which: str, remedy: str) -> UserError:
    return UserError(f"{what} (column {column!r})", where=f"prepare.survival.{which}", remedy=remedy)


def _times(values: pd.Series) -> pd.Series:
    times = pd.to_numeric(values, errors="coerce")
    wrong = ((~np.isfinite(times) & (values != "")) | (times < 0)).to_numpy()
    if wrong.any():
        first = int(wrong.argmax())
        what = "is negative" if times.iloc[first] < 0 else "is not a number"
        raise _refuse(
            f"{values.iloc[first]!r} of sample {values.index[first]!r} {what}",
            str(values.name),
            "time",
            "give days, months or years since diagnosis, not below 0; leave time and event empty where not known",
        )
    return times


def _events(values: pd.Series) -> pd.Series:
    words = values.str.lower().str.replace(r"^([01]):.*", r"\1", regex=True)
    events = words.map({word: number for number, own in WORDS.items() for word in own})
    wrong = (events.isna() & (values != "")).to_numpy()
    if wrong.any():
        first = int(wrong.argmax())
        raise _refuse(
            f"{values.iloc[first]!r} of sample {values.index[first]!r} is neither an event nor none",
            str(values.name),
            "event",
            f"1 or one of {', '.join(WORDS[1.0][2:])}; 0 or one of {', '.join(WORDS[0.0][2:])}",
        )
    return events.astype(np.float64)


def follow_up_of(time: pd.Series, event: pd.Series, level: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Times and events (0 or 1) as numbers, NaN where not known.

    Where a study has tumours with a follow-up, other profiles (normals of the same patients) have none: what goes with
    survival is looked for in tumours.

    Parameters
    ----------
    time, event : Series of str (profiles,)
        As in the sample tables, empty where missing; named as their columns. The unit of time does not matter.
    level : Series of str (profiles,)

    Raises
    ------
    UserError
        If nobody has a follow-up, one of the two is missing, a time is negative or no number, an event is no word that
        is known, all times are equal, or nobody has an event.
    """
    times, events = _times(time), _events(event)
    half = (times.isna() != events.isna()).to_numpy()
    if half.any():
        first = int(half.argmax())
        which = ("time", time) if times.isna().iloc[first] else ("event", event)
        raise _refuse(
            f"sample {time.index[first]!r} has no {which[0]}",
            str(which[1].name),
            which[0],
            "leave both columns empty where the follow-up is not known",
        )
    if times.isna().all():
        raise _refuse("no sample has a follow-up", str(time.name), "time", "take survival out, or give the columns")
    other = (level != "tumour").to_numpy()
    if times[~other].notna().any():
        times, events = times.mask(other), events.mask(other)
    if times.min() == times.max():
        raise _refuse(f"all times are {times.min():g}", str(time.name), "time", "name the column of follow-up times")
    if not (events > 0).any():
        raise _refuse("no patient has an event", str(event.name), "event", "name the column that marks events with 1")
    return times, events
