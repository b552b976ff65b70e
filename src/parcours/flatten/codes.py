"""Text columns of the contracts that came as numbers, days or truths: the codes that these stand for."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parcours.flatten.converted import Converted, some
from parcours.flatten.moments import is_moment
from parcours.flatten.numbers import is_number
from parcours.snds.codes import Code

# A code that went through a float on its way to a text.
WHOLE_FLOAT = r"^\d+\.0$"
ISO_DAY = r"^(\d{4})-(\d\d)-(\d\d)$"
PARTS = {"%Y": r"\1", "%m": r"\2", "%d": r"\3"}
# What the reader of CSV takes as it is, and a look at each text would not.
WRITTEN_AS_FLOAT = r"^(\d+\.0|[+-]?\d\.\d+[eE]-?\d{1,3})[ \t]*$"


def as_codes(read: Converted, kind: pa.DataType, code: Code | None, length: int | None) -> Converted:
    """What `convert` made of a column of `kind` in a column of codes of up to `length` letters.

    Numbers are counted, for zeros that stood before them cannot be told, and are brought back where the width of the
    code is known, as is the whole number of a text such as 8.0 that is longer than any of the column. A day is written
    as the code does. A truth may stand for any two codes: it is bad.
    """
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_boolean(kind):
        return replace(read, bad=some(_valid(read.values)))
    if is_number(kind) or pa.types.is_decimal(kind):
        return _counted(read, _filled(read.values, code), _valid(read.values))
    if is_moment(kind):
        return _days(read, code.day) if code and code.day else read
    return _without_points(read, code, length)


def written_as_float(texts: pa.ChunkedArray) -> bool:
    """Whether some texts (string) of a column of codes are 8.0 or 3.4E12."""
    return any(_has_point(some) and _has_float(some) for some in texts.chunks)


def _has_point(texts: pa.Array) -> bool:
    """Whether a point is among the letters of all texts: looked for at once, as most columns have none."""
    letters = texts.buffers()[2]
    return letters is not None and b"." in letters.to_pybytes()


def _has_float(texts: pa.Array) -> bool:
    dotted = texts.filter(pc.match_substring(texts, "."))
    return bool(pc.any(pc.match_substring_regex(dotted, WRITTEN_AS_FLOAT)).as_py())


def _valid(values: pa.Array) -> np.ndarray:
    found: np.ndarray = values.is_valid().to_numpy(zero_copy_only=False)
    return found


def _counted(read: Converted, values: pa.Array, flags: np.ndarray) -> Converted:
    return replace(read, values=values, canonical=some(flags if read.canonical is None else read.canonical | flags))


def _filled(values: pa.Array, code: Code | None) -> pa.Array:
    """Whole numbers with zeros before them, up to the width of their code."""
    if code is None:
        return values
    return pc.if_else(
        pc.match_substring_regex(values, r"^\d+$"), pc.utf8_lpad(values, width=code.width, padding="0"), values
    )


def _days(read: Converted, form: str) -> Converted:
    """Days as their code; an instant that is not midnight is none."""
    for directive, part in PARTS.items():
        form = form.replace(directive, part)
    days = pc.fill_null(pc.match_substring_regex(read.values, ISO_DAY), True)
    values = pc.replace_substring_regex(read.values, ISO_DAY, form)
    instants = ~days.to_numpy(zero_copy_only=False)
    return replace(_counted(read, values, _valid(values)), bad=some(instants))


def _without_points(read: Converted, code: Code | None, length: int | None) -> Converted:
    if code is None and length is None:
        return read
    if not pc.any(pc.match_substring(read.values, ".0")).as_py():
        return read
    floats = pc.fill_null(pc.match_substring_regex(read.values, WHOLE_FLOAT), False)
    if code is None:
        floats = pc.and_(floats, pc.fill_null(pc.greater(pc.utf8_length(read.values), length), False))
    digits = _filled(pc.replace_substring_regex(read.values, r"\.0$", ""), code)
    return _counted(read, pc.if_else(floats, digits, read.values), floats.to_numpy(zero_copy_only=False))
