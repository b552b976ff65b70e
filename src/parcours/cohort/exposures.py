"""From purchases to exposures: which medicine, from when, until when."""

import datetime as dt
from functools import reduce
from pathlib import Path

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from parcours.cohort.study import Exposures, Medicines
from parcours.events.codelists import read_codelist
from parcours.events.schema import DRUG_PURCHASE

ATC_CLASS_LENGTH = 5


def purchases(events: DataFrame, medicines: Medicines, codelists: Path) -> DataFrame:
    """person_id, drug, day, cip13 of the study's medicines, from purchase events (value ATC, group CIP13).

    A purchase of a pack in two families is a purchase of both; one without an ATC code has no substance, class
    or family and is left out at those levels.
    """
    atc = F.col("value")
    kept = events.where((F.col("category") == DRUG_PURCHASE) & _selected(medicines, atc))
    drugs = _drugs(medicines.level, atc, codelists)
    named = kept.select("person_id", F.explode(drugs).alias("drug"), F.col("start").alias("day"), "group_id")
    return named.where(F.col("drug").isNotNull()).withColumnRenamed("group_id", "cip13")


def with_days(bought: DataFrame, packs: DataFrame, exposures: Exposures) -> DataFrame:
    """person_id, drug, day, days: one row a day, with the days that its largest pack covers."""
    large = F.coalesce("large", F.lit(False))
    days = F.when(large, exposures.large_pack_days).otherwise(exposures.small_pack_days)
    packed = bought.join(F.broadcast(packs.select(F.col("cip13").cast("string"), "large")), on="cip13", how="left")
    return packed.groupBy("person_id", "drug", "day").agg(F.max(days).alias("days"))


def unlimited(bought: DataFrame, exposures: Exposures) -> DataFrame:
    """person_id, drug, start, first_purchase; the start is the purchase that completes the first run in the window.

    A run is `min_purchases` within `purchases_window_days`; purchases of one day count once. `start_delay_days` is
    added to the start (SCALPEL ignores it). `first_purchase` is the first of all, in a run or not.
    """
    window = Window.partitionBy("person_id", "drug").orderBy("day")
    first_of_run = F.lag("day", exposures.min_purchases - 1).over(window)
    # One shuffle by person and drug serves the distinct days, the runs and the first of them.
    days = bought.select("person_id", "drug", "day").repartition("person_id", "drug").distinct()
    complete = F.date_diff("day", "run_start") <= exposures.purchases_window_days
    runs = days.withColumn("run_start", first_of_run).groupBy("person_id", "drug")
    started = runs.agg(F.min(F.when(complete, F.col("day"))).alias("start"), F.min("day").alias("first_purchase"))
    delayed = F.date_add("start", exposures.start_delay_days)
    return started.where(F.col("start").isNotNull()).withColumn("start", delayed)


def limited(bought: DataFrame, exposures: Exposures) -> DataFrame:
    """person_id, drug, start, end, first_purchase of each run of purchases that follow each other (as in SCALPEL).

    `bought` has a row per person, drug and day with the `days` it covers. A purchase joins the run when it
    comes before the previous ones are used up plus `merge_tolerance_days`. The run ends after the days of all
    its purchases (purchase_count) or when its last purchase is used up (latest_purchase).
    """
    tolerance = exposures.merge_tolerance_days
    start = F.date_add("day", exposures.start_delay_days)
    periods = bought.withColumn("start", start).withColumn("until", F.expr(f"date_add(start, days + {tolerance})"))
    person_drug = Window.partitionBy("person_id", "drug").orderBy("start")
    so_far = person_drug.rowsBetween(Window.unboundedPreceding, -1)
    up_to_here = person_drug.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    new_run = F.col("start") >= F.max("until").over(so_far)
    marked = periods.withColumn("new_run", F.coalesce(new_run, F.lit(True)).cast("int"))
    numbered = marked.withColumns(
        {"run": F.sum("new_run").over(up_to_here), "first_purchase": F.min("day").over(up_to_here)}
    )
    runs = numbered.groupBy("person_id", "drug", "run").agg(
        F.min("start").alias("start"),
        F.sum("days").cast("int").alias("days"),
        F.max("until").alias("until"),
        F.min("first_purchase").alias("first_purchase"),
    )
    ends = {"purchase_count": F.date_add("start", F.col("days")), "latest_purchase": F.date_sub("until", tolerance)}
    return runs.select("person_id", "drug", "start", ends[exposures.limited_end].alias("end"), "first_purchase")


def exposures_of(bought: DataFrame, packs: DataFrame, follow_up: DataFrame, exposures: Exposures) -> DataFrame:
    """person_id, drug, start, end, first_purchase: the exposures of followed persons.

    A start before follow-up stays as it is, because its effect may reach into follow-up; an end after follow-up
    becomes the end of follow-up; an exposure that starts later is dropped.
    """
    followed = follow_up.select("person_id", F.col("end").alias("last_day"))
    own = bought.join(followed, on="person_id", how="left_semi")
    if exposures.kind == "limited":
        made = limited(with_days(own, packs, exposures), exposures)
    else:
        made = unlimited(own, exposures).withColumn("end", F.lit(None).cast("date"))
    joined = made.join(followed, on="person_id", how="inner").where(F.col("start") <= F.col("last_day"))
    return joined.select("person_id", "drug", "start", F.least("end", "last_day").alias("end"), "first_purchase")


def mark_prevalent(exposures: DataFrame, washout_end: dt.date) -> DataFrame:
    """`prevalent` in place of `first_purchase`: the person bought the medicine before the end of the washout.

    Somebody who buys a medicine in the first months of the data may have bought it before; only after
    `washout_months` without a purchase is a first purchase taken for a start. The purchase decides, not the start of
    an exposure, which may come later (start delay, purchases needed, a later run).
    """
    return exposures.withColumn("prevalent", F.col("first_purchase") < F.lit(washout_end)).drop("first_purchase")


def _selected(medicines: Medicines, atc: Column) -> Column:
    selected = F.lit(True)
    if medicines.atc_include:
        selected &= F.coalesce(_starts(atc, medicines.atc_include), F.lit(False))
    if medicines.atc_exclude:
        selected &= ~F.coalesce(_starts(atc, medicines.atc_exclude), F.lit(False))
    if medicines.packs:
        selected &= F.coalesce(F.col("group_id").isin(*medicines.packs), F.lit(False))
    return selected


def _starts(atc: Column, prefixes: tuple[str, ...]) -> Column:
    return reduce(Column.__or__, [atc.startswith(prefix) for prefix in prefixes])


def _drugs(level: str, atc: Column, codelists: Path) -> Column:
    if level == "family":
        return families(atc, codelists / "drug_families.csv")
    one = {"substance": atc, "atc_class": F.substring(atc, 1, ATC_CLASS_LENGTH), "cip13": F.col("group_id")}
    return F.array(one[level])


def families(atc: Column, path: Path) -> Column:
    """The families of an ATC code: those with a subfamily that includes it and does not exclude it."""
    subfamilies: dict[tuple[str, str], dict[str, list[str]]] = {}
    for row in read_codelist(path):
        lists = subfamilies.setdefault((row["family"], row["subfamily"]), {"include": [], "exclude": []})
        lists[row["action"]].append(row["atc_prefix"])
    named = []
    for (family, _), lists in subfamilies.items():
        inside = _starts(atc, tuple(lists["include"]))
        if lists["exclude"]:
            inside = inside & ~_starts(atc, tuple(lists["exclude"]))
        named.append(F.when(inside, F.lit(family)))
    return F.array_distinct(F.array_compact(F.array(*named)))
