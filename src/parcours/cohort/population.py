"""Who is followed, from when to when, and who is left out at which step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from parcours.cohort.months import add_months
from parcours.cohort.observation import Known, observed
from parcours.cohort.study import FIRST_PURCHASE, Population
from parcours.engine.duck import query
from parcours.engine.sql import listed

EVERYBODY = "persons with care or in a referential"
SEX_CODES = {"men": (1,), "women": (2,), "all": (1, 2)}
KEPT = "kept"
NOTHING_MORE = Known()


@dataclass(frozen=True)
class Step:
    """One inclusion step: a person stays when `keeps`, SQL over the person, is true; null counts as false."""

    name: str
    description: str
    keeps: str


def inclusion_steps(population: Population) -> tuple[Step, ...]:
    """The steps from all persons to the followed ones, in order; ages are completed years at study start."""
    start = _day(population.first_day)
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
    return (*steps, *_purchase_steps(population), *_start_steps(population))


def _purchase_steps(population: Population) -> list[Step]:
    """The steps of a study in which the first purchase of one of its medicines decides who is followed."""
    first, last, months = population.first_day, population.last_day, population.first_purchase_within_months
    steps = []
    if population.observation_from == FIRST_PURCHASE:
        bought = f"with a purchase of the study's medicines from {first} to {last}"
        steps.append(Step("purchase", bought, "first_purchase IS NOT NULL"))
    if months:
        early = f"first purchase of the study's medicines within {months} months after {first}"
        steps.append(Step("early_purchase", early, f"first_purchase < {_day(add_months(first, months))}"))
    if population.observation_from == FIRST_PURCHASE:
        begins = f"follow-up, {population.start_gap_months} months after the first purchase, starts by {last}"
        steps.append(Step("begins", begins, f"start <= {_day(last)}"))
    return steps


def _start_steps(population: Population) -> list[Step]:
    """The steps that look at the day on which follow-up starts."""
    day = "" if population.observation_from == FIRST_PURCHASE else f", {population.follow_up_start}"
    steps = [Step("alive", f"alive at the start of follow-up{day}", "death IS NULL OR death >= start")]
    if population.trackloss_months:
        seen = f"not lost track of before follow-up, by {population.trackloss_months} months without a purchase"
        steps.append(Step("tracked", seen, "lost IS NULL OR lost >= start"))
    if population.prior_outcome == "drop":
        first = "first_outcome IS NULL OR first_outcome >= start"
        steps.append(Step("prior_outcome", "without an outcome before follow-up", first))
    return steps


def follow_up_of(
    persons: pa.Table, population: Population, known: Known = NOTHING_MORE
) -> tuple[pa.Table, dict[str, int]]:
    """The followed persons, and {step: persons whose first failed step it is, kept: persons who pass all}.

    person_id, start, end (the last day, included), end_reason (death, trackloss or study_end), birth, sex,
    death_source: what tells of the death that ends follow-up; null where something else does.
    """
    steps = inclusion_steps(population)
    persons = observed(persons, known, population)
    failed = " ".join(f"WHEN NOT coalesce({step.keeps}, false) THEN '{step.name}'" for step in steps)
    marked = query(f"SELECT *, CASE {failed} ELSE '{KEPT}' END AS step FROM persons", persons=persons)
    last = _day(population.last_day)
    followed = query(
        f"""
        SELECT person_id, start, least(death, lost, {last}) AS "end",
          CASE "end" WHEN death THEN 'death' WHEN lost THEN 'trackloss' ELSE 'study_end' END AS end_reason, birth, sex,
          CASE "end" WHEN death THEN death_source END AS death_source
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
