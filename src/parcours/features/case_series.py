"""From a cohort to the case series: the followed persons with an outcome, their outcomes and their exposures.

Days are whole days since 1970-01-01, ends included: the input of parcours.models.CaseSeries.
"""

import pyarrow as pa

from parcours.cohort.study import Study
from parcours.engine.duck import query


def case_events(outcomes: pa.Table, outcome_events: str) -> pa.Table:
    """person_id, day: each day with an outcome once; with `first`, only the person's first day."""
    days = {"first": f"min({_number('date')})", "all": _number("date")}[outcome_events]
    grouped = "GROUP BY person_id" if outcome_events == "first" else "GROUP BY ALL"
    return query(f"SELECT person_id, {days} AS day FROM outcomes {grouped} ORDER BY ALL", outcomes=outcomes)


def case_persons(follow_up: pa.Table, events: pa.Table) -> pa.Table:
    """person_id, start, end, birth of the persons with an event."""
    days = ", ".join(f'{_number(name)} AS "{name}"' for name in ("start", "end", "birth"))
    return query(
        f"SELECT person_id, {days} FROM follow_up SEMI JOIN events USING (person_id) ORDER BY ALL",
        follow_up=follow_up,
        events=events,
    )


def case_exposures(exposures: pa.Table, events: pa.Table) -> pa.Table:
    """person_id, drug, start, end of the cases, without those of prevalent users."""
    days = ", ".join(f'{_number(name)} AS "{name}"' for name in ("start", "end"))
    return query(
        f"SELECT person_id, drug, {days} FROM exposures SEMI JOIN events USING (person_id) "
        "WHERE NOT prevalent ORDER BY ALL",
        exposures=exposures,
        events=events,
    )


def exposed_cases(exposures: pa.Table, persons: pa.Table, study: Study) -> dict[str, int]:
    """{drug: cases with a lag of it, from its start on, inside their follow-up}, as the model counts them.

    A medicine started so long before follow-up that its lags are over, or that ended before, tells the model nothing:
    it has no exposed case, and is listed all the same. Nor has one whose days before the start alone are followed.
    """
    last_lag = (study.model.lags + 1) * study.model.bucket_days - 1
    counted = query(
        f"""
        SELECT drug, count(DISTINCT person_id) FILTER (
          least(e.start + {last_lag}, e."end") >= p.start AND e.start <= p."end") AS n
        FROM exposures AS e JOIN persons AS p USING (person_id) GROUP BY drug ORDER BY drug
        """,
        exposures=exposures,
        persons=persons,
    ).to_pylist()
    return {row["drug"]: row["n"] for row in counted}


def _number(column: str) -> str:
    """Days from 1970-01-01 to a date."""
    return f"(\"{column}\" - DATE '1970-01-01')::INTEGER"
