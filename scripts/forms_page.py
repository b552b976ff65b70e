"""Writes docs/reference/forms.md: what each form of a value becomes, from the table that tests deliver cell by cell.

.venv/bin/python scripts/forms_page.py
"""

from pathlib import Path
from typing import Any

import yaml

from parcours.flatten.converted import NOT_POSSIBLE, NOT_READABLE
from parcours.snds.contracts import plausible_years, sentinel_dates

HOME = Path(__file__).resolve().parents[1]
PAGE = HOME / "docs/reference/forms.md"
TABLE = HOME / "tests/spec/flatten/forms.yaml"
TITLES = {
    "string": "A text, such as a code",
    "integer": "An integer",
    "decimal": "A decimal number",
    "date": "A date",
    "period": "The date that is the period of a row (`FLX_DIS_DTD`)",
    "key": "A key column, of integers",
    "unknown": "A column that no contract knows",
}
KINDS = {"period": "date", "key": "integer", "unknown": "string"}
HEAD = """# Forms of values

What a value becomes, by the type that the contract of its column declares and the form that it arrives in. Each line
below is delivered by a test (`tests/spec/flatten/test_forms.py`); this page is generated from its table by `make docs`.

* **counted**: the value is stored as shown, and counted in the manifest of its period: under `canonical` what was
  written otherwise than it is stored, under `sentinels` the dates that mean "not known" ({sentinels}).
* **rejected**: the whole row is under `rejects/` with this reason, as it was delivered.
* **refused**: nothing is flattened; the command ends with exit code 2 and a sentence that says what to do.

␣ is a blank or a NUL. Dates are read in the default `date_formats` unless said. What holds for all:

* A directive of a date takes its whole width: `%m`, `%d`, `%H`, `%M` and `%S` two digits, `%Y` four, `%f` one to six;
  `%b` is an English month name of three letters in any case, `%z` is `Z` or an offset. A month alone is no day.
* A date is of a year that its column can hold ([years.yaml](../../src/parcours/snds/years.yaml)): flux months
  {flux[0]} to {flux[1]}, care {care[0]} to {care[1]}, ends of validity up to 9999, all others {other[0]} to {other[1]}.
* An instant that is not midnight has no day without a time zone. With `time_zone:` in delivery.yaml it is the day that
  it was there: an instant without a zone of its own is one in UTC, so where such times are local ones write
  `time_zone: UTC`. At midnight, a value without zone is its day; so is one at midnight of its own zone, without
  `time_zone`. INT96 has no zone.
* A float is the whole number that it holds, up to where it holds all of them: 2^53 (of single precision 2^24, of half
  2^11). NaN is how a missing value is written there: null, and counted.
* A number in a column of texts is its digits, never in scientific notation, and counted: zeros that stood before it may
  be gone. They are brought back where the code has one width ([codes.yaml](../../src/parcours/snds/codes.yaml)): FINESS
  numbers, months, days of the PMSI; a day is written there as the code does. A text that a spreadsheet wrote as 3.4E+12
  has lost its digits. true and false may stand for any two codes: rejected.
* Blanks of every kind are cut at the end of a text, and a byte order mark before it. A row of texts that is the header
  again is rejected.
* Columns of bytes are UTF-8 texts; times of day, durations, lists and structures are refused, as is a CSV header with
  two columns of one name in any case. A point is always the decimal point: 1.234 is no thousand.
* The delivery's `null_values` are null in every form: numbers and days too.
"""


def page() -> str:
    """The whole page."""
    table = yaml.load(TABLE.read_text("utf-8"), Loader=yaml.BaseLoader)
    years = {
        "flux": plausible_years("FLX_DIS_DTD"),
        "care": plausible_years("EXE_SOI_DTD"),
        "other": plausible_years(""),
    }
    head = HEAD.format(sentinels=", ".join(sentinel_dates()), **years)
    return head + "".join(_section(kind, title, table["cells"]) for kind, title in TITLES.items())


def _section(kind: str, title: str, groups: list[dict[str, Any]]) -> str:
    rows = "".join(_row(group, kind) for group in groups if group.get(kind))
    return f"\n## {title}\n\n| form | delivered: becomes |\n|---|---|\n{rows}"


def _row(group: dict[str, Any], kind: str) -> str:
    formats = group.get("settings", {}).get("date_formats")
    said = f" (`date_formats: [{', '.join(formats)}]`)" if formats else ""
    values = [_value(delivered, becomes, kind) for delivered, becomes in group[kind].items()]
    return f"| {'; '.join(group['forms'])}{said} | {'<br>'.join(values)} |\n"


def _value(delivered: str, becomes: str, kind: str) -> str:
    written = "nothing" if delivered in ("", "none") else _code(delivered.replace("~", "␣"))
    return f"{written}: {_becomes(becomes, KINDS.get(kind, kind))}"


def _becomes(becomes: str, kind: str) -> str:
    told = {
        "unreadable": f"rejected, {NOT_READABLE[kind]}",
        "impossible": f"rejected, {NOT_POSSIBLE[kind]}",
        "no key": "rejected, the key is empty",
        "refused": "**refused**, `time_zone` is needed",
        "a number without a format of dates": "**refused**, a number without a format of dates",
        "null": "null",
        "null, counted": "null, counted",
    }
    if becomes in told:
        return told[becomes]
    value, _, counted = becomes.partition(", counted")
    return _code(value) + (", counted" if becomes.endswith(", counted") else counted)


def _code(text: str) -> str:
    """A value; of a blank that cannot be told from another one, its number."""
    shown = "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)
    return f"`{shown}`"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
