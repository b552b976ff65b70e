"""Fractures of one person: where they are looked for, at which site, how severe, and which belong to one fall.

The rules are those of docs/reference/fracture-rule.md; the codes are read from the code lists.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from parcours.cohort.study import Outcomes
from tests.oracle.events import Event
from tests.oracle.rows import code_list, gathered, months_later

IN_HOSPITAL_DIAGNOSES = ("mco_main_diagnosis", "mco_linked_diagnosis", "mco_associated_diagnosis")
DIED = 9  # mode of exit
OUTPATIENT, IN_HOSPITAL, WITH_SURGERY, WITH_DEATH = 1, 2, 3, 4
OUTPATIENT_RULES = {
    "liberal_act": ("dcir_ccam_act", "liberal"),
    "public_ambulatory_act": ("mco_ce_ccam_act", "public_ambulatory"),
    "private_ambulatory_act": ("dcir_ccam_act", "private_ambulatory"),
}


@dataclass(frozen=True)
class Fracture:
    """One fracture: its day, its site, the rule that found it and its severity from 1 to 4."""

    day: dt.date
    site: str
    rule: str
    severity: int


def fractures(events: Iterable[Event], outcomes: Outcomes, codelists: Path) -> frozenset[Fracture]:
    """The first fracture of every fall of the person, over all the data."""
    events = list(events)
    found = [
        Fracture(day, site_of(code, outcomes.site_level, codelists), rule, severity)
        for rule in outcomes.rules
        for day, code, severity in found_by(rule, events, codelists)
        # Only in the code: what the study does not look at starts no fall and belongs to none.
        if is_wanted(code, outcomes.sites, codelists) and severity >= outcomes.severity_minimum
    ]
    return first_of_falls(found, outcomes.frame_months)


def found_by(rule: str, events: list[Event], codelists: Path) -> list[tuple[dt.date, str, int]]:
    """(day, code, severity) of what one rule finds."""
    if rule == "hospital_stay":
        stays = gathered((event.group, event) for event in events if event.group is not None)
        return [one for stay in stays.values() for one in found_in_stay(stay, IN_HOSPITAL, codelists)]
    here = [event for event in events if (event.category, event.source) == OUTPATIENT_RULES[rule]]
    return [(act.start, act.code, OUTPATIENT) for act in here if serves(act.code, "outpatient_act", codelists)]


def found_in_stay(stay: list[Event], severity: int, codelists: Path) -> list[tuple[dt.date, str, int]]:
    """The fracture diagnoses of one stay, if its main diagnosis is one and no material of an older one is removed."""
    broken = [
        one
        for one in stay
        if one.category in IN_HOSPITAL_DIAGNOSES and serves(one.code, "hospital_diagnosis", codelists)
    ]
    acts = [one.code for one in stay if one.category == "mco_ccam_act"]
    is_main = any(one.category == "mco_main_diagnosis" for one in broken)
    if not is_main or any(serves(act, "material_removal", codelists) for act in acts):
        return []
    if any(one.category == "mco_hospital_stay" and one.weight == DIED for one in stay):
        severity = WITH_DEATH
    elif any(serves(act, "surgery", codelists) for act in acts):
        severity = WITH_SURGERY
    # Diagnoses are dated by the start of the stay. Only in the code: should two stays have one number, by the earlier.
    return [(min(one.start for one in broken), one.code, severity) for one in broken]


def first_of_falls(found: Iterable[Fracture], frame_months: int) -> frozenset[Fracture]:
    """The fractures that start a fall: those that follow no other at their site by less than `frame_months`."""
    severest = gathered(((one.day, one.site, one.rule), one.severity) for one in found)
    once = [Fracture(*what, max(severities)) for what, severities in severest.items()]
    first = set()
    for here in gathered((one.site, one) for one in once).values():
        # Only in the code: of one day the most severe goes first, then the first rule by name.
        here.sort(key=lambda one: (one.day, -one.severity, one.rule))
        for before, one in zip([None, *here], here, strict=False):
            if before is None or one.day >= months_later(before.day, frame_months):
                first.add(one)
    return frozenset(first)


# --- code lists --------------------------------------------------------------------------------------------------


@cache
def serves(code: str, use: str, codelists: Path) -> bool:
    """Whether a list of codes says that the code is of that use."""
    rows = code_list(codelists / "fracture_codes.csv") + code_list(codelists / "fracture_surgery.csv")
    return any(row["use"] == use and matches(code, row) for row in rows)


@cache
def site_of(code: str, level: str, codelists: Path) -> str:
    """The site of the most specific code that matches: exact, else the longest, else the one with fewest `?`."""
    rows = [row for row in code_list(codelists / "fracture_sites.csv") if matches(code, row)]
    specific = sorted(rows, key=lambda row: (row["match"] != "exact", -len(row["code"]), row["code"].count("?")))
    return specific[0][level] if specific else "other"


def is_wanted(code: str, sites: Iterable[str], codelists: Path) -> bool:
    """Whether the study looks at the code's site or group of sites; no sites are all sites."""
    own = {site_of(code, level, codelists) for level in ("site", "site_group")}
    return not sites or not own.isdisjoint(sites)


def matches(code: str, row: dict[str, str]) -> bool:
    """Whether a code is that of a row: `exact`, by `prefix`, or by `pattern`, a prefix in which ? is any character."""
    if row["match"] == "exact":
        return code == row["code"]
    wildcard = "?" if row["match"] == "pattern" else ""
    alike = (listed in (own, wildcard) for own, listed in zip(code, row["code"], strict=False))
    return len(code) >= len(row["code"]) and all(alike)
