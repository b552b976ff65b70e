"""The rule catalogue: views and rules, read from the YAML beside this file and checked sentence by sentence."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

from parcours.errors import InputError
from parcours.leaving import ROWS
from parcours.snds.declarations import read_facts
from parcours.storage.fingerprint import fingerprint, sources_version

RULES = Path(__file__).parent / "rules"
# The unit of rules on a study as a whole: its one line has no number worth telling.
WHOLE_STUDY = "study"
WORDED_BY = ("leaving.py", "quality/data_docs.py", "quality/evaluation.py", "quality/verdict.py")
Severity = Literal["critical", "warning"]
Level = Literal["rows", "counts", "profile"]

# Column map expectations only: each row fails by itself, so that failures can be counted by period without values.
EXPECTATIONS: dict[str, frozenset[str]] = {
    "expect_column_values_to_not_be_null": frozenset(),
    "expect_column_values_to_be_in_set": frozenset({"value_set"}),
    "expect_column_values_to_be_between": frozenset({"min_value", "max_value"}),
    "expect_column_values_to_match_regex": frozenset({"regex"}),
}
RULE_KEYS = {"id", "view", "expectation", "arguments", "severity", "description", "problem", "source", "where_to_look"}
OPTIONAL_RULE_KEYS = {"rows", "unit"}


@dataclass(frozen=True)
class View:
    """A table that rules look at: SQL over flat tables, manifests and the views before it.

    `rows` views are read by Spark as often as needed; `counts` and `profile` views have few lines and are computed
    once, and only `rows` and `profile` views have rules.
    """

    name: str
    level: Level
    description: str
    sql: str


@dataclass(frozen=True)
class Rule:
    """One expectation on one view, with what to say and where to look when it fails.

    `rows` names the column of a profile view that says how many rows a failing line stands for.
    """

    id: str
    view: str
    expectation: str
    arguments: dict[str, Any]
    severity: Severity
    description: str
    problem: str
    source: str
    where_to_look: str
    rows: str | None
    unit: str


@dataclass(frozen=True)
class Catalogue:
    """Views and rules of one product, of the manifests or of a study's features."""

    name: str
    product: str | None
    columns: tuple[str, ...]
    views: tuple[View, ...]
    rules: tuple[Rule, ...]

    def rules_of(self, view: str) -> list[Rule]:
        """Rules on one view, in the order of the catalogue."""
        return [rule for rule in self.rules if rule.view == view]

    def checked_views(self) -> list[View]:
        """Views that have rules: each is one Great Expectations suite."""
        return [view for view in self.views if self.rules_of(view.name)]


def catalogue_names() -> list[str]:
    """Names of the catalogues, in name order."""
    return sorted(path.stem for path in RULES.glob("*.yaml"))


def product_catalogues() -> list[str]:
    """Products that have rules of their own, beside the reconciliation that every product gets."""
    return [name for name in catalogue_names() if load_catalogue(name).product is not None]


@cache
def load_catalogue(name: str) -> Catalogue:
    """The catalogue of that name.

    Raises InputError when there is none or when it does not hold together.
    """
    path = RULES / f"{name}.yaml"
    if not path.is_file():
        raise InputError(f"There are no quality rules {name}; there are rules {', '.join(catalogue_names())}.")
    return parse_catalogue(read_facts(path), path.name)


def parse_catalogue(declared: dict[str, Any], where: str) -> Catalogue:
    """A catalogue from its YAML content; `where` names the file in messages.

    Raises InputError with one sentence for the first thing that is wrong.
    """
    views = tuple(_view(view, where) for view in declared["views"])
    rules = tuple(_rule(rule, where) for rule in declared["rules"])
    ids = [rule.id for rule in rules]
    for repeated in {rule for rule in ids if ids.count(rule) > 1}:
        raise InputError(f"{where}: two rules are called {repeated}; give each rule an id of its own.")
    checkable = {view.name for view in views if view.level != "counts"}
    for rule in rules:
        if rule.view not in checkable:
            raise InputError(f"{where}: rule {rule.id} is on view {rule.view}, which is not among {sorted(checkable)}.")
    return Catalogue(declared["catalogue"], declared["product"], tuple(declared["columns"]), views, rules)


def catalogue_version() -> str:
    """16 hex digits of all rules and views, and of what words a verdict: it is reused only under the same version."""
    rules = {name: (RULES / f"{name}.yaml").read_text("utf-8") for name in catalogue_names()}
    return fingerprint([rules, sources_version(*WORDED_BY)])


def _view(declared: dict[str, Any], where: str) -> View:
    name = declared.get("name", "without a name")
    missing = {"name", "level", "description", "sql"} - set(declared)
    if missing:
        raise InputError(f"{where}: view {name} lacks {', '.join(sorted(missing))}.")
    if declared["level"] not in get_args(Level):
        raise InputError(
            f"{where}: view {name} has level {declared['level']}; allowed are {', '.join(get_args(Level))}."
        )
    return View(name, declared["level"], declared["description"].strip(), declared["sql"])


def _rule(declared: dict[str, Any], where: str) -> Rule:
    place = f"{where}: rule {declared.get('id', 'without an id')}"
    missing = RULE_KEYS - set(declared)
    if missing:
        raise InputError(f"{place} lacks {', '.join(sorted(missing))}.")
    unknown = set(declared) - RULE_KEYS - OPTIONAL_RULE_KEYS
    if unknown:
        raise InputError(f"{place} has an unknown setting {', '.join(sorted(unknown))}; mend its spelling.")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", str(declared["id"])):
        raise InputError(f"{place}: an id is lower-case letters, digits and underscores.")
    if declared["severity"] not in get_args(Severity):
        raise InputError(f"{place} has severity {declared['severity']}; allowed are critical and warning.")
    _check_arguments(declared["expectation"], declared["arguments"], place)
    return Rule(**{"rows": None, "unit": ROWS, **declared})


def _check_arguments(expectation: str, arguments: dict[str, Any], place: str) -> None:
    if expectation not in EXPECTATIONS:
        raise InputError(f"{place} uses {expectation}; allowed are {', '.join(EXPECTATIONS)}.")
    allowed = EXPECTATIONS[expectation]
    if "column" not in arguments:
        raise InputError(f"{place} names no column in its arguments.")
    unknown = set(arguments) - allowed - {"column", "mostly"}
    if unknown:
        raise InputError(f"{place}: {expectation} takes no {', '.join(sorted(unknown))}.")
    if allowed and not allowed & set(arguments):
        raise InputError(f"{place}: {expectation} needs {' or '.join(sorted(allowed))}.")
    mostly = arguments.get("mostly", 1)
    if not 0 < mostly <= 1:
        raise InputError(f"{place}: mostly is {mostly}; it is a share above 0 and up to 1.")
