"""What may leave the root: the one place that decides how a count is told outside of it.

A count of 1 to 10 persons, or of rows and events that stand for them, leaves as `<11`; a larger one that would give it
back leaves as `hidden`; zero is told, nobody is in it. What an earlier report of the same persons would undo leaves as
`withheld`, which says nothing of its size (see `parcours.release`). The threshold is that of ATIH and CASD for PMSI
data. Manifests, verdicts and tables inside the root stay exact.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from numbers import Real
from typing import Any

THRESHOLD = 11
# Whoever reads everything that left must be left with as many values for a count of 1 to 10 as `<11` leaves: ten.
SAFETY_RANGE = THRESHOLD - 1
SMALL = "<11"
HIDDEN = "hidden"
WITHHELD = "withheld"

Published = int | str

# What may identify a person in a text: a word with a digit, as long as a pseudonym or a person_id; a day.
VALUE = re.compile(r"\b(?:\d{4}-\d\d-\d\d|(?=[A-Za-z]*\d)[0-9A-Za-z]{8,})\b")

# Numbers of a summary that count no person, row or event. Every other whole number from 1 to 10 is taken for one that
# does: a name that is missing here costs a number on a page, a name too many would cost a secret.
NOT_OF_PERSONS = frozenset({
    "bytes", "done", "drugs", "eta_seconds", "files", "first_day", "group", "held_out_likelihood", "iterations",
    "last_day", "lower", "medicines_lowering", "medicines_raising", "medicines_rising_before", "medicines_screened",
    "medicines_selected", "p_value", "periods", "planted_ri", "ri", "rules", "seconds", "share", "steps", "total",
    "truth", "tv", "upper",
})  # fmt: skip
# Each is a part of the next: the difference of two of them counts persons or events too.
BECAME = "became_events"
NESTED = ("cases", "events", "persons_followed")
IN_ATTRITION = ("cases", "persons_followed")
ROWS = "row(s)"
_MARKS_IN_WORDS = {HIDDEN: "11 or more", WITHHELD: "a withheld number of"}
UNITS_NOT_OF_PERSONS = frozenset({"amount(s)", "month(s)", "table(s)", "year(s)"})


def is_small(count: float) -> bool:
    """Whether a count of persons is one that must not leave: 1 to 10."""
    return 1 <= count < THRESHOLD


def shown_count(count: int) -> Published:
    """A count of persons that stands alone, as it may leave: the number, or `<11`."""
    return SMALL if is_small(count) else count


def shown_part(count: int, whole: int) -> Published:
    """A count out of a whole that is shown: withheld as well when the rest of the whole is small."""
    if is_small(count):
        return SMALL
    return HIDDEN if is_small(whole - count) else count


def shown_sum(parts: Iterable[int]) -> Published:
    """The sum of counts that are shown part by part: withheld where one of them is, which it would give back."""
    counts = list(parts)
    return shown_mark(sum(counts)) if any(is_small(count) for count in counts) else sum(counts)


def shown_beside(count: int, shown: Iterable[Published]) -> Published:
    """A count shown beside others: withheld as well when its difference to one of them is small."""
    if is_small(count):
        return SMALL
    differences = [abs(count - other) for other in shown if isinstance(other, int)]
    return HIDDEN if any(is_small(difference) for difference in differences) else count


def shown_chain(persons: Sequence[int]) -> tuple[list[Published], list[Published]]:
    """Suppress an attrition chain: the persons left after each step and those lost in it.

    The difference of two published counts is a count of persons too, so a step is published only when it lies 0 or
    at least 11 persons from the published steps around it. The last step, the study's size, is kept first.
    Returns the persons and the lost (0 for the first step), step by step.
    """
    kept = _kept_steps(persons)
    left: list[Published] = [count if step in kept else shown_mark(count) for step, count in enumerate(persons)]
    lost: list[Published] = [0]
    for step in range(1, len(persons)):
        loss = persons[step - 1] - persons[step]
        both_known = step in kept and step - 1 in kept
        lost.append(loss if both_known or loss == 0 else shown_mark(loss))
    return left, lost


def shown_mark(count: int) -> str:
    """What stands for a count that is withheld."""
    return SMALL if is_small(count) else HIDDEN


def in_words(count: Published, unit: str) -> str:
    """A count and its unit in a sentence: `40 rows`, `fewer than 11 rows`; units are such as `row(s)`.

    A number of months, tables or other things that are no persons is told as it is.
    """
    plural = unit.replace("(s)", "s")
    if isinstance(count, str) or (is_small(count) and unit not in UNITS_NOT_OF_PERSONS):
        return f"{_MARKS_IN_WORDS.get(str(count), 'fewer than 11')} {plural}"
    return f"{count} {unit.replace('(s)', '') if count == 1 else plural}"


def without_identifiers(text: str) -> str:
    """A text that nobody foresaw, such as a library's error, without what may be an identifier or a date of a person.

    Words of eight characters or more that hold a digit go, and dates; names of columns, files and types stay.
    """
    return VALUE.sub("...", text)


def fit_to_leave(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The summary of a stage as it may leave: in an XCom, a log, a status file, on a terminal.

    Whole numbers from 1 to 10 become `<11`, unless their name says that they count no persons. Of `cases`, `events` and
    `persons_followed` a later one is withheld when it lies within 10 of an earlier one. An `attrition` (its steps with
    `persons` and `lost`) is withheld as one chain, and `cases` and `persons_followed` are told as in it. Of the counts
    under `deaths` no two lie within 10 of each other, and no other count within 10 of the persons that are told: of a
    chain, one stage tells the rows of persons, another the cases among them. What is fit already stays as it is.
    """
    fit = _fit_mapping(summary)
    persons = frozenset(_persons_told(fit, ""))
    return {name: _apart(value, name, persons) for name, value in fit.items()}


def _persons_told(value: Any, name: str) -> Iterator[int]:
    """The counts of persons in a summary, and of their events, that are told."""
    if isinstance(value, Mapping):
        for inner, item in value.items():
            yield from _persons_told(item, inner)
    elif name == "attrition" and isinstance(value, list):
        yield from (step["persons"] for step in value if isinstance(step, Mapping) and _is_whole(step.get("persons")))
    elif name in NESTED and _is_whole(value):
        yield value


def _apart(value: Any, name: str, persons: frozenset[int]) -> Any:
    if isinstance(value, Mapping):
        return {inner: _apart(item, inner, persons) for inner, item in value.items()}
    if isinstance(value, list):
        return [_apart(item, name, persons) for item in value]
    if not _is_whole(value) or name in NOT_OF_PERSONS or value in persons:
        return value
    return HIDDEN if any(is_small(abs(value - count)) for count in persons) and value else value


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _as_in_attrition(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The summary with its attrition withheld as one chain, and the counts that stand in the chain told as there."""
    steps: Any = summary.get("attrition")
    if not _is_exact_chain(steps):
        return dict(summary)  # none there, or fit already
    exact = [step["persons"] for step in steps]
    persons, lost = shown_chain(exact)
    told = dict(zip(exact, persons, strict=True))  # of equal steps all are told, or none
    fit = [{**step, "persons": left, "lost": gone} for step, left, gone in zip(steps, persons, lost, strict=True)]
    counts = {name: told.get(summary[name], summary[name]) for name in IN_ATTRITION if name in summary}
    return {**summary, "attrition": fit, **counts}


def _is_exact_chain(steps: Any) -> bool:
    return (
        isinstance(steps, list)
        and bool(steps)
        and all(isinstance(step, Mapping) and isinstance(step.get("persons"), int) for step in steps)
    )


def _fit_mapping(summary: Mapping[str, Any]) -> dict[str, Any]:
    fit = {str(name): _fit(value, str(name)) for name, value in _as_in_attrition(summary).items()}
    for place, name in enumerate(NESTED):
        if isinstance(fit.get(name), int):
            fit[name] = shown_beside(fit[name], [fit.get(before, HIDDEN) for before in NESTED[:place]])
    if isinstance(fit.get("outcomes"), dict):  # of a person who has several, the difference to the cases
        fit["outcomes"] = {
            when: shown_beside(count, [fit.get("cases", HIDDEN)]) if isinstance(count, int) else count
            for when, count in fit["outcomes"].items()
        }
    if isinstance(fit.get("deaths"), dict):  # sources tell of the same persons: a difference is the few it tells alone
        fit["deaths"] = _fit_apart(fit["deaths"], [])
    if isinstance(fit.get("read"), int) and SMALL in fit.values():
        fit |= {"read": HIDDEN} | _beside_a_small_part(fit)  # what is left of the rows read is told elsewhere
    if isinstance(fit.get("rows"), dict) and isinstance(fit.get("events"), dict):
        fit["events"] = {
            name: HIDDEN if _became(fit["rows"], name) == HIDDEN else count for name, count in fit["events"].items()
        }
    return fit


def _beside_a_small_part(fit: Mapping[str, Any]) -> dict[str, str]:
    """One more part of the rows read that is withheld: another category of the same product tells how many these were.

    The smallest of the rules that left rows out, or the rows that became events, which their events would give back.
    """
    parts = {name: count for name, count in fit.items() if name not in ("read", BECAME)}
    if BECAME not in fit or list(parts.values()).count(SMALL) > 1:
        return {}
    shown = sorted((count, name) for name, count in parts.items() if isinstance(count, int) and count)
    return {shown[0][1] if shown else BECAME: HIDDEN}


def _became(rows: Mapping[str, Any], name: str) -> Any:
    counts = rows.get(name)
    return counts.get(BECAME) if isinstance(counts, Mapping) else None


def _fit_apart(counts: Mapping[str, Any], shown: list[Published]) -> dict[str, Any]:
    """Counts of overlapping groups, however deep: one is withheld when it lies within 10 of one `shown` before it."""
    fit: dict[str, Any] = {}
    for name, value in counts.items():
        if isinstance(value, Mapping):
            fit[name] = _fit_apart(value, shown)
        elif name in NOT_OF_PERSONS or not isinstance(value, int):
            fit[name] = value
        else:
            fit[name] = shown_beside(value, shown)
            shown.append(fit[name])
    return fit


def _fit(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        return _fit_mapping(value)
    if isinstance(value, list | tuple):
        return [_fit(item, name) for item in value]
    if isinstance(value, bool) or not isinstance(value, Real) or name in NOT_OF_PERSONS:
        return value
    return SMALL if is_small(float(value)) and float(value).is_integer() else value


def _kept_steps(persons: Sequence[int]) -> set[int]:
    """Steps that may be published: last and first where they can be, then the others from the end backwards."""
    last = len(persons) - 1
    kept: set[int] = set()
    for step in dict.fromkeys([last, 0, *range(last, -1, -1)]):
        if not is_small(persons[step]) and _is_safe_beside(step, kept, persons):
            kept.add(step)
    return kept


def _is_safe_beside(step: int, kept: set[int], persons: Sequence[int]) -> bool:
    before = max((other for other in kept if other < step), default=None)
    after = min((other for other in kept if other > step), default=None)
    return all(
        _is_safe_run([persons[k] - persons[k + 1] for k in range(start, end)])
        for start, end in ((before, step), (step, after))
        if start is not None and end is not None
    )


def _is_safe_run(losses: list[int]) -> bool:
    """Whether the sum of consecutive losses may be known: it is not small, and leaves ten values to each that is."""
    known, small = sum(losses), [loss for loss in losses if is_small(loss)]
    if not small:
        return True
    larger = sum(1 for loss in losses if loss >= THRESHOLD)
    others = len(small) - 1
    lowest = 1 if larger else max(1, known - (THRESHOLD - 1) * others)
    highest = min(THRESHOLD - 1, known - others - THRESHOLD * larger)
    return len(losses) > 1 and not is_small(known) and highest - lowest >= SAFETY_RANGE - 1
