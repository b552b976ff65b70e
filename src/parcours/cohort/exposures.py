"""From purchases to exposures: which medicine, from when, until when."""

import datetime as dt

import pyarrow as pa

from parcours.cohort.interactions import with_interactions
from parcours.cohort.study import Exposures
from parcours.engine.duck import query


def unlimited(exposures: Exposures) -> str:
    """SQL over `bought`: person_id, drug, start, end (null), first_purchase.

    The start is the purchase that completes the first run. A run is `min_purchases` within `purchases_window_days`;
    purchases of one day count once. `start_delay_days` is added to the start (SCALPEL ignores it). `first_purchase` is
    the first of all, in a run or not.
    """
    runs = f"""
        SELECT *, lag(day, {exposures.min_purchases - 1}) OVER person_drug AS run_start
        FROM (SELECT DISTINCT person_id, drug, day FROM bought)
        WINDOW person_drug AS (PARTITION BY person_id, drug ORDER BY day)
    """
    if exposures.min_purchases == 1:  # each purchase is a run, and needs no order
        runs = "SELECT person_id, drug, day, day AS run_start FROM bought"
    return f"""
        WITH runs AS ({runs})
        SELECT person_id, drug,
          (min(day) FILTER (day - run_start <= {exposures.purchases_window_days}) + {exposures.start_delay_days})::DATE
            AS start,
          NULL::DATE AS "end", min(day) AS first_purchase
        FROM runs GROUP BY person_id, drug HAVING start IS NOT NULL
    """


def limited(exposures: Exposures) -> str:
    """SQL over `bought`: person_id, drug, start, end, first_purchase of each run of purchases (as in SCALPEL).

    These follow each other: a purchase covers the days of its pack; of several on one day the largest counts. It joins
    the run when it comes before the previous ones are used up plus `merge_tolerance_days`. The run ends after the days
    of all its purchases (purchase_count) or when its last purchase is used up (latest_purchase).
    """
    tolerance = exposures.merge_tolerance_days
    end = {"purchase_count": "min(start) + sum(days)::INTEGER", "latest_purchase": f"max(until) - {tolerance}"}
    return f"""
        WITH covered AS (
          SELECT person_id, drug, day,
            max(CASE WHEN large THEN {exposures.large_pack_days} ELSE {exposures.small_pack_days} END) AS days
          FROM bought GROUP BY ALL
        ),
        periods AS (
          SELECT *, day + {exposures.start_delay_days} AS start,
            day + {exposures.start_delay_days} + days + {tolerance} AS until FROM covered
        ),
        marked AS (
          SELECT *, coalesce(start >= max(until) OVER before, true) AS new_run FROM periods
          WINDOW before AS (
            PARTITION BY person_id, drug ORDER BY start ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        ),
        numbered AS (
          SELECT *, count(*) FILTER (new_run) OVER person_drug AS run, min(day) OVER person_drug AS first_day
          FROM marked
          WINDOW person_drug AS (PARTITION BY person_id, drug ORDER BY start ROWS UNBOUNDED PRECEDING)
        )
        SELECT person_id, drug, min(start)::DATE AS start, ({end[exposures.limited_end]})::DATE AS "end",
          min(first_day) AS first_purchase
        FROM numbered GROUP BY person_id, drug, run
    """


KINDS = {"unlimited": unlimited, "limited": limited}


def exposures_of(bought: pa.Table, follow_up: pa.Table, exposures: Exposures, washout_end: dt.date) -> pa.Table:
    """person_id, drug, start, end, prevalent: the exposures of followed persons, and to several medicines at once.

    What is bought after follow-up has ended, or after death, makes none and prolongs none. A start before follow-up
    stays as it is, because its effect may reach into follow-up; an end after follow-up becomes the end of follow-up; an
    exposure that starts later is dropped.

    Prevalent: the person bought the medicine before the end of the washout. Somebody who buys a medicine in the first
    months of the data may have bought it before; only after `washout_months` without a purchase is a first purchase
    taken for a start. The purchase decides, not the start of an exposure, which may come later (start delay, purchases
    needed, a later run).
    """
    during = query(
        f"""
        WITH bought AS (SELECT purchases.* FROM purchases JOIN follow_up USING (person_id) WHERE day <= "end"),
        made AS ({KINDS[exposures.kind](exposures)})
        SELECT person_id, drug, made.start, least(made."end", follow_up."end") AS "end",
          first_purchase < DATE '{washout_end}' AS prevalent
        FROM made JOIN follow_up USING (person_id) WHERE made.start <= follow_up."end"
        ORDER BY person_id, drug, made.start, made."end"
        """,
        purchases=bought,
        follow_up=follow_up,
    )
    return with_interactions(during, exposures)
