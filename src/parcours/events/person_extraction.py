"""Persons and deaths of a root: which published products they are read from, and what is counted on the way."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from parcours.errors import InputError
from parcours.events.deaths import (
    CERTIFICATE_COLUMNS,
    DEATH_COLUMNS,
    DISCHARGE,
    DISCHARGE_COLUMNS,
    HOLDER_COLUMNS,
    UPDATED,
    death_sources,
    discharge_source,
    holders,
    told_by_certificates,
    told_by_discharges,
    told_by_referential,
    told_by_stays,
    with_holder,
)
from parcours.events.filtered_rows import kept_rows, marked_rows, rows_by_kind
from parcours.events.flat_tables import flat_columns, read_flat
from parcours.events.persons import CERTIFIED, PERSON_SOURCE_COLUMNS, Key, identifying_columns, linked, persons
from parcours.events.schema import union
from parcours.snds.person_columns import referential_tables
from parcours.storage.manifest import read_manifest
from parcours.storage.place import Place, spark_path

CERTIFICATES = "KI_CCI_R"
KINDS = {"IR_BEN_R": "persons", "IR_BEN_R_ARC": "archived_persons"}
Periods = Mapping[str, Mapping[str, Place]]


@dataclass
class PersonExtraction:
    """Attributes and tellings of death not yet computed, and the counts that fill while they are written."""

    known: DataFrame
    told: DataFrame
    observed: list[Observation]
    certificates: Observation | None
    not_delivered: list[str]

    def summary(self) -> dict[str, Any]:
        """{rows: {kind: {read, filter: removed}}, certificates, not_delivered}; call it after the writes."""
        certificates = dict(self.certificates.get) if self.certificates else {}
        return {
            "rows": rows_by_kind(self.observed),
            "certificates": certificates,
            "not_delivered": self.not_delivered,
        }


def extract_persons(
    spark: SparkSession, periods: Periods, events: DataFrame, identity: Place, codelists: Path
) -> PersonExtraction:
    """What the published referentials, certificates and stays say of persons: {product: {period: directory}}."""
    couples = spark.read.parquet(spark_path(identity / "identity.parquet"))
    stated = _stated_columns(identity)
    names = {name: flat_columns(periods[name]) for name in _referentials(periods)}
    keys = {name: identifying_columns(name, found, stated) for name, found in names.items()}
    observed: list[Observation] = []
    known = persons(union(list(_certified_rows(spark, periods, couples, keys, codelists, observed))))
    rows = {name: _linked_rows(spark, name, periods[name], couples, keys[name]) for name in keys}
    told = [told_by_stays(events), *(told_by_referential(frame, name) for name, frame in rows.items())]
    told += _discharges(spark, periods, codelists, observed)
    seen = None
    if CERTIFICATES in periods:
        seen = Observation("certificates")
        told.append(_certificates(spark, periods[CERTIFICATES], union(list(rows.values())), seen))
    absent = sorted({source.product for source in death_sources()} - set(periods))
    return PersonExtraction(known, union(told), observed, seen, absent)


def _stated_columns(identity: Place) -> dict[str, Any]:
    """The columns by which flattening made the identity."""
    columns: dict[str, Any] | None = (read_manifest(identity) or {}).get("columns")
    if columns is None:
        raise InputError(f"{identity} was made by an earlier version of Parcours; flatten the delivery again.")
    return columns


def _referentials(periods: Periods) -> list[str]:
    return [name for name in referential_tables() if name in periods]


def _certified_rows(
    spark: SparkSession,
    periods: Periods,
    couples: DataFrame,
    keys: Mapping[str, Key],
    codelists: Path,
    observed: list[Observation],
) -> Iterator[DataFrame]:
    """The linked rows of each referential, with whether their identifier is certified."""
    for place, name in enumerate(referential_tables()):
        if name not in keys:
            continue
        key = keys[name]
        own = key.columns
        observed.append(Observation(name))
        marked = marked_rows(
            spark, name, periods[name], PERSON_SOURCE_COLUMNS | own, {KINDS[name]: ()}, codelists, observed[-1], own
        )
        rows = marked.withColumnRenamed(KINDS[name], CERTIFIED).withColumn("place", F.lit(place))
        yield linked(rows, couples, key).select(
            "person_id", "psa", "rank", "ambiguous", "place", CERTIFIED, *sorted(PERSON_SOURCE_COLUMNS)
        )


def _linked_rows(
    spark: SparkSession, name: str, periods: Mapping[str, Place], couples: DataFrame, key: Key
) -> DataFrame:
    """The rows of a referential that say who died and who holds an identifier, certified or not."""
    columns, own = DEATH_COLUMNS | HOLDER_COLUMNS | {UPDATED}, key.columns
    read = read_flat(spark, name, periods, columns | own, own)
    return linked(read, couples, key).select("person_id", "psa", "rank", *sorted(columns))


def _discharges(
    spark: SparkSession, periods: Periods, codelists: Path, observed: list[Observation]
) -> Iterator[DataFrame]:
    """Tellings of the stays of SSR, HAD and RIP; those of MCO are events."""
    for product in (source.product for source in death_sources() if source.gives == DISCHARGE):
        if product == "MCO" or product not in periods:
            continue
        observed.append(Observation(f"{product}_discharge"))
        kind, mode = f"{product.lower()}_discharge", discharge_source(product).flat_column
        rows = kept_rows(
            spark, product, periods[product], DISCHARGE_COLUMNS | {mode}, {kind: (mode,)}, codelists, observed[-1]
        )
        yield told_by_discharges(rows, product)


def _certificates(spark: SparkSession, periods: Mapping[str, Place], rows: DataFrame, seen: Observation) -> DataFrame:
    read = read_flat(spark, CERTIFICATES, periods, CERTIFICATE_COLUMNS)
    named = with_holder(read, holders(rows))
    nobody = F.col("person_id").isNull()
    counts = {
        "of_a_person": ~nobody,
        "not_matched": ~F.col("matched"),
        "of_nobody_known": F.col("matched") & nobody,
    }
    counted = named.observe(seen, *[F.count_if(condition).alias(name) for name, condition in counts.items()])
    return told_by_certificates(counted)
