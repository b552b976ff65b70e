"""Definitions of outcomes: YAML files beside the code lists, checked when a run is planned.

Standard library and YAML only: Airflow reads them when it parses its DAGs.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from parcours.errors import InputError
from parcours.events.codelists import Code, codes_for, read_codelist
from parcours.events.extractors import extractors
from parcours.yaml_names import read_values

EVENT, GROUP = DATED = ("event", "group")
WITHIN = "within_days"
RELATIONS = ("same_group", "same_day", WITHIN)
OPERATORS = ("all", "any", "not", *RELATIONS)
SELECTING = ("category", "codes", "source", "weight")
OTHER = "other"


@dataclass(frozen=True)
class Selection:
    """Events of some categories with one of some codes (None: any), provenances and a weight."""

    categories: tuple[str, ...]
    codes: tuple[Code, ...] | None
    sources: tuple[str, ...] = ()
    weight: float | None = None


@dataclass(frozen=True)
class Condition:
    """What must hold beside an event: `all`, `any` or `not` of other conditions, or an event that is near it.

    Near: in the same group (a stay), on the same day, or at most `days` days before or after. An event is near itself.
    """

    operator: str
    parts: tuple["Condition", ...] = ()
    selection: Selection | None = None
    days: int = 0


@dataclass(frozen=True)
class Rule:
    """Which events are outcomes, when, and how severe: the first severity whose condition holds.

    `dated`: by the start of the event itself, or by the first of those found in its group.
    """

    rule: str
    meaning: str
    dated: str
    find: Selection
    when: Condition | None
    severities: tuple[tuple[int, Condition | None], ...]


@dataclass(frozen=True)
class Sites:
    """Where on the body a code is, at two levels; what no code of the list tells is at `other`."""

    fine: Mapping[Code, str]
    coarse: Mapping[Code, str]
    other: str = OTHER


@dataclass(frozen=True)
class Definition:
    """One outcome; `attrition` names the step of those who have it, `lists` its code lists with the use of each."""

    outcome: str
    title: str
    attrition: str
    rules: tuple[Rule, ...]
    sites: Sites | None
    lists: frozenset[tuple[str, str | None]]

    @property
    def files(self) -> tuple[str, ...]:
        """Its own file and the code lists that it names."""
        return tuple(sorted({f"{self.outcome}.yaml", *(file for file, _ in self.lists)}))

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories of events that it reads."""
        return tuple(sorted({name for rule in self.rules for one in selections(rule) for name in one.categories}))


def definition_names(folder: Path) -> tuple[str, ...]:
    """The outcomes that a folder of code lists defines."""
    return tuple(path.stem for path in sorted(folder.glob("*.yaml")))


@cache
def load_definition(folder: Path, outcome: str) -> Definition:
    """A definition of a folder of code lists.

    Raises InputError with the file and what is wrong in it.
    """
    path = folder / f"{outcome}.yaml"
    if not path.is_file():
        raise InputError(f"{folder} defines no outcome {outcome}: {path.name} is not there.")
    return _definition(path, read_values(path))


def check_uses(folder: Path) -> None:
    """Let the code lists of a folder through in which each row has a use that one of its definitions asks for.

    Raises InputError: a misspelt use would be passed over.
    """
    asked: dict[str, set[str]] = {}
    for name in definition_names(folder):
        for file, use in load_definition(folder, name).lists:
            if use is not None:
                asked.setdefault(file, set()).add(use)
    for file, uses in sorted(asked.items()):
        for number, row in enumerate(read_codelist(folder / file), start=2):
            if row["use"] not in uses:
                where = f"{folder / file}, line {number}"
                raise InputError(f'{where}: use is "{row["use"]}", but must be one of {", ".join(sorted(uses))}.')


def rule_names(folder: Path) -> tuple[str, ...]:
    """The rules of all definitions of a folder."""
    return tuple(rule.rule for name in definition_names(folder) for rule in load_definition(folder, name).rules)


def site_names(folder: Path) -> tuple[str, ...]:
    """The sites and groups of sites of all definitions of a folder."""
    named = (load_definition(folder, name).sites for name in definition_names(folder))
    return tuple(
        sorted({site for sites in named if sites for level in (sites.fine, sites.coarse) for site in level.values()})
    )


def _definition(path: Path, told: Any) -> Definition:
    keys = ("outcome", "title", "attrition", "source", "date", "sites", "rules")
    declared = _map(path, told, "a definition", keys, ("outcome", "title", "attrition", "rules"))
    if declared["outcome"] != path.stem:
        raise InputError(f"{path}: outcome is {declared['outcome']}, but must be the file's own name, {path.stem}.")
    return Definition(
        outcome=declared["outcome"],
        title=declared["title"],
        attrition=declared["attrition"],
        rules=tuple(_rule(path, row) for row in _list(path, declared["rules"], "rules", "rule")),
        sites=_sites(path, declared["sites"]) if "sites" in declared else None,
        lists=frozenset(_lists(declared)),
    )


def _lists(declared: Any) -> Iterator[tuple[str, str | None]]:
    """(file, use) of the code lists that a definition names anywhere."""
    if isinstance(declared, dict):
        if isinstance(declared.get("file"), str):
            yield declared["file"], declared.get("use")
        for value in declared.values():
            yield from _lists(value)
    elif isinstance(declared, list):
        for value in declared:
            yield from _lists(value)


def _sites(path: Path, told: Any) -> Sites:
    declared = _map(path, told, "sites", ("file", "fine", "coarse", "other"), ("file", "fine", "coarse"))
    rows = _rows(path, declared["file"], (declared["fine"], declared["coarse"], "code", "match"))
    fine, coarse = (
        {Code(row["code"], row["match"]): row[declared[level]] for row in rows} for level in ("fine", "coarse")
    )
    return Sites(fine, coarse, declared.get("other", OTHER))


def _rule(path: Path, told: Any) -> Rule:
    keys = ("rule", "meaning", "find", "when", "severity", "dated")
    row = _map(path, told, "a rule", keys, ("rule", "meaning", "find"))
    dated = row.get("dated", EVENT)
    _refuse(path, [dated], DATED, "date")
    listed = _list(path, row["severity"], "severity", "severity") if "severity" in row else [{"severity": 1}]
    severities = tuple(_severity(path, one) for one in listed)
    if severities[-1][1] is not None:
        raise InputError(f"{path}: the last severity of {row['rule']} must hold without a condition.")
    return Rule(row["rule"], row["meaning"], dated, _selection(path, row["find"]), _when(path, row), severities)


def _severity(path: Path, told: Any) -> tuple[int, Condition | None]:
    one = _map(path, told, "a severity", ("severity", "when"), ("severity",))
    return _whole(path, one["severity"], "severity"), _when(path, one)


def _when(path: Path, row: Mapping[str, Any]) -> Condition | None:
    return _condition(path, row["when"]) if "when" in row else None


def _condition(path: Path, told: Any) -> Condition:
    declared = _map(path, told, "a condition", None)
    if len(declared) != 1:
        raise InputError(f"{path}: a condition has one operator, not {', '.join(declared) or 'none'}.")
    _refuse(path, declared, OPERATORS, "operator")
    (operator, told), *_ = declared.items()
    if operator == "not":
        return Condition(operator, (_condition(path, told),))
    if operator not in RELATIONS:
        return Condition(operator, tuple(_condition(path, part) for part in _list(path, told, operator, "condition")))
    if operator != WITHIN:
        return Condition(operator, selection=_selection(path, told))
    selecting = dict(_map(path, told, WITHIN, (*SELECTING, "days"), ("days",)))
    days = _whole(path, selecting.pop("days"), "days")
    return Condition(operator, selection=_selection(path, selecting), days=days)


def _selection(path: Path, told: Any) -> Selection:
    declared = _map(path, told, "a selection", SELECTING, ("category",))
    categories = _list(path, declared["category"], "category", "category")
    _refuse(path, categories, tuple(extractors()), "category")
    weight = declared.get("weight")
    if weight is not None and not isinstance(weight, int | float):
        raise InputError(f'{path}: weight is "{weight}", but must be a number.')
    return Selection(
        categories=tuple(categories),
        codes=_codes(path, declared["codes"]) if "codes" in declared else None,
        sources=tuple(_list(path, declared["source"], "source", "source")) if "source" in declared else (),
        weight=weight,
    )


def _codes(path: Path, told: Any) -> tuple[Code, ...]:
    listed = _map(path, told, "a list of codes", ("file", "use"), ("file", "use"))
    _rows(path, listed["file"], ("use", "code", "match"))
    return codes_for(path.parent / listed["file"], listed["use"])


def _rows(path: Path, name: str, columns: Sequence[str]) -> tuple[dict[str, str], ...]:
    rows = read_codelist(path.parent / name)
    absent = [column for column in columns if rows and column not in rows[0]]
    if absent:
        raise InputError(f"{path}: {name} has no column {absent[0]}.")
    return rows


def selections(rule: Rule) -> Iterator[Selection]:
    """Every selection of events that a rule names, in its conditions and severities too."""
    yield rule.find
    for condition in (rule.when, *(when for _, when in rule.severities)):
        yield from _of_condition(condition)


def _of_condition(condition: Condition | None) -> Iterator[Selection]:
    if condition is None:
        return
    if condition.selection:
        yield condition.selection
    for part in condition.parts:
        yield from _of_condition(part)


def _map(
    path: Path, told: Any, what: str, known: Sequence[str] | None, needed: Sequence[str] = ()
) -> Mapping[str, Any]:
    """A map with the keys that it needs, and no unknown one."""
    if not isinstance(told, Mapping):
        raise InputError(f"{path}: {what} must hold keys and values.")
    if known is not None:
        _refuse(path, told, known)
    for key in needed:
        if told.get(key) is None:
            raise InputError(f"{path}: {key} of {what} is missing.")
    return told


def _list(path: Path, told: Any, what: str, of: str) -> list[Any]:
    if not isinstance(told, list):
        raise InputError(f"{path}: {what} must be a list.")
    if not told:
        raise InputError(f"{path}: {what} must hold at least one {of}.")
    return told


def _whole(path: Path, told: Any, what: str) -> int:
    if not isinstance(told, int):
        raise InputError(f'{path}: {what} is "{told}", but must be a whole number.')
    return told


def _refuse(path: Path, told: Iterable[Any], known: Sequence[str], what: str = "key") -> None:
    unknown = [str(name) for name in told if name not in known]
    if unknown:
        raise InputError(f'{path}: the {what} "{unknown[0]}" is not known; known are {", ".join(known)}.')
