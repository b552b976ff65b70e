"""Studies: one YAML file each, checked, resolved with the user's changes, and described for forms.

Standard library and YAML only: Airflow reads studies when it parses its DAGs.
"""

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from math import ceil
from pathlib import Path
from typing import Any

from parcours.cohort.definitions import load_definition
from parcours.cohort.medicine_levels import PRESCRIPTION
from parcours.cohort.months import MONTH, add_months
from parcours.cohort.parameters import (
    MISSING,
    Parameter,
    checked,
    limits,
    near_miss,
    parameter_table,
    refuse_unknown,
    section_titles,
)
from parcours.cohort.relative_dates import RelativeDate, form_pattern
from parcours.cohort.schedule import TIMEZONE, checked_deadline, checked_schedule, checked_timezone
from parcours.errors import InputError
from parcours.yaml_names import read_values

DAYS_A_MONTH = 365.25 / 12
FIRST_PURCHASE = "first_purchase"
FILE_KEYS = ("cohort", "title", "description", "language", "schedule", "timezone", "deadline_hours", "codelists")
# Of reports. Neither who is followed nor what is estimated depends on it.
LANGUAGES = ("en", "fr")
Day = dt.date | RelativeDate


@dataclass(frozen=True)
class Population:
    """Who is followed and when; `study_end` is the last day, included. Words stand for days until a run is planned."""

    study_start: Day
    study_end: Day
    age_minimum: int
    age_maximum: int
    sex: str
    start_gap_months: int
    observation_from: str
    first_purchase_within_months: int
    trackloss_months: int
    trackloss_after_months: int
    prior_outcome: str
    ambiguous_identity: str
    late_flux_months: int
    incomplete_data: str
    data_until: str

    @property
    def first_day(self) -> dt.date:
        """The day of `study_start`. Raises ValueError where it is still in words."""
        return _day(self.study_start)

    @property
    def last_day(self) -> dt.date:
        """The day of `study_end`. Raises ValueError where it is still in words."""
        return _day(self.study_end)

    @property
    def words(self) -> dict[str, str]:
        """{study_start or study_end: its words}, of those that are no days."""
        dates = {"study_start": self.study_start, "study_end": self.study_end}
        return {name: str(date) for name, date in dates.items() if isinstance(date, RelativeDate)}

    @property
    def follow_up_start(self) -> dt.date:
        """Study start plus the gap: the first day on which anybody is followed."""
        return add_months(self.first_day, self.start_gap_months)

    @property
    def looks_at_first_purchases(self) -> bool:
        """Whether it depends on purchases of the study's medicines who is followed, and when."""
        return self.observation_from == FIRST_PURCHASE or self.first_purchase_within_months > 0


@dataclass(frozen=True)
class Medicines:
    """Which medicines, and what one medicine is."""

    level: str
    atc_include: tuple[str, ...]
    atc_exclude: tuple[str, ...]
    packs: tuple[str, ...]


@dataclass(frozen=True)
class Exposures:
    """How purchases become exposures; lengths are in days unless the name says months."""

    kind: str
    min_purchases: int
    purchases_window_days: int
    washout_months: int
    start_delay_days: int
    small_pack_days: int
    large_pack_days: int
    merge_tolerance_days: int
    limited_end: str
    interaction_level: int
    interaction_minimum_days: int


@dataclass(frozen=True)
class Outcomes:
    """Which outcomes count, where on the body, and how repeated ones are grouped."""

    definition: str
    rules: tuple[str, ...]
    sites: tuple[str, ...]
    site_level: str
    frame_months: int
    severity_minimum: int
    outcome_events: str


@dataclass(frozen=True)
class ModelSettings:
    """The estimator's settings; `tv_grid` and `group_grid` are the penalties tried; none: a range from the data."""

    bucket_days: int
    lags: int
    pre_exposure_days: int
    age_cuts_years: tuple[float, ...]
    season: bool
    calendar: bool
    tv_grid: tuple[float, ...]
    group_grid: tuple[float, ...]
    cv_folds: int
    bootstrap: int
    min_exposed_cases: int
    seed: int

    @property
    def pre_lags(self) -> int:
        """Lags before the exposure: whole buckets that hold the days asked for."""
        return ceil(self.pre_exposure_days / self.bucket_days)


SECTIONS: dict[str, type] = {
    "population": Population,
    "medicines": Medicines,
    "exposures": Exposures,
    "outcomes": Outcomes,
    "model": ModelSettings,
}


@dataclass(frozen=True)
class Study:
    """One study, every parameter set. `codelists` is the folder of its code lists, `file` the one it was read from.

    `timezone` is that of `schedule`, a cron line; a run that takes longer than `deadline_hours` is told of. `language`
    is that of its reports, `titles` its title by language where the file gives more than one.
    """

    cohort: str
    title: str
    description: str
    schedule: str | None
    codelists: Path
    population: Population
    medicines: Medicines
    exposures: Exposures
    outcomes: Outcomes
    model: ModelSettings
    file: Path | None = None
    timezone: str = TIMEZONE
    deadline_hours: float | None = None
    language: str = LANGUAGES[0]
    titles: Mapping[str, str] = field(default_factory=dict)

    @property
    def washout_end(self) -> dt.date:
        """The first day on which a first purchase is taken for a start."""
        return add_months(self.population.first_day, self.exposures.washout_months)

    def parameters(self) -> list[dict[str, Any]]:
        """Every parameter as {name, value, type, minimum, maximum, enum, pattern, examples, section, title, help}.

        JSON-able. `section` is the section's name; `section_title` its heading. For lists, limits, enum and pattern
        hold for each item. `texts` is what a person calls each word of `enum`. `help` is that of the form and ends with
        the limits in words; `examples` are words that may stand for a date.
        """
        return [self._described(parameter) for parameter in parameter_table().values()]

    def _described(self, parameter: Parameter) -> dict[str, Any]:
        choices = parameter.choices(self.codelists)
        return {
            "name": parameter.name,
            "value": _plain(getattr(getattr(self, parameter.section), parameter.name)),
            "type": parameter.type,
            "minimum": parameter.minimum,
            "maximum": parameter.maximum,
            "enum": list(choices) if choices else None,
            "pattern": _pattern(parameter),
            "examples": list(parameter.examples),
            "section": parameter.section,
            "section_title": section_titles()[parameter.section],
            "title": parameter.title,
            "texts": {word: parameter.text(word) for word in choices or ()},
            "help": f"{parameter.form_help} {limits(parameter, choices)}".strip(),
        }

    def as_dict(self) -> dict[str, Any]:
        """{cohort, section: {parameter: value}}: JSON-able, everything that decides the result and nothing else."""
        sections = {section: _plain(vars(getattr(self, section))) for section in SECTIONS}
        return {"cohort": self.cohort, **sections}


def load_study(path: Path | str, folder: Path | None = None) -> Study:
    """The study of one YAML file, every parameter checked and defaults filled in.

    The folder of its code lists is looked for from `folder`, that of the file unless given.
    Raises InputError: one sentence with the file, the key, the value and what is allowed.
    """
    path = Path(path)
    declared = _read(path)
    _check_keys(declared, (*FILE_KEYS, *SECTIONS), str(path))
    cohort = str(declared.get("cohort", ""))
    if cohort != path.stem or not re.fullmatch(r"[a-z][a-z0-9_]*", cohort):
        raise InputError(
            f'{path}: cohort is "{cohort}", but must be the file\'s own name in lower case, "{path.stem.lower()}".'
        )
    codelists = ((folder or path.parent) / str(declared.get("codelists", "../codelists"))).resolve()
    sections = {section: _section(section, declared.get(section) or {}, str(path), codelists) for section in SECTIONS}
    titles = _titles(declared.get("title") or cohort, path)
    study = Study(
        cohort=cohort,
        title=next(iter(titles.values())),
        description=str(declared.get("description") or "").strip(),
        schedule=checked_schedule(declared.get("schedule"), path),
        timezone=checked_timezone(declared.get("timezone", TIMEZONE), path),
        deadline_hours=checked_deadline(declared.get("deadline_hours"), path),
        codelists=codelists,
        file=path,
        language=_language(declared.get("language", LANGUAGES[0]), path),
        titles=titles,
        **sections,
    )
    return checked_together(study, str(path))


def study_from_dict(declared: Mapping[str, Any], codelists: Path) -> Study:
    """The study that `as_dict` wrote (the `study` of a run.json).

    Raises InputError when a value is missing or wrong.
    """
    where = "run.json"
    sections = {section: _section(section, declared[section], where, codelists) for section in SECTIONS}
    cohort = str(declared["cohort"])
    return Study(cohort=cohort, title=cohort, description="", schedule=None, codelists=codelists, **sections)


def resolve(study: Study, overrides: Mapping[str, Any]) -> Study:
    """The study with the user's changes, by parameter name (`age_minimum`, or `population.age_minimum`).

    Raises InputError: one sentence with the parameter, the value and what is allowed.
    """
    where = f"Study {study.cohort}"
    changes: dict[str, dict[str, Any]] = {}
    for key, value in overrides.items():
        parameter = _parameter_named(key, where)
        if parameter.name in changes.get(parameter.section, {}):  # by its short name and by its long one
            raise InputError(f"{where}: {parameter.section}.{parameter.name} is given twice; give it once.")
        changes.setdefault(parameter.section, {})[parameter.name] = checked(parameter, value, where, study.codelists)
    sections = {section: replace(getattr(study, section), **values) for section, values in changes.items()}
    return checked_together(replace(study, **sections), where)


def checked_together(study: Study, where: str) -> Study:
    """The study, whose parameters go together; what depends on days is looked at once they are no words.

    Raises InputError: one sentence with the parameter, the value and what to do.
    """
    population = study.population
    if not population.words:
        _check_dates(population, where)
    _check_gap(study, where)
    if population.age_maximum < population.age_minimum:
        raise InputError(
            f"{where}: population.age_maximum is {population.age_maximum}, "
            f"but must not be below age_minimum, {population.age_minimum}."
        )
    if not study.outcomes.rules:
        raise InputError(f"{where}: outcomes.rules is empty, but a study needs at least one rule.")
    _check_rules(study, where)
    _check_trackloss(population, where)
    if study.medicines.level == PRESCRIPTION and study.exposures.interaction_level > 1:
        raise InputError(
            f"{where}: exposures.interaction_level is {study.exposures.interaction_level}, but a prescription is "
            "several medicines already, and two would be named as a third: set it to 1, or choose another level."
        )
    return study


def _parameter_named(key: str, where: str) -> Parameter:
    rows = parameter_table().values()
    named = {f"{row.section}.{row.name}" if "." in key else row.name: row for row in rows}
    refuse_unknown([key], list(named), where)
    return named[key]


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"Study file {path} does not exist.")
    declared = read_values(path)
    if not isinstance(declared, dict):
        raise InputError(f"{path} must hold keys and values: cohort, title and the sections {', '.join(SECTIONS)}.")
    return declared


def _check_keys(declared: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in declared:
        if key not in known:
            raise InputError(
                f'{where}: "{key}" is not known{near_miss(str(key), known)}; known are {", ".join(known)}.'
            )


def _section(section: str, declared: Any, where: str, codelists: Path) -> Any:
    if not isinstance(declared, Mapping):
        raise InputError(f"{where}: {section} must hold parameters and their values, one on a line.")
    names = tuple(field.name for field in fields(SECTIONS[section]))
    _check_keys(declared, names, f"{where}: {section}")
    values = {}
    for name in names:
        parameter = parameter_table()[name]
        value = declared.get(name, parameter.default)
        if value is MISSING:
            raise InputError(f"{where}: {section}.{name} is missing: {parameter.help}")
        values[name] = checked(parameter, value, where, codelists)
    return SECTIONS[section](**values)


def _titles(declared: Any, path: Path) -> dict[str, str]:
    """{language: title}, English first where it is given; a title in no language named is that of every report."""
    if not isinstance(declared, Mapping):
        return {LANGUAGES[0]: str(declared)}
    _check_keys(declared, LANGUAGES, f"{path}: title")
    return {language: str(declared[language]) for language in LANGUAGES if declared.get(language)}


def _language(value: Any, path: Path) -> str:
    if value not in LANGUAGES:
        raise InputError(f'{path}: language is "{value}", but must be one of: {", ".join(LANGUAGES)}.')
    return str(value)


def _check_dates(population: Population, where: str) -> None:
    if population.last_day <= population.first_day:
        raise InputError(
            f"{where}: population.study_end is {population.study_end}, "
            f"but must come after study_start, {population.study_start}."
        )
    if population.follow_up_start > population.last_day:
        raise InputError(
            f"{where}: population.start_gap_months is {population.start_gap_months}, which leaves no follow-up "
            f"before study_end, {population.study_end}: shorten the gap or lengthen the study."
        )


def _check_trackloss(population: Population, where: str) -> None:
    """Follow-up that ended after the gap would end when the person is there again."""
    months, after = population.trackloss_months, population.trackloss_after_months
    if 0 < months < after:
        raise InputError(
            f"{where}: population.trackloss_after_months is {after}, but must not be more than trackloss_months, "
            f"{months}: who is lost track of may be there again by then."
        )


def _check_rules(study: Study, where: str) -> None:
    """Rules are chosen among those of all definitions, but a study has one."""
    outcomes = study.outcomes
    known = [rule.rule for rule in load_definition(study.codelists, outcomes.definition).rules]
    foreign = [rule for rule in outcomes.rules if rule not in known]
    if foreign:
        raise InputError(
            f"{where}: outcomes.rules has {foreign[0]}, which is no rule of {outcomes.definition}; it has "
            f"{', '.join(known)}."
        )


def _check_gap(study: Study, where: str) -> None:
    """What a prevalent user started is out of the design: its lags must be over when follow-up starts."""
    gap, washout = study.population.start_gap_months, study.exposures.washout_months
    days = study.model.lags * study.model.bucket_days
    enough = ceil(washout + days / DAYS_A_MONTH)
    if gap < enough:
        raise InputError(
            f"{where}: population.start_gap_months is {gap}, shorter than washout_months, {washout}, plus the lags of "
            f"the model, {days} days: set it to {enough} or more, or shorten these."
        )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, RelativeDate):
        return value.words
    return value.isoformat() if isinstance(value, dt.date) else value


def _day(date: Day) -> dt.date:
    if isinstance(date, RelativeDate):
        raise ValueError(f'"{date}" is no day before a run is planned on a root.')
    return date


def _pattern(parameter: Parameter) -> str | None:
    if parameter.relative:
        return form_pattern(parameter.relative)
    if parameter.type == "month":
        return f"^({MONTH})?$"
    return f"^({parameter.pattern})$" if parameter.pattern else None
