"""Medicines taken at once, as exposures of their own."""

import pyarrow as pa

from parcours.cohort.study import Exposures
from parcours.engine.duck import query

JOINED = "_"
PERIODS = pa.schema(
    [
        ("person_id", pa.int64()),
        ("drugs", pa.list_(pa.string())),
        ("start", pa.date32()),
        ("end", pa.date32()),
        ("prevalent", pa.bool_()),
    ]
)


def with_interactions(exposed: pa.Table, exposures: Exposures) -> pa.Table:
    """The exposures (person_id, drug, start, end, prevalent), those to several medicines at once taken off the others.

    From `interaction_level` medicines at once down to two: a time of at least `interaction_minimum_days` is an exposure
    of its own, named by its medicines in their order; it is taken off the exposures to fewer of these medicines. What
    is shorter stays with fewer of them, so that no day of an exposure is lost. A person is a prevalent user of several
    medicines at once who is one of each of them.
    """
    if exposures.interaction_level == 1:
        return exposed
    found = PERIODS.empty_table()
    for level in reversed(_at_once(exposed, exposures.interaction_level)):
        left = _without(level, found)
        long = f'"end" - start + 1 >= {exposures.interaction_minimum_days}'
        found = pa.concat_tables([found, query(f"SELECT * FROM left_over WHERE {long}", left_over=left).cast(PERIODS)])
    alone = _without(query("SELECT * EXCLUDE drug, [drug] AS drugs FROM exposed", exposed=exposed), found)
    return query(
        f"""
        SELECT person_id, array_to_string(drugs, '{JOINED}') AS drug, start, "end", prevalent
        FROM (FROM alone UNION BY NAME FROM found) ORDER BY person_id, drug, start, "end"
        """,
        alone=alone,
        found=found,
    )


def _at_once(exposed: pa.Table, highest: int) -> list[pa.Table]:
    """The times at which two, three, ... medicines are taken at once: person_id, drugs, start, end, prevalent."""
    singles = _singles(exposed)
    levels = [query("SELECT * EXCLUDE drug, [drug] AS drugs FROM singles", singles=singles)]
    for _ in range(highest - 1):
        levels.append(
            query(
                """
                SELECT fewer.person_id, list_append(drugs, drug) AS drugs, greatest(fewer.start, one.start) AS start,
                  least(fewer."end", one."end") AS "end", fewer.prevalent AND one.prevalent AS prevalent
                FROM fewer JOIN singles AS one
                  ON fewer.person_id = one.person_id AND drug > drugs[-1]
                  AND fewer.start <= one."end" AND one.start <= fewer."end"
                """,
                fewer=levels[-1],
                singles=singles,
            )
        )
    return levels[1:]


def _singles(exposed: pa.Table) -> pa.Table:
    """The times at which each medicine is taken: exposures to it that touch or overlap are one."""
    return query(
        """
        WITH marked AS (
          SELECT *, coalesce(start > max("end") OVER before + 1, true) AS apart FROM exposed
          WINDOW before AS (
            PARTITION BY person_id, drug ORDER BY start ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        ),
        numbered AS (
          SELECT *, count(*) FILTER (apart) OVER (
            PARTITION BY person_id, drug ORDER BY start ROWS UNBOUNDED PRECEDING) AS time FROM marked
        )
        SELECT person_id, drug, min(start) AS start, max("end") AS "end", bool_and(prevalent) AS prevalent
        FROM numbered GROUP BY person_id, drug, time
        """,
        exposed=exposed,
    )


def _without(periods: pa.Table, higher: pa.Table) -> pa.Table:
    """What is left of the periods when those of the same medicines and more are taken off.

    Each period is walked along from the day before it to the day after it: what lies between the end of all that was
    taken off so far and the next that is, is left.
    """
    return query(
        """
        WITH numbered AS (SELECT *, row_number() OVER () AS period FROM periods),
        taken AS (
          SELECT period, higher.start, higher."end" FROM numbered AS own JOIN higher
            ON own.person_id = higher.person_id AND list_has_all(higher.drugs, own.drugs)
            AND higher.start <= own."end" AND own.start <= higher."end"
          UNION ALL SELECT period, start - 1, start - 1 FROM numbered
          UNION ALL SELECT period, "end" + 1, "end" + 1 FROM numbered
        ),
        between_them AS (
          SELECT period, start - 1 AS last, max("end") OVER (
            PARTITION BY period ORDER BY start, "end" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) + 1 AS first
          FROM taken
        )
        SELECT person_id, drugs, first AS start, last AS "end", prevalent
        FROM between_them JOIN numbered USING (period) WHERE first <= last
        """,
        periods=periods,
        higher=higher,
    ).cast(PERIODS)
