"""The parameters a study may set: their table, and the check of one value against it."""

import datetime as dt
import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from parcours.cohort.definitions import definition_names, rule_names, site_names
from parcours.cohort.months import MONTH
from parcours.cohort.relative_dates import EXAMPLES, relative_date
from parcours.errors import InputError
from parcours.snds.declarations import read_facts

TABLE = Path(__file__).parent / "parameters.yaml"
MISSING = object()
# No study lies outside these; months are counted before and after its days.
FIRST_DAY, LAST_DAY = dt.date(1950, 1, 1), dt.date(2099, 12, 31)
TRUE_WORDS, FALSE_WORDS = ("true", "yes", "1", "on"), ("false", "no", "0", "off")


@dataclass(frozen=True)
class Parameter:
    """One row of `parameters.yaml`; `default` is MISSING when a study file must give the value.

    `help` names other parameters as a study file does, `form_help` by their titles. `enum` are the allowed words,
    `texts` what a person calls them, `empty` what a list without items, or no month, means.
    """

    name: str
    section: str
    type: str
    title: str
    help: str
    default: Any = MISSING
    minimum: float | None = None
    maximum: float | None = None
    enum: tuple[str, ...] | None = None
    enum_from: str | None = None
    pattern: str | None = None
    form_help: str = ""
    texts: Mapping[str, str] = field(default_factory=dict)
    empty: str = "none"
    # For a date: the bound of the study, start or end, whose words it takes as well.
    relative: str | None = None

    @property
    def noun(self) -> str:
        """The title without its unit: `Start gap` of `Start gap (months)`."""
        return self.title.partition(" (")[0]

    @property
    def unit(self) -> str:
        """The unit in the title: `months` of `Start gap (months)`; "" where it has none."""
        return self.title.partition(" (")[2].removesuffix(")")

    def text(self, word: str) -> str:
        """What a person calls an allowed word."""
        return self.texts.get(word, word.replace("_", " "))

    @property
    def examples(self) -> tuple[str, ...]:
        """Words that may stand in place of a date."""
        return EXAMPLES[self.relative] if self.relative else ()

    def choices(self, codelists: Path) -> tuple[str, ...] | None:
        """The allowed words of the parameter, or None when any value of its type will do."""
        if self.enum_from is None:
            return self.enum
        named = {"names": definition_names, "rules": rule_names, "sites": site_names}
        return tuple(sorted(named[self.enum_from](codelists)))


@cache
def parameter_table() -> dict[str, Parameter]:
    """Every parameter by name, in the order of the table."""
    declared = read_facts(TABLE)["parameters"]
    names = {row["name"]: row["name"] for row in declared}
    titles = {row["name"]: f"“{row['title'].partition(' (')[0]}”" for row in declared}
    return {row["name"]: _parameter(row, names, titles) for row in declared}


@cache
def section_titles() -> dict[str, str]:
    """Title of each section, in the order of the study file."""
    return dict(read_facts(TABLE)["sections"])


def _parameter(row: dict[str, Any], names: Mapping[str, str], titles: Mapping[str, str]) -> Parameter:
    texts = row.pop("enum", {})
    told = row.pop("help")
    return Parameter(
        **row,
        help=told.format(**{**names, **{word: word for word in texts}}),
        form_help=told.format(**{**titles, **texts}),
        enum=tuple(texts) or None,
        texts=texts,
    )


def near_miss(word: str, known: Sequence[str]) -> str:
    """` (did you mean "x"?)` when a known word is close, whatever its capitals, else nothing."""
    as_small = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), as_small, n=1)
    return f' (did you mean "{as_small[close[0]]}"?)' if close else ""


def limits(parameter: Parameter, choices: Sequence[str] | None) -> str:
    """What a value of the parameter may be, as a sentence; `choices` are its allowed words, None: any."""
    each = "Each " if parameter.type in ("strings", "numbers") else ""
    if choices:
        return _sentence(f"{each}one of: {', '.join(map(parameter.text, choices))}")
    if parameter.minimum is not None:
        whole = " (a whole number)" if parameter.type == "integer" else ""
        return _sentence(f"{each}from {parameter.minimum} to {parameter.maximum}{whole}")
    if parameter.pattern:
        return _sentence(f"{each}{_PATTERN_NAMES[parameter.pattern]}")
    if parameter.relative:
        return f"A date from {FIRST_DAY} to {LAST_DAY}, or words: {', '.join(parameter.examples)}."
    return {"boolean": "true or false.", "month": "A month such as 2017-06, or nothing."}.get(parameter.type, "")


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def refuse_unknown(given: Iterable[str], known: Sequence[str], where: str) -> None:
    """Let names through that are known.

    Raises InputError, which names the others, each with the nearest right one, or with all of them where none is near.
    """
    unknown = [str(name) for name in given if name not in known]
    if unknown:
        hints = [near_miss(name, known) for name in unknown]
        told = ", ".join(f'"{name}"{hint}' for name, hint in zip(unknown, hints, strict=True))
        others = "" if all(hints) else f"; known are {', '.join(known)}"
        raise InputError(f"{where} has no parameter {told}{others}.")


def checked(parameter: Parameter, value: Any, where: str, codelists: Path) -> Any:
    """The value in the parameter's Python type; text from a form or a command line is converted.

    Raises InputError: one sentence with the place, the name, the value and what is allowed.
    """
    place = f"{where}: {parameter.section}.{parameter.name}"
    if parameter.relative:
        return relative_date(value, parameter.relative) or _date(value, place, parameter.examples)
    converted = CONVERTERS[parameter.type](value, place)
    choices = parameter.choices(codelists)
    for item in converted if isinstance(converted, tuple) else (converted,):
        _check_range(parameter, item, place)
        _check_words(parameter, item, place, choices)
    return converted


def _check_range(parameter: Parameter, item: Any, place: str) -> None:
    low, high = parameter.minimum, parameter.maximum
    if (low is not None and item < low) or (high is not None and item > high):
        raise InputError(f"{place} is {item}, but must lie between {low} and {high}.")


def _check_words(parameter: Parameter, item: Any, place: str, choices: tuple[str, ...] | None) -> None:
    if choices and item not in choices:
        hint = near_miss(str(item), choices)
        raise InputError(f'{place} is "{item}", but must be one of {", ".join(choices)}{hint}.')
    if parameter.pattern and not re.fullmatch(parameter.pattern, item):
        raise InputError(f'{place} holds "{item}", which is not {_PATTERN_NAMES[parameter.pattern]}.')


_PATTERN_NAMES = {
    r"\d{13}": "a CIP13 code (13 digits)",
    r"[A-Z](\d\d([A-Z]([A-Z](\d\d)?)?)?)?": "an ATC code or prefix such as N05B or C07AB03",
}


def _date(value: Any, place: str, words: Sequence[str]) -> dt.date:
    try:  # YAML makes an instant of a day that has an hour
        day = value if type(value) is dt.date else dt.date.fromisoformat(str(value))
    except ValueError:
        known = ", ".join(f'"{each}"' for each in words)
        raise InputError(
            f'{place} is "{value}", but must be a date such as 2014-01-31, or words such as {known}.'
        ) from None
    if not FIRST_DAY <= day <= LAST_DAY:
        raise InputError(f"{place} is {day}, but must lie between {FIRST_DAY} and {LAST_DAY}.")
    return day


def _integer(value: Any, place: str) -> int:
    number = _number(value, place)
    if number != int(number):
        raise InputError(f'{place} is "{value}", but must be a whole number.')
    return int(number)


def _number(value: Any, place: str) -> float:
    try:
        number = float("nan") if isinstance(value, bool) or value is None else float(value)
    except (TypeError, ValueError, OverflowError):  # a whole number may have more digits than a float can hold
        number = float("nan")
    if number != number or number in (float("inf"), float("-inf")):
        raise InputError(f'{place} is "{value}", but must be a number.')
    return number


def _boolean(value: Any, place: str) -> bool:
    word = str(value).lower()
    if word not in TRUE_WORDS + FALSE_WORDS:
        raise InputError(f'{place} is "{value}", but must be true or false.')
    return word in TRUE_WORDS


def _string(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise InputError(f'{place} is "{value}", but must be text.')
    return value.strip()


def _month(value: Any, place: str) -> str:
    month = "" if value is None else str(value).strip()
    if month and not re.fullmatch(MONTH, month):
        raise InputError(f'{place} is "{value}", but must be a month such as 2017-06, or empty.')
    return month


def _items(value: Any, place: str) -> list[Any]:
    if isinstance(value, str):
        return [item.strip() for item in re.split(r"[,\s]+", value.strip("[] \n")) if item.strip()]
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, int | float) and not isinstance(value, bool):  # one item, as a text without commas is
        return [value]
    raise InputError(f'{place} is "{value}", but must be a list.')


def _strings(value: Any, place: str) -> tuple[str, ...]:
    # YAML reads a bare CIP13 as a number: it is a code all the same.
    items = [
        str(item) if isinstance(item, int) and not isinstance(item, bool) else item for item in _items(value, place)
    ]
    return tuple(sorted({_string(item, place) for item in items}))


def _numbers(value: Any, place: str) -> tuple[float, ...]:
    return tuple(sorted({_number(item, place) for item in _items(value, place)}))


CONVERTERS: dict[str, Callable[[Any, str], Any]] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "string": _string,
    "month": _month,
    "strings": _strings,
    "numbers": _numbers,
}
