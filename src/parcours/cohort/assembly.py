"""The cohort of a study, from its events and persons: tables not yet computed, and what to count on the way."""

from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from parcours.cohort.exposures import exposures_of, mark_prevalent, purchases
from parcours.cohort.fractures import fractures, load_fracture_lists
from parcours.cohort.population import Step, attrition, first_failed, follow_up, inclusion_steps
from parcours.cohort.study import Study


@dataclass
class Population:
    """The followed persons, and the counts that fill while they are written."""

    follow_up: DataFrame
    steps: tuple[Step, ...]
    seen: Observation

    def attrition(self) -> list[dict[str, Any]]:
        """The inclusion steps with the persons kept and lost; call it after the write."""
        counts = self.seen.get
        lost: dict[int | None, int] = {number: counts[step.name] for number, step in enumerate(self.steps)}
        return attrition(self.steps, {**lost, None: counts["kept"]})


def study_population(persons: DataFrame, study: Study) -> Population:
    """Follow-up of every person who passes the steps, until the study ends or their death."""
    steps = inclusion_steps(study.population)
    marked = persons.withColumn("failed", first_failed(steps))
    seen = Observation("attrition")
    counts = [F.count_if(F.col("failed") == number).alias(step.name) for number, step in enumerate(steps)]
    counted = marked.observe(seen, F.count_if(F.col("failed").isNull()).alias("kept"), *counts)
    return Population(follow_up(counted.where(F.col("failed").isNull()), study.population), steps, seen)


def study_exposures(events: DataFrame, packs: DataFrame, followed: DataFrame, study: Study) -> DataFrame:
    """person_id, drug, start, end, prevalent of the followed persons."""
    bought = purchases(events, study.medicines, study.codelists)
    made = exposures_of(bought, packs, followed, study.exposures)
    return mark_prevalent(made, study.washout_end)


def study_outcomes(events: DataFrame, followed: DataFrame, study: Study) -> DataFrame:
    """person_id, date, site, category, severity, when: before, during or after follow-up.

    Falls are told apart on all the data first, so that the end of an older fall is no new one.
    """
    found = fractures(events, load_fracture_lists(study.codelists), study.outcomes)
    dated = found.join(followed.select("person_id", "start", "end"), on="person_id", how="inner")
    when = F.when(F.col("date") < F.col("start"), "before").when(F.col("date") > F.col("end"), "after")
    return dated.withColumn("when", when.otherwise("during")).drop("start", "end")
