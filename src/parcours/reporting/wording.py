"""What the parts of a run are called in the language of its report: titles, source, steps, parameters, notes.

English is told by `parcours.cohort`; French from the same parameters by texts of its own.
"""

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any

from parcours.cohort.parameters import parameter_table
from parcours.cohort.plan import DEATHS
from parcours.cohort.study import FIRST_PURCHASE, add_months
from parcours.cohort.titles import NAMED, NO_HIGHEST_AGE, WRITTEN_AGES, change_words
from parcours.reporting.texts import ENGLISH, Texts
from parcours.storage.fingerprint import fingerprint

CLAIMS = "DCIR"
MOST_CHANGES = 2  # named at the foot of a figure
# Of the care of a month, what six flux months more leave to come (Santé publique France, 2020).
USUALLY_LATE = 0.02


def title_of(run: Mapping[str, Any], texts: Texts) -> str:
    """What the study is about, who is in it and when."""
    if texts.language == ENGLISH:
        return str(run.get("title") or run["cohort"])
    asked = (run.get("titles") or {}).get(texts.language) or run.get("title") or run["cohort"]
    population = run["study"]["population"]
    title = WRITTEN_AGES.sub("", str(asked))
    return texts.of("study", "title", title=title, who=_who(population, texts), when=_when(population, texts))


def subtitle_of(run: Mapping[str, Any], texts: Texts) -> str:
    """Medicines, outcomes and follow-up in a line."""
    if texts.language == ENGLISH:
        return str(run.get("subtitle", ""))
    study = run["study"]
    return texts.of(
        "study",
        "subtitle",
        medicines=_medicines(study["medicines"], texts),
        outcomes=_outcomes(study["outcomes"], texts),
        followed=_followed(study["population"], texts),
    )


def name_of_run(run: Mapping[str, Any], texts: Texts) -> str:
    """The sentence that a run is listed by: `fall · 75 ans et plus · données jusqu'à 06/2018`."""
    if texts.language == ENGLISH:
        return str(run.get("name") or run["cohort"])
    last = max((period for period in run["data"].get(CLAIMS, ()) if re.fullmatch(r"\d{4}-\d\d", period)), default=None)
    data = texts.of("study", "name_data", period=f"{last[5:]}/{last[:4]}") if last else ""
    return texts.of("study", "name", cohort=run["cohort"], who=_who(run["study"]["population"], texts), data=data)


def changed_words(changes: Mapping[str, Mapping[str, Any]], texts: Texts) -> list[str]:
    """One text for each parameter that differs from the study file."""
    if texts.language == ENGLISH:
        return change_words({name: dict(each) for name, each in changes.items()})
    return [
        texts.of(
            "study",
            "change",
            parameter=parameter_title(name, texts).lower(),
            run=texts.value(each["run"]),
            file=texts.value(each["file"]),
        )
        for name, each in changes.items()
    ]


def parameter_title(name: str, texts: Texts) -> str:
    """What a person calls a parameter; its own name where it is of another version."""
    if texts.language == ENGLISH:
        return parameter_table()[name].title if name in parameter_table() else name
    return texts.sections["parameters"].get(name, name)


def step_text(step: Mapping[str, Any], study: Mapping[str, Any], texts: Texts) -> str:
    """A step of the attrition."""
    known = texts.sections.get("attrition", {})
    if step.get("step") not in known:
        return str(step["description"])
    values = {name: texts.value(value) for name, value in study["population"].items() if name != "sex"}
    return texts.of("attrition", step["step"], sex=_sex(study["population"], texts), **values)


def site_text(site: str, texts: Texts) -> str:
    """A site of the code lists; one that the language has no text for keeps its own name."""
    return texts.sections.get("sites", {}).get(site, site.replace("_", " "))


def source_text(run: Mapping[str, Any], texts: Texts) -> str:
    """Where the numbers come from, for the foot of each figure: data, study, run, versions of data and code.

    Made-up persons are nothing of the SNDS.
    """
    population = run["study"].get("population") or {}
    first, last = (str(population.get(day, ""))[:4] for day in ("study_start", "study_end"))
    return texts.say(
        "source",
        data=texts.say("source_synthetic" if run.get("synthetic") else "source_snds"),
        products=", ".join(product for product in sorted(run["data"]) if not product.startswith("IR_")),
        years=texts.say("source_years", first=first, last=last) if population else "",
        cohort=run["cohort"],
        run=str(run["fingerprint"])[:8],
        version=fingerprint(run["data"])[:8],
        code=str(run.get("code_version", "–")),
        what_if=_what_if(run, texts),
    )


def notes_of(run: Mapping[str, Any], care: Mapping[str, Any], texts: Texts) -> list[str]:
    """What the study went without: periods, the claims that are still to come, sources of deaths."""
    missing = run.get("missing_periods") or {}
    notes = [
        texts.say("missing_periods", product=product, periods=len(periods)) for product, periods in missing.items()
    ]
    # late_flux_months may ask for so few months that none is missing, and much of the care is.
    if (care["measured"] and care["last_month"] >= USUALLY_LATE) or CLAIMS in missing:
        notes.append(_missing_care(care, texts))
    absent = ", ".join(product for product in DEATHS if product not in run["data"])
    return [*notes, texts.say("deaths_missed", products=absent)] if absent else notes


def _missing_care(care: Mapping[str, Any], texts: Texts) -> str:
    if not care["measured"]:
        return texts.say("late_flux_unknown")
    return texts.say("late_flux", study=texts.share(care["study"], 1), last_month=texts.share(care["last_month"], 1))


def _what_if(run: Mapping[str, Any], texts: Texts) -> str:
    """What a foot says of a run that is not the study of the file."""
    changed = changed_words(run.get("changes") or {}, texts)
    if not changed:
        return ""
    named = ", ".join(changed) if len(changed) <= MOST_CHANGES else ""
    return texts.say("source_what_if", changes=named or texts.say("source_many_changes", parameters=len(changed)))


def _sex(population: Mapping[str, Any], texts: Texts) -> str:
    return "" if population["sex"] == "all" else texts.of("study", population["sex"])


def _who(population: Mapping[str, Any], texts: Texts) -> str:
    low, high, sex = population["age_minimum"], population["age_maximum"], _sex(population, texts)
    if high < NO_HIGHEST_AGE:
        ages = texts.of("study", "ages_between", low=low, high=high)
    else:
        ages = texts.of("study", "ages_from", low=low) if low else texts.of("study", "ages_all")
    return texts.of("study", "who_sex", sex=sex, ages=ages) if sex else ages


def _dates(population: Mapping[str, Any]) -> tuple[dt.date, dt.date]:
    return dt.date.fromisoformat(population["study_start"]), dt.date.fromisoformat(population["study_end"])


def _when(population: Mapping[str, Any], texts: Texts) -> str:
    first, last = _dates(population)
    if (first.month, first.day, last.month, last.day) != (1, 1, 12, 31):
        return texts.of("study", "days", first=texts.day(first), last=texts.day(last))
    if first.year == last.year:
        return str(first.year)
    return texts.of("study", "years", first=first.year, last=last.year)


def _followed(population: Mapping[str, Any], texts: Texts) -> str:
    start, last = _dates(population)
    months = population["start_gap_months"]
    key = "followed_from_purchase" if population["observation_from"] == FIRST_PURCHASE else "followed"
    first = texts.day(add_months(start, months))
    return texts.of("study", key, months=months, first=first, last=texts.day(last))


def _medicines(medicines: Mapping[str, Any], texts: Texts) -> str:
    include, exclude, packs = (medicines[name] for name in ("atc_include", "atc_exclude", "packs"))
    said = texts.of("study", "all_medicines")
    if include:
        said = texts.of("study", "some_medicines", codes=_listed(include, texts))
    if exclude:
        said = texts.of("study", "less_medicines", medicines=said, codes=_listed(exclude, texts))
    if packs:
        said = texts.of("study", "packs", medicines=said, packs=len(packs))
    return texts.of("study", "by_level", medicines=said, level=texts.of("study", medicines["level"]))


def _outcomes(outcomes: Mapping[str, Any], texts: Texts) -> str:
    definition = outcomes["definition"]
    outcome = texts.sections["outcomes"].get(definition, definition.replace("_", " "))
    sites = _listed([site_text(site, texts) for site in outcomes["sites"]], texts) or texts.of("study", "all_sites")
    least = outcomes["severity_minimum"]
    severe = texts.of("study", "severity", severity=least) if least > 1 else ""
    return f"{texts.of('study', 'outcomes_at', outcome=outcome, sites=sites)}{severe}"


def _listed(words: Sequence[str], texts: Texts) -> str:
    named, more = ", ".join(words[:NAMED]), len(words) - NAMED
    return texts.of("study", "and_more", listed=named, more=more) if more > 0 else named
