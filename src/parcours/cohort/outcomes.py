"""Outcomes: the events that a definition calls one, where on the body, how severe, and which belong together."""

import pyarrow as pa

from parcours.cohort.definitions import OTHER, Condition, Definition, Rule, Selection, Sites, selections
from parcours.cohort.study import Outcomes
from parcours.engine.duck import query
from parcours.engine.sql import listed, text
from parcours.events.codelists import looked_up, matching

# An event in no group has its own day.
DATES = {
    "event": "start",
    "group": 'CASE WHEN "group" IS NULL THEN start ELSE min(start) OVER (PARTITION BY person_id, "group") END',
}
NEAR = {
    "same_group": 'beside."group" = found."group"',
    "same_day": "beside.start = found.start",
    "within_days": "abs(beside.start - found.start) <= {days}",
}
SCHEMA = pa.schema(
    [
        ("person_id", pa.int64()),
        ("date", pa.date32()),
        ("site", pa.string()),
        ("category", pa.string()),
        ("severity", pa.int32()),
    ]
)


def outcomes_of(events: pa.Table, definition: Definition, settings: Outcomes) -> pa.Table:
    """person_id, date, site, category (the rule), severity of every outcome, over all the data.

    Outcomes of one person, day, site and rule are one, at the highest severity; of each chain of them at one site, each
    less than `frame_months` after the one before it, the first counts.
    """
    codes = query("SELECT DISTINCT category, code FROM events", events=events).to_pylist()
    found = [_by_rule(events, rule, codes) for rule in _asked(definition, settings)]
    sited = _with_site(pa.concat_tables(found), definition.sites, settings) if found else SCHEMA.empty_table()
    frame = f"INTERVAL {settings.frame_months} MONTH"
    return query(
        f"""
        WITH strongest AS (
          SELECT person_id, date, site, category, max(severity)::INTEGER AS severity FROM sited
          WHERE severity >= {settings.severity_minimum} GROUP BY ALL
        )
        SELECT person_id, date, site, category, severity FROM strongest
        QUALIFY coalesce(date >= lag(date) OVER (
          PARTITION BY person_id, site ORDER BY date, severity DESC, category) + {frame}, true)
        ORDER BY person_id, date, site, category
        """,
        sited=sited,
    ).cast(SCHEMA)


def named(definition: Definition, settings: Outcomes, codes: list[dict[str, str]]) -> str:
    """Which events the rules of a study look at, in SQL; `codes` are all {category, code} that there are."""
    tests = [_selected("", one, codes) for rule in _asked(definition, settings) for one in selections(rule)]
    return " OR ".join(f"({test})" for test in dict.fromkeys(tests)) or "false"


def when_found(outcomes: pa.Table, follow_up: pa.Table) -> pa.Table:
    """The outcomes of followed persons, with `when`: before, during or after follow-up.

    What belongs together is told on all the data first, so that the end of an older outcome is no new one.
    """
    return query(
        """
        SELECT outcomes.*,
          CASE WHEN date < start THEN 'before' WHEN date > "end" THEN 'after' ELSE 'during' END AS "when"
        FROM outcomes JOIN follow_up USING (person_id) ORDER BY person_id, date, site, category
        """,
        outcomes=outcomes,
        follow_up=follow_up,
    )


def _asked(definition: Definition, settings: Outcomes) -> list[Rule]:
    return [rule for rule in definition.rules if rule.rule in settings.rules]


def _by_rule(events: pa.Table, rule: Rule, codes: list[dict[str, str]]) -> pa.Table:
    severity = " ".join(
        f"WHEN {_holds(when, codes) if when else 'true'} THEN {number}" for number, when in rule.severities
    )
    when = _holds(rule.when, codes) if rule.when else "true"
    return query(
        f"""
        SELECT DISTINCT person_id, {DATES[rule.dated]} AS date, code, {text(rule.rule)} AS category,
          CASE {severity} END AS severity
        FROM events AS found WHERE {_selected("found.", rule.find, codes)} AND {when}
        """,
        events=events,
    )


def _holds(condition: Condition, codes: list[dict[str, str]]) -> str:
    if condition.operator == "not":
        return f"NOT {_holds(condition.parts[0], codes)}"
    if condition.selection is None:
        joined = {"all": " AND ", "any": " OR "}[condition.operator].join(
            _holds(part, codes) for part in condition.parts
        )
        return f"({joined})"
    near = NEAR[condition.operator].format(days=condition.days)
    return (
        "EXISTS (SELECT 1 FROM events AS beside WHERE beside.person_id = found.person_id "
        f"AND {near} AND {_selected('beside.', condition.selection, codes)})"
    )


def _selected(of: str, selection: Selection, codes: list[dict[str, str]]) -> str:
    tests = [f"{of}category IN ({listed(selection.categories)})"]
    if selection.codes is not None:
        own = {row["code"] for row in codes if row["category"] in selection.categories} - {None}
        wanted = sorted(matching(own, selection.codes))
        tests.append(f"{of}code IN ({listed(wanted)})" if wanted else "false")
    if selection.sources:
        tests.append(f"{of}source IN ({listed(selection.sources)})")
    if selection.weight is not None:
        tests.append(f"{of}weight = {selection.weight}")
    return " AND ".join(tests)


def _with_site(found: pa.Table, sites: Sites | None, settings: Outcomes) -> pa.Table:
    """Add `site` at the study's detail and keep the study's sites.

    The most specific code that matches decides; a code of no listed site, and an event without a code, is at `other`.
    """
    codes, other = found["code"].unique().to_pylist(), sites.other if sites else OTHER
    fine, coarse = (
        [looked_up(code, names) or other for code in codes]
        for names in ((sites.fine, sites.coarse) if sites else ({}, {}))
    )
    placed = pa.table(
        {
            "code": pa.array(codes, pa.string()),
            "site": pa.array(fine, pa.string()),
            "site_group": pa.array(coarse, pa.string()),
        }
    )
    wanted = (
        f"site IN ({listed(settings.sites)}) OR site_group IN ({listed(settings.sites)})" if settings.sites else "true"
    )
    return query(
        f"SELECT person_id, date, placed.{settings.site_level} AS site, category, severity "
        f"FROM found JOIN placed ON found.code IS NOT DISTINCT FROM placed.code WHERE {wanted}",
        found=found,
        placed=placed,
    )
