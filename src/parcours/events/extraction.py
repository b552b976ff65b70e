"""All events of a root in one pass: what is read, which filters apply, what is counted on the way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from parcours.events.claims import ACT_PRESENT, CLAIM_COLUMNS, PURCHASE_PRESENT, claim_events, packs_by_cip13
from parcours.events.filtered_rows import kept_rows, rows_by_kind
from parcours.events.flat_tables import read_flat
from parcours.events.schema import (
    CATEGORIES,
    DCIR_CCAM_ACT,
    DRUG_PURCHASE,
    EVENT_COLUMNS,
    MCO_CE_CCAM_ACT,
    union,
)
from parcours.events.stays import OUTPATIENT_COLUMNS, STAY_COLUMNS, hospital_events, outpatient_hospital_acts
from parcours.snds.contracts import product_names
from parcours.storage.place import Place

HOSPITAL = "hospital"
Periods = Mapping[str, Mapping[str, Place]]


@dataclass(frozen=True)
class Source:
    """One pass over a flat product.

    `uses` maps each kind of row that it reads to the columns of which a row has one, or is none of its business (no
    column: every row). `extract` gets the rows that at least one kind may use, with a boolean column for each kind.
    """

    product: str
    columns: frozenset[str]
    uses: Mapping[str, tuple[str, ...]]
    extract: Callable[[DataFrame], DataFrame]


def sources(packs: DataFrame) -> tuple[Source, ...]:
    """Every pass."""
    claims = {DRUG_PURCHASE: PURCHASE_PRESENT, DCIR_CCAM_ACT: (ACT_PRESENT,)}
    return (
        Source("DCIR", CLAIM_COLUMNS, claims, lambda dcir: claim_events(dcir, packs)),
        Source("MCO", STAY_COLUMNS, {HOSPITAL: ()}, hospital_events),
        Source("MCO_CE", OUTPATIENT_COLUMNS, {MCO_CE_CCAM_ACT: ("MCO_FMSTC__CCAM_COD",)}, outpatient_hospital_acts),
    )


@dataclass
class Extraction:
    """Events not yet computed, and the counts that fill while they are written."""

    events: DataFrame
    observed: list[Observation]
    written: Observation
    not_delivered: list[str]

    def summary(self) -> dict[str, Any]:
        """{rows: {kind: {read, filter: removed}}, events: {category: n}, not_delivered}; call it after the write."""
        events = dict(self.written.get)
        return {"rows": rows_by_kind(self.observed), "events": events, "not_delivered": self.not_delivered}


def extract_packs(spark: SparkSession, periods: Mapping[str, Place]) -> DataFrame:
    """The packs of the reference IR_PHA_R: cip13, cip7, atc, large."""
    columns = ["PHA_CIP_C13", "PHA_PRS_IDE", "PHA_ATC_C07", "PHA_CND_TOP"]
    return packs_by_cip13(read_flat(spark, "IR_PHA_R", periods, columns))


def extract_medicine_names(spark: SparkSession, periods: Mapping[str, Place]) -> DataFrame:
    """The codes and labels of the packs of IR_PHA_R, for the names in reports."""
    columns = ["PHA_CIP_C13", "PHA_ATC_C07", "PHA_ATC_L07", "PHA_NOM_COURT"]
    return read_flat(spark, "IR_PHA_R", periods, columns).drop("period")


def extract_flux_lags(spark: SparkSession, periods: Mapping[str, Place]) -> DataFrame:
    """care, flux (months, as 2016-01), rows: lines by month of care and month of arrival."""
    lines = read_flat(spark, "DCIR", periods, ["EXE_SOI_DTD", "claim_row"])
    first = lines.where((F.col("claim_row") == 1) & F.col("EXE_SOI_DTD").isNotNull())
    care = F.date_format("EXE_SOI_DTD", "yyyy-MM").alias("care")
    return first.groupBy(care, F.col("period").alias("flux")).agg(F.count(F.lit(1)).alias("rows"))


def extract_events(spark: SparkSession, periods: Periods, packs: DataFrame, codelists: Path) -> Extraction:
    """Every event of the published periods: {product: {period: directory}}."""
    observed, frames, absent = [], [], []
    for source in sources(packs):
        if source.product not in periods or source.product not in product_names():
            absent.append(source.product)
            continue
        observed.append(Observation(source.product))
        frames.append(_extracted(spark, source, periods[source.product], codelists, observed[-1]))
    written = Observation("events")
    counts = [F.count_if(F.col("category") == category).alias(category) for category in CATEGORIES]
    events = union(frames).select(*EVENT_COLUMNS).observe(written, *counts)
    return Extraction(events, observed, written, absent)


def _extracted(
    spark: SparkSession, source: Source, periods: Mapping[str, Place], codelists: Path, seen: Observation
) -> DataFrame:
    rows = kept_rows(spark, source.product, periods, source.columns, source.uses, codelists, seen)
    return source.extract(rows)
