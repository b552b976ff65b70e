"""From a cohort to the case series: the followed persons with an outcome, their outcomes and their exposures.

Days are whole days since 1970-01-01, ends included: the input of parcours.models.CaseSeries.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from parcours.cohort.study import Study


def case_events(outcomes: DataFrame, outcome_events: str) -> DataFrame:
    """person_id, day: each day with an outcome once; with `first`, only the person's first day."""
    days = outcomes.select("person_id", day_number("date").alias("day"))
    if outcome_events == "first":
        return days.groupBy("person_id").agg(F.min("day").alias("day"))
    return days.distinct()


def case_persons(follow_up: DataFrame, events: DataFrame) -> DataFrame:
    """person_id, start, end, birth of the persons with an event."""
    cases = follow_up.join(events, on="person_id", how="left_semi")
    return cases.select("person_id", *[day_number(name).alias(name) for name in ("start", "end", "birth")])


def case_exposures(exposures: DataFrame, events: DataFrame) -> DataFrame:
    """person_id, drug, start, end of the cases, without those of prevalent users."""
    started = exposures.where(~F.col("prevalent")).join(events, on="person_id", how="left_semi")
    return started.select("person_id", "drug", *[day_number(name).alias(name) for name in ("start", "end")])


def exposed_cases(exposures: DataFrame, persons: DataFrame, study: Study) -> DataFrame:
    """drug, exposed_cases: cases with a lag of the medicine inside their follow-up, as the model counts them.

    A medicine started so long before follow-up that its lags are over, or that ended before, tells the model nothing.
    Buckets are counted from the start of follow-up, as the model does.
    """
    origin, model = F.unix_date(F.lit(study.population.follow_up_start)), study.model
    joined = exposures.alias("e").join(persons.alias("p"), on="person_id", how="inner")
    began, ended, first, last = (
        F.floor((F.col(day) - origin) / model.bucket_days) for day in ("e.start", "e.end", "p.start", "p.end")
    )
    inside = joined.where((F.least(began + model.lags, ended) >= first) & (began <= last))
    return inside.groupBy("drug").agg(F.count_distinct("person_id").alias("exposed_cases"))


def day_number(column: str) -> Column:
    """Days from 1970-01-01 to a date."""
    return F.unix_date(F.col(column)).cast("int")
