"""Deaths: what each source tells, which of it is credible, and the one date that all stages use.

Sources, their precedence and the limits are `deaths.yaml`; docs/reference/studies.md ("Death") says it in words.
A telling is a row (person_id, source, first, last): the person died from `first` to `last`, both included.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from parcours.events.schema import DEATH_EXIT, MCO_HOSPITAL_STAY
from parcours.events.stays import pmsi_date
from parcours.snds.person_columns import placeholders

TELLING = ("person_id", "source", "first", "last")
DAY, MONTH, DISCHARGE = "day", "month", "discharge"
CREDIBLE = "credible"
BEFORE_BIRTH, DIED_LATER, CARE_AFTER = "before_birth", "died_later_in_hospital", "care_after"
VERDICTS = (CREDIBLE, BEFORE_BIRTH, DIED_LATER, CARE_AFTER)

DEATH_COLUMNS = frozenset({"BEN_DCD_DTE", "BEN_DCD_AME"})
HOLDER_COLUMNS = frozenset({"BEN_IDT_ANO", "BEN_NIR_ANO"})
UPDATED = "BEN_DTE_MAJ"
CERTIFICATE_COLUMNS = DEATH_COLUMNS | HOLDER_COLUMNS | {"DCD_IDT_TOP"}
DISCHARGE_COLUMNS = frozenset({"person_id", "EXE_SOI_DTF", "SOR_DAT"})


@dataclass(frozen=True)
class DeathSource:
    """One row of `deaths.yaml`: TABLE.COLUMN of a product, and whether it holds a day, a month or a mode of exit."""

    product: str
    column: str
    gives: str

    @property
    def flat_column(self) -> str:
        """The column's name in the flat table of a stay."""
        return self.column.replace(".", "__")


@cache
def death_rules() -> dict[str, Any]:
    """The content of `deaths.yaml`."""
    rules: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8"))
    return rules


@cache
def death_sources() -> tuple[DeathSource, ...]:
    """Every source, in the order of precedence."""
    return tuple(DeathSource(**row) for row in death_rules()["sources"])


def discharge_source(product: str) -> DeathSource:
    """The mode of discharge of a product."""
    return next(one for one in death_sources() if one.product == product and one.gives == DISCHARGE)


# --- what the sources tell ---------------------------------------------------------------------------------------


def told_by_referential(rows: DataFrame, product: str) -> DataFrame:
    """Tellings of the linked rows of IR_BEN_R or its archive: of the rows of one couple, the one updated last."""
    dated = _dated(rows, product).groupBy("person_id", "psa", "rank", "source")
    return dated.agg(F.max(F.struct(UPDATED, "first", "last")).alias("latest")).select(
        "person_id", "source", "latest.first", "latest.last"
    )


def told_by_certificates(certificates: DataFrame) -> DataFrame:
    """Tellings of the certificates that have a person (see `with_holder`), each of them."""
    return _dated(certificates.where(F.col("person_id").isNotNull()), "KI_CCI_R").select(*TELLING)


def told_by_stays(events: DataFrame) -> DataFrame:
    """Tellings of the MCO stays that ended in death: the last day of the stay."""
    died = (F.col("category") == MCO_HOSPITAL_STAY) & (F.col("weight") == DEATH_EXIT)
    return _telling(events.where(died), discharge_source("MCO").column, F.coalesce("end", "start"))


def told_by_discharges(flat: DataFrame, product: str) -> DataFrame:
    """Tellings of the flat stays of SSR, HAD or RIP that ended in death, where their last day is known."""
    source = discharge_source(product)
    died = F.col(source.flat_column).try_cast("double") == DEATH_EXIT
    return _telling(flat.where(died), source.column, F.coalesce(F.col("EXE_SOI_DTF"), pmsi_date("SOR_DAT")))


def holders(rows: DataFrame) -> DataFrame:
    """column, identifier, person_id: who holds each identifier that a certificate may have, of linked referential rows.

    Where BEN_IDT_ANO is not known it is the PSA followed by the rank, as the CNAM makes it.
    """
    own = F.concat("psa", F.col("rank").cast("string"))
    names = {"BEN_IDT_ANO": F.coalesce(_identifier("BEN_IDT_ANO"), own), "BEN_NIR_ANO": _identifier("BEN_NIR_ANO")}
    held = F.explode(F.array(*[F.struct(F.lit(n).alias("column"), v.alias("identifier")) for n, v in names.items()]))
    return rows.select("person_id", held.alias("held")).select("held.*", "person_id").dropna().distinct()


def with_holder(certificates: DataFrame, held: DataFrame) -> DataFrame:
    """Certificates with `matched` (DCD_IDT_TOP is not 0 and there is an identifier) and the `person_id` they are of.

    By BEN_IDT_ANO, else by BEN_NIR_ANO if it is of one person; null when no referential knows the identifier.
    """
    top = F.coalesce(F.col("DCD_IDT_TOP"), F.lit(1)) != 0
    by_number = held.groupBy("column", "identifier").agg(
        F.when(F.count(F.lit(1)) == 1, F.first("person_id")).alias("person_id")
    )
    named = certificates.select(
        *sorted(DEATH_COLUMNS), *[F.when(top, _identifier(name)).alias(name) for name in sorted(HOLDER_COLUMNS)]
    )
    with_idt = named.join(_holders_of(held, "BEN_IDT_ANO", "of_idt"), on="BEN_IDT_ANO", how="left")
    with_both = with_idt.join(_holders_of(by_number, "BEN_NIR_ANO", "of_nir"), on="BEN_NIR_ANO", how="left")
    matched = F.col("BEN_IDT_ANO").isNotNull() | F.col("BEN_NIR_ANO").isNotNull()
    person = F.coalesce("of_idt", "of_nir").alias("person_id")
    return with_both.select(*sorted(DEATH_COLUMNS), matched.alias("matched"), person)


# --- what is believed --------------------------------------------------------------------------------------------


def judged(told: DataFrame, births: DataFrame, events: DataFrame) -> DataFrame:
    """Distinct tellings with their `verdict`: credible, or the reason why not.

    before_birth: in a year before that of birth. died_later_in_hospital: a stay that ended in death, and a later one
    that did so too. care_after: followed by lasting care (`deaths.yaml`).
    """
    once = told.distinct()
    modes = [source.column for source in death_sources() if source.gives == DISCHARGE]
    in_hospital = F.col("source").isin(modes)
    last = once.where(in_hospital).groupBy("person_id").agg(F.max("first").alias("last_stay"))
    known = once.join(births.select("person_id", "birth"), on="person_id", how="left").join(
        last, on="person_id", how="left"
    )
    marked = known.join(_contradicted(once, events), on=list(TELLING), how="left")
    too_early = F.date_add("last", death_rules()["agreement_days"]) < F.col("last_stay")
    verdict = (
        F.when(F.year("last") < F.year("birth"), BEFORE_BIRTH)
        .when(in_hospital & too_early, DIED_LATER)
        .when(F.col("care_days") >= death_rules()["care_after"]["care_days"], CARE_AFTER)
        .otherwise(CREDIBLE)
    )
    return marked.select(*TELLING, verdict.alias("verdict"))


def decided(judged_tellings: DataFrame) -> DataFrame:
    """person_id, death, death_source, deaths_disagree of everybody with a credible telling.

    Death is the earliest credible one, so that nobody is followed after any; sources that tell the same day go by
    precedence. A month in which another source tells a day gives way to that day; else its first day stands for it.
    They disagree when no day, give or take `agreement_days`, is in all of them.
    """
    place = F.create_map(*[F.lit(x) for n, source in enumerate(death_sources()) for x in (source.column, n)])
    credible = judged_tellings.where(F.col("verdict") == CREDIBLE)
    telling = F.struct("first", place[F.col("source")].alias("place"), "last", "source")
    one = credible.groupBy("person_id").agg(F.collect_set(telling).alias("told"))
    told = F.col("told")
    chosen = F.array_min(F.filter(told, lambda t: ~F.exists(told, lambda other: _is_day_of(other, t))))
    latest_first = F.array_max(F.transform(told, lambda t: t["first"]))
    earliest_last = F.array_min(F.transform(told, lambda t: t["last"]))
    return one.select(
        "person_id",
        chosen["first"].alias("death"),
        chosen["source"].alias("death_source"),
        (latest_first > F.date_add(earliest_last, death_rules()["agreement_days"])).alias("deaths_disagree"),
    )


def care_after_death(events: DataFrame, persons: DataFrame) -> DataFrame:
    """category, events: events dated after the person's death, an error of one source or the other."""
    died = persons.where(F.col("death").isNotNull()).select("person_id", "death")
    late = events.join(died, on="person_id", how="inner").where(F.col("start") > F.col("death"))
    return late.groupBy("category").agg(F.count(F.lit(1)).alias("events"))


def _dated(rows: DataFrame, product: str) -> DataFrame:
    """The rows with `source`, `first` and `last`, once for each column of the product that tells a date of death."""
    tellings = [
        F.struct(F.lit(source.column).alias("source"), first.alias("first"), last.alias("last"))
        for source in death_sources()
        if source.product == product and source.gives in (DAY, MONTH)
        for first, last in [_span(source)]
    ]
    told = rows.withColumn("telling", F.explode(F.array(*tellings))).select("*", "telling.*").drop("telling")
    return told.where(F.col("first").isNotNull())


def _span(source: DeathSource) -> tuple[Column, Column]:
    """The first and the last day that a column of dates or months leaves open; null where it tells no death."""
    name = source.column.partition(".")[2]
    earliest = F.lit(death_rules()["earliest_year"])
    if source.gives == DAY:
        day = F.when(F.year(name) >= earliest, F.col(name))
        return day, day
    text = F.trim(name)
    month = F.when(text.rlike("^[0-9]{6}$"), F.try_to_timestamp(text, F.lit("yyyyMM")).cast("date"))
    first = F.when(F.year(month) >= earliest, month)
    return first, F.last_day(first)


def _telling(rows: DataFrame, source: str, day: Column) -> DataFrame:
    credible_year = F.year(day) >= death_rules()["earliest_year"]
    return rows.where(credible_year).select(
        "person_id", F.lit(source).alias("source"), day.alias("first"), day.alias("last")
    )


def _identifier(name: str) -> Column:
    text = F.rtrim(name)
    return F.when(~text.isin("", *placeholders()), text)


def _holders_of(held: DataFrame, column: str, person: str) -> DataFrame:
    return held.where(F.col("column") == column).select(
        F.col("identifier").alias(column), F.col("person_id").alias(person)
    )


def _contradicted(told: DataFrame, events: DataFrame) -> DataFrame:
    """Tellings with `care_days`, the days of care later than what still counts as a slip."""
    late = F.col("start") > F.date_add("last", death_rules()["care_after"]["more_than_days"])
    after = told.join(events.select("person_id", "start"), on="person_id", how="inner").where(late)
    return after.groupBy(*TELLING).agg(F.count_distinct("start").alias("care_days"))


def _is_day_of(day: Column, month: Column) -> Column:
    return (
        (day["first"] == day["last"])
        & (month["first"] < month["last"])
        & day["first"].between(month["first"], month["last"])
    )
