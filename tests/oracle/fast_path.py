"""The fast path on the rows of many persons at once: the same functions that slices run, on tables at hand."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from parcours.cohort.definitions import load_definition
from parcours.cohort.exposures import exposures_of
from parcours.cohort.medicine_levels import purchases_at
from parcours.cohort.medicines import purchases_of
from parcours.cohort.observation import Known
from parcours.cohort.outcomes import outcomes_of, when_found
from parcours.cohort.population import follow_up_of
from parcours.cohort.slices import days_of
from parcours.cohort.study import Study
from parcours.engine.duck import duck, query
from parcours.events.columns import PERIOD, column_type
from parcours.events.deaths import decided, judged, told_by_certificates, told_by_referential, told_by_stays
from parcours.events.extractors import care_categories, extractors, passes
from parcours.events.one_pass import events_of_rows
from parcours.events.person_slices import CARE, REFERENTIAL, STAY, TOLD
from parcours.events.persons import everybody, persons_told
from parcours.events.references import pack_references
from parcours.features.case_series import case_events, case_exposures
from tests.oracle.history import REFERENTIALS, Records
from tests.oracle.rows import CODELISTS

PRODUCTS = {"DCIR": "dcir", "MCO": "mco", "MCO_CE": "mco_ce"}
DISCHARGES = ("SSR", "HAD", "RIP")
ARROW = {
    "VARCHAR": pa.string(),
    "BIGINT": pa.int64(),
    "INTEGER": pa.int32(),
    "DOUBLE": pa.float64(),
    "DATE": pa.date32(),
}
STATED = pa.schema([("person_id", pa.int64()), ("BEN_DCD_DTE", pa.date32()), ("BEN_DCD_AME", pa.string())])
# Those that the oracle reads.
CATEGORIES = {
    "DCIR": ("drug_purchase", "prescribed_purchase", "dcir_ccam_act"),
    "MCO": (
        *("mco_hospital_stay", "mco_main_diagnosis", "mco_linked_diagnosis", "mco_associated_diagnosis"),
        "mco_ccam_act",
    ),
    "MCO_CE": ("mco_ce_ccam_act",),
    "SSR": ("ssr_hospital_stay",),
    "HAD": ("had_hospital_stay",),
    "RIP": ("rip_hospital_stay",),
}
Rows = Sequence[Mapping[str, Any]]


def packs_table(packs: Mapping[int, tuple[int | None, str | None, bool]]) -> pa.Table:
    """The packs of the oracle as the reference gives them."""
    rows = [
        {"cip13": str(cip13), "cip7": cip7, "atc": atc, "large": large} for cip13, (cip7, atc, large) in packs.items()
    ]
    types = [("cip13", pa.string()), ("cip7", pa.int64()), ("atc", pa.string()), ("large", pa.bool_())]
    return pa.Table.from_pylist(rows, pa.schema(types))


def events(found: Sequence[Records], packs: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The events that the oracle tells, and those of other stays, of persons numbered from 1."""
    own = {product: _numbered(found, lambda one, name=name: getattr(one, name)) for product, name in PRODUCTS.items()}
    others = {name: _numbered(found, lambda one, name=name: one.discharges.get(name, ())) for name in DISCHARGES}
    told, beside = (
        pa.concat_tables([table for product, rows in some.items() for table in _of_product(product, rows, packs)])
        for some in (own, others)
    )
    return told, beside


def _numbered(found: Sequence[Records], rows_of: Any) -> list[dict[str, Any]]:
    return [
        {**row, "person_id": number if row.get("person_id") else None}
        for number, one in enumerate(found, start=1)
        for row in rows_of(one)
    ]


def _of_product(product: str, rows: Rows, packs: pa.Table) -> Iterable[pa.Table]:
    of = passes()[product]
    wanted = [extractors()[category] for category in CATEGORIES[product]]
    columns = sorted(of.columns(wanted) - {PERIOD})
    schema = pa.schema([*((name, ARROW[column_type(product, name)]) for name in columns), (PERIOD, pa.string())])
    table = pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], schema)
    made, _ = events_of_rows(table, of, wanted, pack_references(packs), CODELISTS)
    return made.values()


def persons(found: Sequence[Records], told: pa.Table, beside: pa.Table) -> pa.Table:
    """Who there is and who died."""
    referential = pa.Table.from_pylist(
        [
            {
                **row,
                "person_id": number,
                "psa": f"{row['BEN_NIR_PSA']}-{number}",
                "rank": 1 if row["BEN_RNG_GEM"] is None else row["BEN_RNG_GEM"],
                "place": place,
                "certified": row["BEN_CDI_NIR"] in (None, "00"),
            }
            for place, name in enumerate(REFERENTIALS)
            for number, one in enumerate(found, start=1)
            for row in one.referentials.get(name, ())
        ],
        REFERENTIAL,
    )
    both = pa.concat_tables([told, beside])
    care = query("SELECT person_id, category, start FROM told", told=_of(both, care_categories())).cast(CARE)
    tellings = [told_by_stays(both.select(STAY.names)), _certified(found)]
    tellings += [
        told_by_referential(query(f"SELECT * FROM referential WHERE place = {n}", referential=referential), name)
        for n, name in enumerate(REFERENTIALS)
    ]
    known = persons_told(referential)
    deaths = judged(pa.concat_tables([table.cast(TOLD) for table in tellings]), known, care)
    return everybody(known, care, decided(deaths))


def _of(table: pa.Table, categories: Iterable[str]) -> pa.Table:
    listed = ", ".join(f"'{name}'" for name in categories)
    return query(f"SELECT * FROM events WHERE category IN ({listed})", events=table)


def _certified(found: Sequence[Records]) -> pa.Table:
    """Tellings of the certificates; whose they are the oracle takes as known."""
    rows = [
        {"person_id": number, "BEN_DCD_DTE": row["BEN_DCD_DTE"], "BEN_DCD_AME": row["BEN_DCD_AME"]}
        for number, one in enumerate(found, start=1)
        for row in one.certificates
        if row["DCD_IDT_TOP"] != 0
    ]
    with duck() as connection:
        connection.register("stated", pa.Table.from_pylist(rows, STATED))
        return connection.sql(told_by_certificates("SELECT * FROM stated")).to_arrow_table()


def cohort(study: Study, who: pa.Table, told: pa.Table, packs: pa.Table) -> dict[str, pa.Table]:
    """follow_up, exposures, outcomes (with `when`), case days and case exposures."""
    purchases = _of(told, [purchases_at(study.medicines.level)])
    bought = purchases_of(purchases, packs, study.medicines, study.codelists)
    definition = load_definition(study.codelists, study.outcomes.definition)
    found = outcomes_of(told, definition, study.outcomes)
    follow_up, _ = follow_up_of(who, study.population, Known(bought, days_of(purchases), found))
    exposed = exposures_of(bought, follow_up, study.exposures, study.washout_end)
    placed = when_found(found, follow_up)
    during = query("""SELECT * FROM placed WHERE "when" = 'during'""", placed=placed)
    days = case_events(during, study.outcomes.outcome_events)
    return {
        "follow_up": follow_up,
        "exposures": exposed,
        "outcomes": placed,
        "case_days": days,
        "case_exposures": case_exposures(exposed, days),
    }
