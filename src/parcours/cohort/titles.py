"""What a study is about in a few words, computed from its resolved parameters, and how they differ from its file."""

import datetime as dt
import re
from typing import Any

from parcours.cohort.parameters import parameter_table
from parcours.cohort.study import FIRST_PURCHASE, Medicines, Outcomes, Population, Study

# The highest age that no real person is left out by.
NO_HIGHEST_AGE = 120
NAMED = 4


# Ages written into a title would stay when the parameter changes: they are told from the parameter instead.
WRITTEN_AGES = re.compile(r"[,:;]?\s*(aged\s+)?\d{1,3}( years)?( and over| or over| to \d{1,3}( years)?)\b")


def study_title(study: Study) -> str:
    """`Medicines and fractures after a fall: women, 75 and over, 2014 to 2017`."""
    return f"{WRITTEN_AGES.sub('', study.title)}: {_who(study.population)}, {_when(study.population)}"


def study_subtitle(study: Study) -> str:
    """`All medicines, by substance; fractures of all sites; followed from 2015-01-01 to 2017-12-31`."""
    return "; ".join((_medicines(study.medicines), _outcomes(study.outcomes), _followed(study.population)))


def changes(study: Study, resolved: Study) -> dict[str, dict[str, Any]]:
    """{parameter: {file, run}} for each whose value is not that of the study file; empty for the study itself."""
    declared, used = study.as_dict(), resolved.as_dict()
    values = {name: (declared[p.section][name], used[p.section][name]) for name, p in parameter_table().items()}
    return {name: {"file": file, "run": run} for name, (file, run) in values.items() if file != run}


def change_words(changed: dict[str, dict[str, Any]]) -> list[str]:
    """`age_minimum 75 (study file: 65)`, one for each parameter that differs."""
    return [f"{name} {_value(each['run'])} (study file: {_value(each['file'])})" for name, each in changed.items()]


def _who(population: Population) -> str:
    sex = "" if population.sex == "all" else f"{population.sex}, "
    if population.age_maximum >= NO_HIGHEST_AGE:
        return f"{sex}{population.age_minimum} and over" if population.age_minimum else f"{sex}all ages"
    return f"{sex}{population.age_minimum} to {population.age_maximum}"


def _when(population: Population) -> str:
    first, last = population.first_day, population.last_day
    if (first.month, first.day) != (1, 1) or last + dt.timedelta(days=1) != dt.date(last.year + 1, 1, 1):
        return f"{first} to {last}"
    return str(first.year) if first.year == last.year else f"{first.year} to {last.year}"


def _followed(population: Population) -> str:
    if population.observation_from == FIRST_PURCHASE:
        first = f"{population.start_gap_months} months after the first purchase, at the earliest "
        return f"followed from {first}{population.follow_up_start}, to {population.study_end}"
    return f"followed from {population.follow_up_start} to {population.study_end}"


def _medicines(medicines: Medicines) -> str:
    names = {"atc_class": "ATC class", "cip13": "pack"}
    some = f"medicines {_listed(medicines.atc_include)}" if medicines.atc_include else "all medicines"
    less = f" without {_listed(medicines.atc_exclude)}" if medicines.atc_exclude else ""
    packs = f", of {len(medicines.packs)} chosen packs" if medicines.packs else ""
    return f"{some[0].upper()}{some[1:]}{less}{packs}, by {names.get(medicines.level, medicines.level)}"


def _outcomes(outcomes: Outcomes) -> str:
    sites = _listed(tuple(site.replace("_", " ") for site in outcomes.sites))
    severe = f", severity {outcomes.severity_minimum} and over" if outcomes.severity_minimum > 1 else ""
    return f"{outcomes.definition.replace('_', ' ')}s of {sites or 'all sites'}{severe}"


def _listed(words: tuple[str, ...]) -> str:
    more = len(words) - NAMED
    return ", ".join(words[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _value(value: Any) -> str:
    if isinstance(value, list):
        return _listed(tuple(map(str, value))) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)
