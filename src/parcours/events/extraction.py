"""All events of a root in one pass: what is read, which filters apply, what is counted on the way."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F

from parcours.events.claims import ACT_COLUMNS, PURCHASE_COLUMNS, drug_purchases, outpatient_acts, packs_by_cip13
from parcours.events.filters import Filter, columns_of, filters_of, removal_counts, removed_by
from parcours.events.flat_tables import read_flat, spark_path
from parcours.events.persons import PERSON_SOURCE_COLUMNS, persons
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

HOSPITAL = "hospital"
Periods = Mapping[str, Mapping[str, Path]]


@dataclass(frozen=True)
class Source:
    """One pass over a flat product: the rows it starts from, the filters, and the events made of what is left."""

    name: str
    product: str
    columns: frozenset[str]
    present: str | None
    extract: Callable[[DataFrame], DataFrame]

    @property
    def filters(self) -> tuple[Filter, ...]:
        """The filters of this pass."""
        return filters_of(self.product, self.name)


def sources(packs: DataFrame) -> tuple[Source, ...]:
    """Every pass; `present` names the column without which a row is none of its business."""
    return (
        Source(
            DRUG_PURCHASE,
            "DCIR",
            PURCHASE_COLUMNS,
            "ER_PHA_F__PHA_PRS_C13",
            lambda dcir: drug_purchases(dcir, packs),
        ),
        Source(DCIR_CCAM_ACT, "DCIR", ACT_COLUMNS, "ER_CAM_F__CAM_PRS_IDE", outpatient_acts),
        Source(HOSPITAL, "MCO", STAY_COLUMNS, None, hospital_events),
        Source(MCO_CE_CCAM_ACT, "MCO_CE", OUTPATIENT_COLUMNS, "MCO_FMSTC__CCAM_COD", outpatient_hospital_acts),
    )


@dataclass
class Extraction:
    """Events not yet computed, and the counts that fill while they are written."""

    events: DataFrame
    observed: dict[str, Observation]
    written: Observation
    not_delivered: list[str]

    def summary(self) -> dict[str, Any]:
        """{rows: {source: {read, filter: removed}}, events: {category: n}, not_delivered}; call it after the write."""
        rows = {name: {key: n for key, n in seen.get.items() if n} for name, seen in self.observed.items()}
        return {"rows": rows, "events": dict(self.written.get), "not_delivered": self.not_delivered}


def extract_packs(spark: SparkSession, periods: Mapping[str, Path]) -> DataFrame:
    """The packs of the reference IR_PHA_R: cip13, atc, large."""
    return packs_by_cip13(read_flat(spark, "IR_PHA_R", periods, ["PHA_CIP_C13", "PHA_ATC_C07", "PHA_CND_TOP"]))


def extract_events(spark: SparkSession, periods: Periods, packs: DataFrame, codelists: Path) -> Extraction:
    """Every event of the published periods: {product: {period: directory}}."""
    observed: dict[str, Observation] = {}
    frames, absent = [], []
    for source in sources(packs):
        if source.product not in periods or source.product not in product_names():
            absent.append(source.product)
            continue
        observed[source.name] = Observation(source.name)
        frames.append(_extracted(spark, source, periods[source.product], codelists, observed[source.name]))
    written = Observation("events")
    counts = [F.count_if(F.col("category") == category).alias(category) for category in CATEGORIES]
    events = union(frames).select(*EVENT_COLUMNS).observe(written, *counts)
    return Extraction(events, observed, written, absent)


def extract_persons(
    spark: SparkSession, ben_r: Mapping[str, Path], identity: Path, codelists: Path, seen: Observation
) -> DataFrame:
    """The persons of the referential, without uncertified identifiers; counts go to `seen`."""
    filters = filters_of("IR_BEN_R")
    rows = read_flat(spark, "IR_BEN_R", ben_r, PERSON_SOURCE_COLUMNS | columns_of(filters))
    kept = _counted(rows, filters, codelists, seen)
    return persons(kept, spark.read.parquet(spark_path(identity / "identity.parquet")))


def _extracted(
    spark: SparkSession, source: Source, periods: Mapping[str, Path], codelists: Path, seen: Observation
) -> DataFrame:
    columns = set(source.columns) | columns_of(source.filters)
    rows = read_flat(spark, source.product, periods, columns)
    if source.present:
        rows = rows.where(F.col(source.present).isNotNull())
    return source.extract(_counted(rows, source.filters, codelists, seen))


def _counted(rows: DataFrame, filters: tuple[Filter, ...], codelists: Path, seen: Observation) -> DataFrame:
    marked = rows.withColumn("removed_by", removed_by(filters, codelists))
    counted = marked.observe(seen, *removal_counts(filters, F.col("removed_by")))
    return counted.where(F.col("removed_by").isNull()).drop("removed_by")
