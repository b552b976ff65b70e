"""Fractures: where they are looked for, at which body site, how severe, and which belong to one fall.

The rules are those of the SCALPEL fall study (docs/reference/fracture-rule.md); the codes are in codelists/.
"""

from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from parcours.cohort.study import Outcomes
from parcours.events.codelists import Code, codes_for, looked_up, matches, read_codelist
from parcours.events.schema import DEATH_EXIT, MCO_CCAM_ACT, MCO_DIAGNOSES, MCO_HOSPITAL_STAY, MCO_MAIN_DIAGNOSIS, union

SURGERY_SEVERITY, DEATH_SEVERITY = 3, 4
OTHER_SITE = "other"
OUTCOME_COLUMNS = ("person_id", "date", "site", "category", "severity")


@dataclass(frozen=True)
class FractureLists:
    """The code lists of the rules; `sites` rows have site, site_group, code, match."""

    rules: tuple[dict[str, str], ...]
    sites: tuple[dict[str, str], ...]
    diagnoses: tuple[Code, ...]
    outpatient_acts: tuple[Code, ...]
    material_removal: tuple[Code, ...]
    surgery: tuple[Code, ...]


def load_fracture_lists(folder: Path) -> FractureLists:
    """The lists of a folder of code lists.

    Raises InputError when a list is missing or has no code for a use.
    """
    codes = folder / "fracture_codes.csv"
    return FractureLists(
        rules=read_codelist(folder / "fracture_rules.csv"),
        sites=read_codelist(folder / "fracture_sites.csv"),
        diagnoses=codes_for(codes, "hospital_diagnosis"),
        outpatient_acts=codes_for(codes, "outpatient_act"),
        material_removal=codes_for(codes, "material_removal"),
        surgery=codes_for(folder / "fracture_surgery.csv", "surgery"),
    )


def fractures(events: DataFrame, lists: FractureLists, settings: Outcomes) -> DataFrame:
    """person_id, date, site, category (the rule), severity 1-4 of every fall with a fracture, over all the data."""
    found = [_by_rule(events, rule, lists) for rule in lists.rules if rule["rule"] in settings.rules]
    sited = with_site(union(found), lists.sites, settings)
    severe = sited.where(F.col("severity") >= settings.severity_minimum)
    strongest = severe.groupBy("person_id", "date", "site", "category").agg(F.max("severity").alias("severity"))
    return one_per_fall(strongest, settings.fall_frame_months).select(*OUTCOME_COLUMNS)


def hospital_fractures(events: DataFrame, rule: dict[str, str], lists: FractureLists) -> DataFrame:
    """person_id, date, code, category, severity: the fracture diagnoses of stays whose main diagnosis is a fracture.

    A stay with an act of material removal follows up an older fracture and gives none.
    """
    value, category = F.col("value"), F.col("category")
    fracture = category.isin(*MCO_DIAGNOSES) & matches(value, lists.diagnoses)
    act = category == MCO_CCAM_ACT
    removal, surgery = act & matches(value, lists.material_removal), act & matches(value, lists.surgery)
    death = (category == MCO_HOSPITAL_STAY) & F.coalesce(F.col("weight") == DEATH_EXIT, F.lit(False))
    stays = (
        events.where(fracture | removal | surgery | death)
        .groupBy("person_id", "group_id")
        .agg(
            F.max((category == MCO_MAIN_DIAGNOSIS) & fracture).alias("main"),
            F.max(removal).alias("removal"),
            F.max(surgery).alias("surgery"),
            F.max(death).alias("death"),
            F.min(F.when(fracture, F.col("start"))).alias("date"),
            F.collect_set(F.when(fracture, value)).alias("codes"),
        )
    )
    severity = (
        F.when(F.col("death"), DEATH_SEVERITY).when(F.col("surgery"), SURGERY_SEVERITY).otherwise(int(rule["severity"]))
    )
    return stays.where(F.col("main") & ~F.col("removal")).select(
        "person_id",
        "date",
        F.explode("codes").alias("code"),
        F.lit(rule["rule"]).alias("category"),
        severity.alias("severity"),
    )


def outpatient_fractures(events: DataFrame, rule: dict[str, str], lists: FractureLists) -> DataFrame:
    """person_id, date, code, category, severity of the outpatient fracture acts of one provenance."""
    here = (F.col("category") == rule["event_category"]) & (F.col("group_id") == rule["group"])
    acts = events.where(here & matches(F.col("value"), lists.outpatient_acts))
    return acts.select(
        "person_id",
        F.col("start").alias("date"),
        F.col("value").alias("code"),
        F.lit(rule["rule"]).alias("category"),
        F.lit(int(rule["severity"])).alias("severity"),
    )


def with_site(found: DataFrame, sites: tuple[dict[str, str], ...], settings: Outcomes) -> DataFrame:
    """Add `site` at the study's detail and keep the study's sites.

    The most specific code that matches decides; a fracture code of no listed site is at the site `other`.
    """
    fine, group = (
        F.coalesce(
            looked_up(F.col("code"), {Code(row["code"], row["match"]): row[level] for row in sites}), F.lit(OTHER_SITE)
        )
        for level in ("site", "site_group")
    )
    placed = found.select("*", fine.alias("fine_site"), group.alias("site_group"))
    if settings.sites:
        wanted = list(settings.sites)
        placed = placed.where(F.col("fine_site").isin(wanted) | F.col("site_group").isin(wanted))
    detail = {"site": "fine_site", "site_group": "site_group"}[settings.site_level]
    return placed.withColumn("site", F.col(detail)).drop("fine_site", "site_group")


def one_per_fall(found: DataFrame, frame_months: int) -> DataFrame:
    """The first of each chain of fractures at one site, each less than `frame_months` after the one before it."""
    order = Window.partitionBy("person_id", "site").orderBy("date", F.desc("severity"), "category")
    before = F.lag("date").over(order)
    starts_fall = before.isNull() | (F.col("date") >= F.add_months(before, frame_months))
    return found.withColumn("starts_fall", starts_fall).where("starts_fall").drop("starts_fall")


def _by_rule(events: DataFrame, rule: dict[str, str], lists: FractureLists) -> DataFrame:
    forms = {"hospital": hospital_fractures, "outpatient": outpatient_fractures}
    return forms[rule["form"]](events, rule, lists)
