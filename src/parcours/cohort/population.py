"""Who is followed, from when to when, and who is left out at which step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from parcours.cohort.study import Population

EVERYBODY = "persons with care or in a referential"
SEX_CODES = {"men": (1,), "women": (2,), "all": (1, 2)}


@dataclass(frozen=True)
class Step:
    """One inclusion step: a person stays when `keeps` is true; null counts as false."""

    name: str
    description: str
    keeps: Column


def inclusion_steps(population: Population) -> tuple[Step, ...]:
    """The steps from all persons to the followed ones, in order; ages are completed years at study start."""
    age = F.floor(F.months_between(F.lit(population.study_start), F.col("birth")) / 12)
    low, high = population.age_minimum, population.age_maximum
    alive = F.col("death").isNull() | (F.col("death") >= F.lit(population.follow_up_start))
    steps = [
        Step("referential", "known to a referential of persons (IR_BEN_R, IR_BEN_R_ARC)", F.col("in_referential")),
        Step("certified", "identifier certified (BEN_CDI_NIR 00)", F.col("certified")),
        Step("known", "sex and month of birth known", F.col("sex").isNotNull() & F.col("birth").isNotNull()),
        Step("age", f"aged {low} to {high} on {population.study_start}", age.between(low, high)),
    ]
    if population.sex != "all":
        steps.append(Step("sex", f"{population.sex} only", F.col("sex").isin(*SEX_CODES[population.sex])))
    if population.ambiguous_identity == "drop":
        steps.append(Step("identity", "identifier not shared with another person", ~F.col("ambiguous")))
    steps.append(Step("alive", f"alive at the start of follow-up, {population.follow_up_start}", alive))
    return tuple(steps)


def first_failed(steps: Sequence[Step]) -> Column:
    """Number of the first step a person does not pass, null when the person passes all."""
    failed = [F.when(~F.coalesce(step.keeps, F.lit(False)), F.lit(n)) for n, step in enumerate(steps)]
    return F.coalesce(*failed)


def follow_up(followed: DataFrame, population: Population) -> DataFrame:
    """person_id, start, end (the last day, included), end_reason (death or study_end), birth, sex, death_source.

    `death_source` says what tells of the death that ends follow-up; null where the study ends it.
    """
    end = F.least(F.col("death"), F.lit(population.study_end))
    died = F.col("death") <= F.lit(population.study_end)
    return followed.select(
        "person_id",
        F.lit(population.follow_up_start).alias("start"),
        end.alias("end"),
        F.when(died, "death").otherwise("study_end").alias("end_reason"),
        "birth",
        "sex",
        F.when(died, F.col("death_source")).alias("death_source"),
    )


def attrition(steps: Sequence[Step], lost: dict[int | None, int]) -> list[dict[str, Any]]:
    """[{step, description, persons, lost}] from the number of persons whose first failed step is each one."""
    persons = sum(lost.values())
    chain = [{"step": "persons", "description": EVERYBODY, "persons": persons, "lost": 0}]
    for number, step in enumerate(steps):
        gone = lost.get(number, 0)
        persons -= gone
        chain.append({"step": step.name, "description": step.description, "persons": persons, "lost": gone})
    return chain


def next_step(chain: list[dict[str, Any]], step: str, description: str, persons: int) -> list[dict[str, Any]]:
    """The chain with one more step."""
    lost = chain[-1]["persons"] - persons
    return [*chain, {"step": step, "description": description, "persons": persons, "lost": lost}]
