"""What a study is about in a few words, computed from its resolved parameters, and how they differ from its file."""

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from parcours.cohort.parameters import Parameter, parameter_table
from parcours.cohort.study import FIRST_PURCHASE, Medicines, Outcomes, Population, Study

# The highest age that no real person is left out by.
NO_HIGHEST_AGE = 120
NAMED = 4
MOST_CHANGES = 2  # told in one line
CLAIMS = "DCIR"
PERIOD = re.compile(r"\d{4}(-\d{2})?")
SEPARATOR = " · "

# Ages written into a title would stay when the parameter changes: they are told from the parameter instead.
WRITTEN_AGES = re.compile(r"[,:;]?\s*(aged\s+)?\d{1,3}( years)?( and over| or over| to \d{1,3}( years)?)\b")


def run_name(study: Study, data: Mapping[str, Mapping[str, str]]) -> str:
    """`fall · 75 and over · data to 2018-06`: the study, who is followed, the last month of claims that is read.

    `data` is {product: {period: fingerprint}}. Without claims it is the last period of whatever is read; it is left out
    where nothing is. Runs may share a name: what differs from the study file is told beside it (`run_line`).
    """
    last = last_period(data)
    return SEPARATOR.join([study.cohort, _who(study.population), *([f"data to {last}"] if last else [])])


def run_line(run: Mapping[str, Any]) -> str:
    """The name of a run (the content of its run.json) and what differs from the study file, in one line.

    `fall · 75 and over · data to 2018-06 · what-if: youngest age 75, was 65`; of many differences their number.
    """
    return SEPARATOR.join(filter(None, (named(run), what_if(run))))


def named(run: Mapping[str, Any]) -> str:
    """The name of a run; the name of its study when it was planned without one."""
    return str(run.get("name") or run["cohort"])


def what_if(run: Mapping[str, Any]) -> str:
    """`what-if: youngest age 75, was 65`, of many differences their number; "" for the study itself."""
    changed = change_words(run.get("changes") or {})
    if not changed:
        return ""
    return f"what-if: {'; '.join(changed) if len(changed) <= MOST_CHANGES else f'{len(changed)} parameters differ'}"


def application_name(run: Mapping[str, Any], stage: str) -> str:
    """What Spark's pages call a job of a run: `fall · 75 and over · data to 2018-06 · train`."""
    return SEPARATOR.join((run_line(run), stage))


def is_what_if(run: Mapping[str, Any]) -> bool:
    """Whether parameters of a run differ from those of the study file."""
    return bool(run.get("changes"))


def last_period(data: Mapping[str, Mapping[str, str]]) -> str | None:
    """The last month or year of claims, else of any product; a period that has no date says nothing of time."""
    for products in ([CLAIMS], [*data]):
        dated = [period for product in products for period in data.get(product, {}) if PERIOD.fullmatch(period)]
        if dated:
            return max(dated)
    return None


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


def change_words(changed: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """`youngest age 75, was 65`, `start gap 18 months, was 12`: one for each parameter that differs."""
    return [_change(name, each["run"], each["file"]) for name, each in changed.items()]


def _change(name: str, run: Any, file: Any) -> str:
    parameter = parameter_table().get(name)
    if parameter is None:  # of a run that was planned by another version
        return f"{name} {run}, was {file}"
    noun, used = _small(parameter.noun), _value(parameter, run)
    unit = f" {parameter.unit}" if parameter.unit and used != parameter.empty else ""
    return f"{noun} {used}{unit.removesuffix('s') if run == 1 else unit}, was {_value(parameter, file)}"


def _small(noun: str) -> str:
    """As it stands in a sentence: `ATC codes` stay."""
    return noun if noun[1:2].isupper() else f"{noun[0].lower()}{noun[1:]}"


def _value(parameter: Parameter, value: Any) -> str:
    """`true` and `false` are told as on and off, words by their texts, lists with "and" before the last."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        return _spoken([_value(parameter, item) for item in value]) if value else parameter.empty
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return parameter.text(value) if parameter.enum or parameter.enum_from else str(value) or parameter.empty


def _spoken(words: list[str]) -> str:
    more = len(words) - NAMED
    shown = [*words[:NAMED], f"{more} more"] if more > 0 else words
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1])))


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
