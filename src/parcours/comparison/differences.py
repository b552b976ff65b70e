"""What was changed between two runs, in words made of their parameters, data, code lists and code."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from parcours.cohort.parameters import MISSING, parameter_table
from parcours.cohort.titles import NO_HIGHEST_AGE
from parcours.storage.fingerprint import fingerprint

NAMED = 4
UNKNOWN = "not known"
Study = Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """A parameter whose value differs: its title, both values in words, and all of it as part of a sentence."""

    name: str
    title: str
    earlier: str
    later: str
    words: str


@dataclass(frozen=True)
class DataChange:
    """Periods of a product that only the later run read, only the earlier one, or both in another state."""

    product: str
    new: list[str]
    gone: list[str]
    changed: list[str]


@dataclass(frozen=True)
class Versions:
    """Digests of everything that two runs read, and what they were computed by."""

    data: tuple[str, str]
    code: tuple[str, str]
    code_lists: list[str]  # those that differ
    persons: bool  # whether identifiers were given to persons anew
    code_changed: bool


def changed_parameters(earlier: Study, later: Study) -> list[Change]:
    """Parameters of two studies (as in run.json) that differ, in the order of the table of parameters."""
    return [_change(name, *values) for name, values in _values(earlier, later) if values[0] != values[1]]


def _values(earlier: Study, later: Study) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Every parameter with its two values; one that a study of another version lacks has its default."""
    for name, parameter in parameter_table().items():
        pair = [study.get(parameter.section, {}).get(name, parameter.default) for study in (earlier, later)]
        yield name, (pair[0], pair[1])


def _change(name: str, earlier: Any, later: Any) -> Change:
    title = parameter_table()[name].title
    before, after = _words(earlier), _words(later)
    if name == "age_minimum":
        return Change(name, title, before, after, f"{after} and over instead of {before} and over")
    if name == "age_maximum" and MISSING not in (earlier, later):
        ages = ["no highest age" if age >= NO_HIGHEST_AGE else f"up to {age}" for age in (later, earlier)]
        return Change(name, title, before, after, " instead of ".join(ages))
    noun = title if title[1:2].isupper() else f"{title[:1].lower()}{title[1:]}"
    return Change(name, title, before, after, f"{noun} {after} instead of {before}")


def _words(value: Any) -> str:
    """A value as people read it."""
    if value is MISSING:
        return UNKNOWN
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        more = len(value) - NAMED
        return (", ".join(map(_words, value[:NAMED])) or "none") + (f" and {more} more" if more > 0 else "")
    return f"{value:g}" if isinstance(value, float) else str(value).replace("_", " ")


def changed_data(earlier: Mapping[str, Mapping[str, str]], later: Mapping[str, Mapping[str, str]]) -> list[DataChange]:
    """What differs in {product: {period: fingerprint}}, by product; products that are the same are left out."""
    found = []
    for product in sorted({*earlier, *later}):
        before, after = earlier.get(product, {}), later.get(product, {})
        new, gone = sorted(after.keys() - before.keys()), sorted(before.keys() - after.keys())
        changed = sorted(period for period in after.keys() & before.keys() if after[period] != before[period])
        if new or gone or changed:
            found.append(DataChange(product, new, gone, changed))
    return found


def data_words(change: DataChange) -> str:
    """`DCIR with 2018-07 to 2018-09 and without 2014-01; 2016-02 changed`."""
    more, less, other = (_periods(each) for each in (change.new, change.gone, change.changed))
    parts = [f"{word} {periods}" for word, periods in (("with", more), ("without", less)) if periods]
    told = " and ".join(parts)
    return f"{change.product} " + "; ".join(filter(None, (told, f"{other} changed" if other else "")))


def _periods(periods: list[str]) -> str:
    return ", ".join(periods) if len(periods) <= 2 else f"{len(periods)} periods from {periods[0]} to {periods[-1]}"


def versions(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> Versions:
    """What the two runs (as in run.json) read and were computed by."""
    lists = [run.get("codelists") or {} for run in (earlier, later)]
    codes = [str(run.get("code_version") or UNKNOWN) for run in (earlier, later)]
    data = [fingerprint(run["data"]) for run in (earlier, later)]
    return Versions(
        data=(data[0], data[1]),
        code=(codes[0], codes[1]),
        code_lists=sorted(name for name in {*lists[0], *lists[1]} if lists[0].get(name) != lists[1].get(name)),
        persons=earlier.get("identity") != later.get("identity"),
        code_changed=(earlier.get("code"), codes[0]) != (later.get("code"), codes[1]),
    )


def version_words(found: Versions) -> Iterator[str]:
    """What of the versions differs, as parts of a sentence."""
    if found.persons:
        yield "persons identified anew"
    if found.code_lists:
        more = len(found.code_lists) - NAMED
        named = ", ".join(found.code_lists[:NAMED]) + (f" and {more} more" if more > 0 else "")
        yield f"other code lists ({named})"
    if found.code_changed:
        yield f"code {found.code[1]} instead of {found.code[0]}"
