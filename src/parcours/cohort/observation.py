"""What a person's purchases and outcomes tell of follow-up: when it may begin, and when the person is lost track of."""

from dataclasses import dataclass, field

import pyarrow as pa

from parcours.cohort.study import Population
from parcours.engine.duck import query

BOUGHT = pa.schema([("person_id", pa.int64()), ("day", pa.date32())])
FOUND = pa.schema([("person_id", pa.int64()), ("date", pa.date32())])


@dataclass(frozen=True)
class Known:
    """What a study needs to know of persons beside who they are; a table that it does not need stays empty.

    `bought`: person_id, day of purchases of the study's medicines; `purchases`: the same of any medicine; `outcomes`:
    person_id, date of outcomes over all the data.
    """

    bought: pa.Table = field(default_factory=BOUGHT.empty_table)
    purchases: pa.Table = field(default_factory=BOUGHT.empty_table)
    outcomes: pa.Table = field(default_factory=FOUND.empty_table)


def observed(persons: pa.Table, known: Known, population: Population) -> pa.Table:
    """The persons with `first_purchase`, `start`, `lost` (the day they are lost track of) and `first_outcome`.

    `start` is null where follow-up begins with a purchase and there is none.
    """
    gap = population.start_gap_months
    starts = {
        "study_start": f"DATE '{population.follow_up_start}'",
        "first_purchase": f"(first_purchase + INTERVAL {gap} MONTH)::DATE",
    }
    started = query(
        f"""
        WITH firsts AS (
          SELECT person_id, min(day) AS first_purchase FROM bought
          WHERE day BETWEEN DATE '{population.study_start}' AND DATE '{population.study_end}' GROUP BY person_id
        )
        SELECT persons.*, first_purchase, {starts[population.observation_from]} AS start
        FROM persons LEFT JOIN firsts USING (person_id)
        """,
        persons=persons,
        bought=known.bought,
    )
    return query(
        """
        SELECT started.*, lost, first_outcome
        FROM started LEFT JOIN losses USING (person_id)
        LEFT JOIN (SELECT person_id, min(date) AS first_outcome FROM outcomes GROUP BY person_id) USING (person_id)
        """,
        started=started,
        losses=losses(known.purchases, started, population),
        outcomes=known.outcomes,
    )


def losses(purchases: pa.Table, started: pa.Table, population: Population) -> pa.Table:
    """person_id, lost: the day on which a person is lost track of first, some time after the purchase before a gap.

    A gap is at least `trackloss_months` without a purchase, until the next one or the study's end. One that is over
    when follow-up starts (`started`: person_id, start) counts for nothing: the person is there again.
    """
    if population.trackloss_months == 0:
        return pa.schema([("person_id", pa.int64()), ("lost", pa.date32())]).empty_table()
    last = f"DATE '{population.study_end}'"
    return query(
        f"""
        WITH days AS (SELECT DISTINCT person_id, day FROM purchases WHERE day <= {last}),
        gaps AS (SELECT *, lead(day) OVER (PARTITION BY person_id ORDER BY day) AS next FROM days)
        SELECT person_id, min(day + INTERVAL {population.trackloss_after_months} MONTH)::DATE AS lost
        FROM gaps JOIN started USING (person_id)
        WHERE coalesce(next, {last}) >= day + INTERVAL {population.trackloss_months} MONTH
          AND (next IS NULL OR next > start)
        GROUP BY person_id
        """,
        purchases=purchases,
        started=started,
    )
