"""Who is followed, from when to when, and who is left out at which step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from parcours.cohort.study import Population
from parcours.engine.duck import query
from parcours.engine.sql import listed

EVERYBODY = "persons with care or in a referential"
SEX_CODES = {"men": (1,), "women": (2,), "all": (1, 2)}
KEPT = "kept"


@dataclass(frozen=True)
class Step:
    """One inclusion step: a person stays when `keeps`, SQL over the person, is true; null counts as false."""

    name: str
    description: str
    keeps: str


def inclusion_steps(population: Population) -> tuple[Step, ...]:
    """The steps from all persons to the followed ones, in order; ages are completed years at study start."""
    start, follow = _day(population.study_start), _day(population.follow_up_start)
    age = f"CASE WHEN birth <= {start} THEN date_sub('year', birth, {start}) END"
    low, high = population.age_minimum, population.age_maximum
    steps = [
        Step("referential", "known to a referential of persons (IR_BEN_R, IR_BEN_R_ARC)", "in_referential"),
        Step("certified", "identifier certified (BEN_CDI_NIR 00)", "certified"),
        Step("known", "sex and month of birth known", "sex IS NOT NULL AND birth IS NOT NULL"),
        Step("age", f"aged {low} to {high} on {population.study_start}", f"{age} BETWEEN {low} AND {high}"),
    ]
    if population.sex != "all":
        steps.append(Step("sex", f"{population.sex} only", f"sex IN ({listed(SEX_CODES[population.sex])})"))
    if population.ambiguous_identity == "drop":
        steps.append(Step("identity", "identifier not shared with another person", "NOT ambiguous"))
    alive = f"alive at the start of follow-up, {population.follow_up_start}"
    steps.append(Step("alive", alive, f"death IS NULL OR death >= {follow}"))
    return tuple(steps)


def follow_up_of(persons: pa.Table, population: Population) -> tuple[pa.Table, dict[str, int]]:
    """The followed persons, and {step: persons whose first failed step it is, kept: persons who pass all}.

    person_id, start, end (the last day, included), end_reason (death or study_end), birth, sex, death_source: what
    tells of the death that ends follow-up; null where the study ends it.
    """
    steps = inclusion_steps(population)
    failed = " ".join(f"WHEN NOT coalesce({step.keeps}, false) THEN '{step.name}'" for step in steps)
    marked = query(f"SELECT *, CASE {failed} ELSE '{KEPT}' END AS step FROM persons", persons=persons)
    last = _day(population.study_end)
    followed = query(
        f"""
        SELECT person_id, {_day(population.follow_up_start)} AS start, least(death, {last}) AS "end",
          CASE WHEN death <= {last} THEN 'death' ELSE 'study_end' END AS end_reason, birth, sex,
          CASE WHEN death <= {last} THEN death_source END AS death_source
        FROM marked WHERE step = '{KEPT}' ORDER BY person_id
        """,
        marked=marked,
    )
    counts = query("SELECT step, count(*) AS n FROM marked GROUP BY 1", marked=marked).to_pylist()
    return followed, {row["step"]: row["n"] for row in counts}


def _day(day: Any) -> str:
    return f"DATE '{day}'"


def attrition(steps: Sequence[Step], lost: Mapping[str, int]) -> list[dict[str, Any]]:
    """[{step, description, persons, lost}] from the number of persons whose first failed step is each one."""
    persons = sum(lost.values())
    chain = [{"step": "persons", "description": EVERYBODY, "persons": persons, "lost": 0}]
    for step in steps:
        gone = lost.get(step.name, 0)
        persons -= gone
        chain.append({"step": step.name, "description": step.description, "persons": persons, "lost": gone})
    return chain


def next_step(chain: list[dict[str, Any]], step: str, description: str, persons: int) -> list[dict[str, Any]]:
    """The chain with one more step."""
    lost = chain[-1]["persons"] - persons
    return [*chain, {"step": step, "description": description, "persons": persons, "lost": lost}]
