"""Numbers of a text table, parsed from bytes: only the wanted columns, straight into the block that is kept.

A table of 60,000 × 19,000 has a thousand million fields; general CSV readers spend their time on columns as objects.
Decimal numbers of up to 19 digits are exact here as in David Gay's and Clinger's fast path (Clinger 1990, PLDI, "How
to read floating point numbers accurately"): a mantissa below 2^53 and a power of ten up to 22 are exact in float64, so
one multiplication or division rounds correctly. Whatever is beyond that, and would not round to the same float32
either way, is left to Python's ``float``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

#: Codes of what ended the parsing of a block.
DONE, FULL, FIELDS = 0, 1, 2
#: Where in a line a field goes: a column of the block, one of the two text columns, or nowhere.
SKIP, ID, NOTE = -1, -2, -3

_POWERS = np.array([float(f"1e{k}") for k in range(301)])
_EXACT_POWER, _LARGEST_POWER = 22, 300
_MANTISSA = 2**53
_DIGITS = 19
#: Fields of up to so many bytes cannot reach 2^53.
_SHORT = 15
#: Relative width within which a product of two rounded numbers is sure to lie.
_SLACK = 2.0**-50


@njit(cache=True, nogil=True)
def _number(buffer, start, end, single):
    """Value of a field, and whether it is certain; NaN for an empty one, NA, NaN and nan."""
    if end - start >= 2 and buffer[start] == 34 and buffer[end - 1] == 34:
        start, end = start + 1, end - 1
    length = end - start
    if length == 0:
        return np.nan, True
    if buffer[start] == 78 or buffer[start] == 110:  # NA, NaN, nan
        if length == 2 and buffer[start] == 78 and buffer[start + 1] == 65:
            return np.nan, True
        if length == 3 and buffer[start + 1] == 97 and buffer[start + 2] == buffer[start]:
            return np.nan, True
        return np.nan, False
    i, negative = start, False
    if buffer[i] == 45 or buffer[i] == 43:
        negative = buffer[i] == 45
        i += 1
    mantissa, digits, scale, point, seen = np.int64(0), 0, 0, False, False
    while i < end:
        c = buffer[i]
        if c >= 48 and c <= 57:
            seen = True
            if digits > 0 or c != 48:
                digits += 1
                if digits > _DIGITS - 1:
                    return np.nan, False
            mantissa = mantissa * 10 + (c - 48)
            if point:
                scale -= 1
        elif c == 46 and not point:
            point = True
        else:
            break
        i += 1
    if not seen:
        return np.nan, False
    if i < end:
        if buffer[i] != 101 and buffer[i] != 69:
            return np.nan, False
        i += 1
        minus = False
        if i < end and (buffer[i] == 45 or buffer[i] == 43):
            minus = buffer[i] == 45
            i += 1
        if i == end or end - i > 4:
            return np.nan, False
        exponent = 0
        while i < end:
            c = buffer[i]
            if c < 48 or c > 57:
                return np.nan, False
            exponent = exponent * 10 + (c - 48)
            i += 1
        scale += -exponent if minus else exponent
    value = np.float64(mantissa)
    certain = mantissa <= _MANTISSA
    if mantissa != 0 and scale != 0:
        size = -scale if scale < 0 else scale
        if size > _LARGEST_POWER:
            return np.nan, False
        value = value / _POWERS[size] if scale < 0 else value * _POWERS[size]
        certain = certain and size <= _EXACT_POWER
    elif scale == 0:
        certain = True
    if not certain:
        low, high = np.float32(value * (1 - _SLACK)), np.float32(value * (1 + _SLACK))
        certain = single and low == high and value > 1e-37 and value < 1e38
    return (-value if negative else value), certain


@njit(cache=True, nogil=True)
def parse_lines(buffer, start, end, separator, place, single, out, spans, notes, odd):
    """Parse whole lines of ``buffer[start:end]`` until the block or the list of odd fields is full.

    Empty fields beyond the last one are separators at the end of a line, and ignored.

    Parameters
    ----------
    buffer : ndarray of uint8
        Text; the last line ends with a line feed.
    start, end : int
        Where to begin and to stop.
    separator : int
        Byte between fields.
    place : ndarray of int64, one per field of a line
        Column of `out` that the field goes to; :data:`SKIP`, :data:`ID` or :data:`NOTE`.
    single : bool
        The values are to be float32: a float64 that is off in its last bits is good enough if it rounds the same.
    out : ndarray (lines × columns)
        Filled from its first row on.
    spans, notes : ndarray of int64 (lines × 2)
        Filled with begin and end of the fields :data:`ID` and :data:`NOTE` of each line.
    odd : ndarray of int64 (fields × 4)
        Filled with row, column, begin and end of fields that are no plain numbers.

    Returns
    -------
    tuple of int
        Code (:data:`DONE`, :data:`FULL` or :data:`FIELDS`), lines parsed, odd fields, next position, and for
        :data:`FIELDS` the number of fields of the offending line, which begins at that position.
    """
    row, strange, position = 0, 0, start
    fields = len(place)
    while position < end:
        if buffer[position] == 10:
            position += 1
            continue
        if buffer[position] == 13 and buffer[position + 1] == 10:
            position += 2
            continue
        if buffer[position] == separator or buffer[position] == 32:
            # A line of nothing but separators and blanks, as spreadsheets write empty rows.
            i = position
            while buffer[i] == separator or buffer[i] == 32 or buffer[i] == 9 or buffer[i] == 13:
                i += 1
            if buffer[i] == 10:
                position = i + 1
                continue
        if row == len(out) or strange + fields > len(odd):
            return FULL, row, strange, position, 0
        i, field, begin, extra = position, 0, position, False
        kept = strange
        while True:
            target = place[field] if field < fields else SKIP
            if target >= 0:
                # Most fields are a few digits and a point: value and end of the field in one go.
                mantissa, point, c = np.int64(0), np.int64(0), buffer[i]
                while True:
                    digit = np.int64(c) - 48
                    if digit >= 0 and digit <= 9:
                        mantissa = mantissa * 10 + digit
                    elif c == 46 and point == 0:
                        point = i + 1
                    else:
                        break
                    i += 1
                    c = buffer[i]
                if (c == separator or c == 10) and i > begin and i - begin <= _SHORT and (point == 0 or i - begin > 1):
                    if point == 0 or i == point:
                        out[row, target] = mantissa
                    else:
                        out[row, target] = np.float64(mantissa) / _POWERS[i - point]
                    field += 1
                    i += 1
                    if c == 10:
                        break
                    begin = i
                    continue
                i = begin
            if buffer[i] == 34:
                closed = i + 1
                while buffer[closed] != 10:
                    if buffer[closed] == 34:
                        if buffer[closed + 1] != 34:
                            break
                        closed += 1  # two within quotes are one
                    closed += 1
                # A lone one is text.
                i = closed if buffer[closed] == 34 else i + 1
            while buffer[i] != separator and buffer[i] != 10:
                i += 1
            last = buffer[i] == 10
            stop = i
            if last and stop > begin and buffer[stop - 1] == 13:
                stop -= 1
            if field >= fields and stop > begin:
                extra = True
            if target >= 0:
                value, certain = _number(buffer, begin, stop, single)
                if certain:
                    out[row, target] = value
                else:
                    odd[kept, 0], odd[kept, 1], odd[kept, 2], odd[kept, 3] = row, target, begin, stop
                    kept += 1
            elif target != SKIP:
                if stop - begin >= 2 and buffer[begin] == 34 and buffer[stop - 1] == 34:
                    begin, stop = begin + 1, stop - 1
                if target == ID:
                    spans[row, 0], spans[row, 1] = begin, stop
                else:
                    notes[row, 0], notes[row, 1] = begin, stop
            field += 1
            i += 1
            if last:
                break
            begin = i
        if field < fields or extra:
            return FIELDS, row, strange, position, field
        strange, row, position = kept, row + 1, i
    return DONE, row, strange, position, 0
