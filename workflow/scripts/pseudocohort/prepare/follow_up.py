"""Follow-up of patients in the sample tables: time and event, checked."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..core.errors import UserError
from ..core.survival import EVENT, TIME

#: Words for an event and for none, in small letters; of cBioPortal's ``1:DECEASED`` the number counts.
WORDS = {
    1.0: ("1", "1.0", "true", "yes", "dead", "deceased", "event"),
    0.0: ("0", "0.0", "false", "no", "alive", "living", "censored"),
}


def survival_columns(survival: Mapping[str, str] | None, others: Mapping[str, str] | None = None) -> dict[str, str]:
    """Columns of time and event that are named for a follow-up: ``{"time": column, "event": column}``, or none.

    Parameters
    ----------
    survival : mapping of str, optional
    others : mapping of str, optional
        Columns that have another use, with it.

    Raises
    ------
    UserError
        If it is no such mapping, both are one column, or a column has another use.
    """
    if survival is None:
        return {}
    if not isinstance(survival, Mapping) or set(survival) != {TIME, EVENT}:
        raise UserError(
            f"{survival!r} does not name a column of times and one of events",
            where="survival",
            remedy='name both: survival={"time": "days", "event": "died"}',
        )
    for part, name in survival.items():
        if not isinstance(name, str):
            raise UserError(
                f"{part} is a {type(name).__name__}, not the name of a column",
                where=f"survival.{part}",
                remedy="put the values into a column of the profiles' annotation, and give its name",
            )
        if name in (others or {}):
            raise UserError(
                f"{name!r} is {others[name]}",
                where=f"survival.{part}",
                remedy="name a column that is the follow-up's alone",
            )
    if survival[TIME] == survival[EVENT]:
        raise UserError(
            f"time and event are one column, {survival[TIME]!r}", where="survival", remedy="name two columns"
        )
    return {part: survival[part] for part in (TIME, EVENT)}


def _refuse(what: str, column: str, where: str, remedy: str) -> UserError:
    return UserError(f"{what} (column {column!r})", where=where, remedy=remedy)


def _times(values: pd.Series, where: str) -> pd.Series:
    times = pd.to_numeric(values, errors="coerce")
    wrong = ((~np.isfinite(times) & (values != "")) | (times < 0)).to_numpy()
    if wrong.any():
        first = int(wrong.argmax())
        what = "is negative" if times.iloc[first] < 0 else "is not a number"
        raise _refuse(
            f"{values.iloc[first]!r} of sample {values.index[first]!r} {what}",
            str(values.name),
            f"{where}.time",
            "give numbers without a unit, days, months or years since diagnosis, not below 0; leave time and event "
            "empty where not known",
        )
    return times


def _events(values: pd.Series, where: str) -> pd.Series:
    words = values.str.lower().str.replace(r"^([01]):.*", r"\1", regex=True)
    events = words.map({word: number for number, own in WORDS.items() for word in own})
    wrong = (events.isna() & (values != "")).to_numpy()
    if wrong.any():
        first = int(wrong.argmax())
        raise _refuse(
            f"{values.iloc[first]!r} of sample {values.index[first]!r} is neither an event nor none",
            str(values.name),
            f"{where}.event",
            f"1 or one of {', '.join(WORDS[1.0][2:])}; 0 or one of {', '.join(WORDS[0.0][2:])}",
        )
    return events.astype(np.float64)


def as_numbers(time: pd.Series, event: pd.Series, where: str) -> tuple[pd.Series, pd.Series]:
    """Times and events (0 or 1) as numbers, NaN where not known, each profile by itself.

    Parameters
    ----------
    time, event : Series of str (profiles,)
        Empty where missing; named as their columns.
    where : str
        Place of the names of the columns, for errors.

    Raises
    ------
    UserError
        If one of the two is missing, a time is negative or no number, or an event is no word that is known.
    """
    times, events = _times(time, where), _events(event, where)
    half = (times.isna() != events.isna()).to_numpy()
    if half.any():
        first = int(half.argmax())
        which = ("time", time) if times.isna().iloc[first] else ("event", event)
        raise _refuse(
            f"sample {time.index[first]!r} has no {which[0]}",
            str(which[1].name),
            f"{where}.{which[0]}",
            "leave both columns empty where the follow-up is not known",
        )
    return times, events


def follow_up_of(
    time: pd.Series, event: pd.Series, level: pd.Series, where: str = "prepare.survival"
) -> tuple[pd.Series, pd.Series]:
    """Times and events (0 or 1) of a cohort as numbers, NaN where not known.

    Where a study has tumours with a follow-up, other profiles (normals of the same patients) have none: what goes with
    survival is looked for in tumours.

    Parameters
    ----------
    time, event : Series of str (profiles,)
        As in the sample tables, empty where missing; named as their columns. The unit of time does not matter.
    level : Series of str (profiles,)
    where : str
        Place of the names of the columns, for errors.

    Raises
    ------
    UserError
        If nobody has a follow-up, one of the two is missing, a time is negative or no number, an event is no word that
        is known, all times are equal, or nobody has an event.
    """
    times, events = as_numbers(time, event, where)
    if times.isna().all():
        raise _refuse(
            "no sample has a follow-up", str(time.name), f"{where}.time", "take survival out, or give the columns"
        )
    other = (level != "tumour").to_numpy()
    if times[~other].notna().any():
        times, events = times.mask(other), events.mask(other)
    if times.min() == times.max():
        remedy = "name the column of follow-up times"
        raise _refuse(f"all times are {times.min():g}", str(time.name), f"{where}.time", remedy)
    if not (events > 0).any():
        remedy = "name the column that marks events with 1"
        raise _refuse("no patient has an event", str(event.name), f"{where}.event", remedy)
    return times, events
