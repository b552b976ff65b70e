"""The steps of a study's run, and what each is made of: what a step does not use cannot make it run again.

Standard library and YAML only: called inside Airflow tasks and by the command line.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

from parcours.cohort.definitions import load_definition
from parcours.cohort.medicine_levels import DRUG_FAMILIES, FAMILY, purchases_at
from parcours.cohort.study import Study
from parcours.events.death_sources import death_rules, death_sources
from parcours.events.extractors import Extractor, care_categories, extractors, passes
from parcours.events.filters import Filter, filters_of
from parcours.snds.contracts import load_product
from parcours.snds.person_columns import referential_tables
from parcours.storage.fingerprint import fingerprint, sources_version

MEDICINES, FLUX_LAGS, PERSONS = "medicines", "flux_lags", "persons"
POPULATION, EXPOSURES, OUTCOMES = "population", "exposures", "outcomes"
EVENTS, COHORT, FEATURES, MODEL, REPORT = STAGES = ("events", "cohort", "features", "model", "report")
CERTIFICATES = "KI_CCI_R"
ROWS_CODE = (
    "engine",
    "snds/contracts.py",
    "snds/tables",
    "snds/products",
    "events/columns.py",
    "events/flat_tables.py",
)
EVENTS_CODE = (*ROWS_CODE, "events/one_pass.py", "events/extractors.py", "events/filters.py", "events/codelists.py")
MEDICINES_CODE = ("events/references.py", *ROWS_CODE)
LINKED_CODE = ("events/linked.py", "events/persons.py", "events/deaths.py", "snds/persons_of_rows.py")
PERSONS_CODE = (
    *(*ROWS_CODE, "events/filters.py", "events/codelists.py", "snds/person_columns.py", "snds/identity.yaml"),
    *("events/persons.py", "events/deaths.py", "events/linked.py", "events/person_slices.py"),
)
COHORT_CODE = ("engine", "cohort/slices.py")
BOUGHT_CODE = ("cohort/medicines.py", "cohort/medicine_levels.py", "events/codelists.py")
EXPOSURES_CODE = ("cohort/exposures.py", "cohort/interactions.py")
FOUND_CODE = ("cohort/outcomes.py", "cohort/definitions.py", "events/codelists.py")


@dataclass(frozen=True)
class Step:
    """One step: its stage, and all that its result depends on."""

    name: str
    stage: str
    made_of: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """The same for whatever is made of the same."""
        return fingerprint({"step": self.name, **self.made_of})

    def as_dict(self) -> dict[str, Any]:
        """{step, stage, fingerprint, made_of}: JSON-able."""
        return {"step": self.name, "stage": self.stage, "fingerprint": self.fingerprint, "made_of": self.made_of}


def steps_of(
    study: Study, data: Mapping[str, Mapping[str, str]], identity: str | None, codelists: Mapping[str, str]
) -> list[Step]:
    """The steps from flat tables to the model, in order: {product: {period: fingerprint}}, checksums of code lists."""
    events = event_steps(_categories(study, data), data, identity, codelists)
    medicines = medicines_step(data)
    lags = Step(FLUX_LAGS, EVENTS, {"data": data["DCIR"], "code": sources_version("events/extraction.py", *ROWS_CODE)})
    persons = _persons_step(data, identity, events)
    population = _population_step(study, persons, events, medicines, codelists)
    exposures = _exposures_step(study, codelists, _purchases(study, events), medicines, population)
    outcomes = _outcomes_step(study, codelists, events, population)
    features = _features_step(study, population, exposures, outcomes)
    model = Step(
        MODEL,
        MODEL,
        {
            "features": features.fingerprint,
            "model": study.as_dict()["model"],
            "code": sources_version("models", "stages/training.py"),
        },
    )
    return [*events.values(), medicines, lags, persons, population, exposures, outcomes, features, model]


def _categories(study: Study, data: Mapping[str, Any]) -> list[str]:
    """What a study reads, what tells that persons are cared for and what tells of deaths, of the products there are."""
    read = load_definition(study.codelists, study.outcomes.definition).categories
    wanted = {purchases_at(study.medicines.level), *read, *care_categories(), *stay_categories()}
    return [category for category in sorted(wanted) if extractors()[category].product in data]


def required_products(study: Study) -> tuple[str, ...]:
    """The products without which there is no study: those of purchases, packs and persons, and those of its rules.

    MCO_CE holds few outcomes beside MCO; without it a rule finds nothing, which the cohort's summary tells.
    """
    rules = load_definition(study.codelists, study.outcomes.definition).rules
    chosen = (rule.find.categories for rule in rules if rule.rule in study.outcomes.rules)
    found = {extractors()[category].product for categories in chosen for category in categories} - {"MCO_CE"}
    return ("DCIR", "IR_BEN_R", "IR_PHA_R", *sorted(found - {"DCIR"}))


def products_read(study: Study) -> set[str]:
    """The products whose events the definition of a study's outcomes names."""
    read = load_definition(study.codelists, study.outcomes.definition).categories
    return {extractors()[category].product for category in read}


def stay_categories() -> tuple[str, ...]:
    """The categories of stays, whose mode of exit tells of deaths."""
    return tuple(source.category for source in death_sources() if source.category)


def event_steps(
    categories: Iterable[str],
    data: Mapping[str, Mapping[str, str]],
    identity: str | None,
    codelists: Mapping[str, str],
) -> dict[str, Step]:
    """The step of each category: it is of the product, of what codes are looked up in, and of all that is declared.

    Where a reference does not hold persons, it is of the identity that gives its rows to them too.
    """
    return {category: _event_step(extractors()[category], data, identity, codelists) for category in categories}


def medicines_step(data: Mapping[str, Mapping[str, str]]) -> Step:
    """The packs and names of medicines."""
    return Step(MEDICINES, EVENTS, {"data": data["IR_PHA_R"], "code": sources_version(*MEDICINES_CODE)})


def _event_step(
    one: Extractor, data: Mapping[str, Mapping[str, str]], identity: str | None, codelists: Mapping[str, str]
) -> Step:
    of = passes()[one.product]
    references, linked = of.references([one]), is_linked(one.product)
    code = (*EVENTS_CODE, *(MEDICINES_CODE if references else ()), *(LINKED_CODE if linked else ()))
    made_of: dict[str, Any] = {
        "data": {one.product: data[one.product]},
        "references": {name: data[name] for name in sorted(references)},
        "extractor": {name: value for name, value in asdict(one).items() if name not in ("title", "origin", "care")},
        "define": of.defined([one]),
        "details": {table: list(names) for table, names in of.details.items()} if one.net and one.net.line else {},
        "forms": {form["name"]: form["sql"] for form in of.forms([one])},
        "filters": [_filter(each) for each in one.filters],
        "codelists": {file: codelists.get(file) for file in sorted(_files(one.filters))},
        # The number of a claim is a hash of DuckDB.
        "code": [sources_version(*dict.fromkeys(code)), version("duckdb")],
    }
    if linked:
        holders = referential_tables() if "identity" in load_product(one.product).person else ()
        made_of["identity"] = identity
        made_of["references"] |= {name: data[name] for name in holders if name in data}
    return Step(one.category, EVENTS, made_of)


def is_linked(product: str) -> bool:
    """Whether a product is a reference, whose rows are given to persons when events are extracted."""
    return load_product(product).form == "reference"


def _filter(one: Filter) -> dict[str, Any]:
    return {"id": one.id, "where": list(one.where), "unless": list(one.unless), "until": one.until}


def _files(filters: Iterable[Filter]) -> Iterator[str]:
    conditions = (condition for one in filters for condition in (*one.where, *one.unless))
    return (condition["in_list"]["file"] for condition in conditions if "in_list" in condition)


def _persons_step(data: Mapping[str, Any], identity: str | None, events: Mapping[str, Step]) -> Step:
    products = [name for name in (*referential_tables(), CERTIFICATES) if name in data]
    read = [category for category in (*care_categories(), *stay_categories()) if category in events]
    made_of = {
        "identity": identity,
        "data": {name: data[name] for name in products},
        "events": {category: events[category].fingerprint for category in sorted(read)},
        "deaths": death_rules(),
        "filters": [_filter(each) for name in products for each in filters_of(name)],
        "code": sources_version(*PERSONS_CODE),
    }
    return Step(PERSONS, EVENTS, made_of)


def _population_step(
    study: Study, persons: Step, events: Mapping[str, Step], medicines: Step, codelists: Mapping[str, str]
) -> Step:
    """Purchases and outcomes are in it only where they decide who is followed, or how long."""
    asked = study.as_dict()["population"]
    unused = ["late_flux_months", "incomplete_data", "data_until"] + (
        [] if asked["trackloss_months"] else ["trackloss_after_months"]
    )
    made_of: dict[str, Any] = {
        "persons": persons.fingerprint,
        "population": {name: value for name, value in asked.items() if name not in unused},
        "code": sources_version("cohort/population.py", "cohort/observation.py", *COHORT_CODE),
    }
    if study.population.trackloss_months:
        made_of["purchases"] = _purchases(study, events).fingerprint
    if study.population.looks_at_first_purchases:
        bought = _bought(study, codelists, _purchases(study, events), medicines)
        made_of["bought"] = {**bought, "code": sources_version(*BOUGHT_CODE)}
    if study.population.prior_outcome == "drop":
        made_of["prior_outcomes"] = {**_found(study, codelists, events), "code": sources_version(*FOUND_CODE)}
    return Step(POPULATION, COHORT, made_of)


def _purchases(study: Study, events: Mapping[str, Step]) -> Step:
    return events[purchases_at(study.medicines.level)]


def _bought(study: Study, codelists: Mapping[str, str], purchases: Step, medicines: Step) -> dict[str, Any]:
    """What the purchases of the study's medicines are made of."""
    listed = codelists.get(DRUG_FAMILIES) if study.medicines.level == FAMILY else None
    return {
        "purchases": purchases.fingerprint,
        "packs": medicines.fingerprint,
        "medicines": study.as_dict()["medicines"],
        "codelists": {DRUG_FAMILIES: listed} if listed else {},
    }


def _found(study: Study, codelists: Mapping[str, str], events: Mapping[str, Step]) -> dict[str, Any]:
    """What the outcomes over all the data are made of."""
    definition = load_definition(study.codelists, study.outcomes.definition)
    asked = study.as_dict()["outcomes"]
    return {
        "events": {name: events[name].fingerprint for name in definition.categories if name in events},
        "outcomes": {name: value for name, value in asked.items() if name != "outcome_events"},
        "codelists": {file: codelists.get(file) for file in definition.files},
    }


def _exposures_step(
    study: Study, codelists: Mapping[str, str], purchases: Step, medicines: Step, population: Step
) -> Step:
    made_of = {
        **_bought(study, codelists, purchases, medicines),
        "population": population.fingerprint,
        "exposures": study.as_dict()["exposures"],
        "code": sources_version(*EXPOSURES_CODE, *BOUGHT_CODE, *COHORT_CODE),
    }
    return Step(EXPOSURES, COHORT, made_of)


def _outcomes_step(study: Study, codelists: Mapping[str, str], events: Mapping[str, Step], population: Step) -> Step:
    made_of = {
        **_found(study, codelists, events),
        "population": population.fingerprint,
        "code": sources_version(*FOUND_CODE, *COHORT_CODE),
    }
    return Step(OUTCOMES, COHORT, made_of)


def _features_step(study: Study, population: Step, exposures: Step, outcomes: Step) -> Step:
    asked = study.as_dict()
    made_of = {
        "population": population.fingerprint,
        "exposures": exposures.fingerprint,
        "outcomes": outcomes.fingerprint,
        "outcome_events": asked["outcomes"]["outcome_events"],
        "lags": {name: asked["model"][name] for name in ("lags", "bucket_days")},
        "code": sources_version("features", "engine"),
    }
    return Step(FEATURES, FEATURES, made_of)
