"""Deaths: what each source tells, which of it is credible, and the one date that all stages use.

Sources, their precedence and the limits are `deaths.yaml`; docs/reference/studies.md ("Death") says it in words.
A telling is a row (person_id, source, first, last): the person died from `first` to `last`, both included.
"""

from collections.abc import Iterable

import pyarrow as pa

from parcours.engine.duck import query
from parcours.engine.sql import listed, text
from parcours.events.death_sources import DAY, DISCHARGE, MONTH, DeathSource, death_rules, death_sources
from parcours.events.schema import DEATH_EXIT
from parcours.snds.person_columns import placeholders

TELLING_COLUMNS = ("person_id", "source", "first", "last")
TELLING = ", ".join(TELLING_COLUMNS)
CREDIBLE = "credible"
BEFORE_BIRTH, DIED_LATER, CARE_AFTER = "before_birth", "died_later_in_hospital", "care_after"
VERDICTS = (CREDIBLE, BEFORE_BIRTH, DIED_LATER, CARE_AFTER)

DEATH_COLUMNS = frozenset({"BEN_DCD_DTE", "BEN_DCD_AME"})
HOLDER_COLUMNS = frozenset({"BEN_IDT_ANO", "BEN_NIR_ANO"})
UPDATED = "BEN_DTE_MAJ"
MATCHED = "DCD_IDT_TOP"
CERTIFICATE_COLUMNS = DEATH_COLUMNS | HOLDER_COLUMNS | {MATCHED}


# --- what the sources tell ---------------------------------------------------------------------------------------


def told_by_referential(rows: pa.Table, product: str) -> pa.Table:
    """Tellings of the linked rows of IR_BEN_R or its archive: of the rows of one couple, the one updated last."""
    return query(
        f"""
        SELECT DISTINCT ON (person_id, psa, rank, source) {TELLING} FROM ({_dated("rows", product)})
        ORDER BY person_id, psa, rank, source, {UPDATED} DESC NULLS LAST, first DESC, last DESC
        """,
        rows=rows,
    ).select(list(TELLING_COLUMNS))


def told_by_certificates(certificates: str) -> str:
    """SQL: tellings of the certificates that have a person (see `with_holder`), each of them."""
    return f"SELECT {TELLING} FROM ({_dated(f'({certificates})', 'KI_CCI_R')}) WHERE person_id IS NOT NULL"


def told_by_stays(stays: pa.Table) -> pa.Table:
    """Tellings of the events of hospital stays that ended in death: the last day of the stay, where it is known."""
    earliest = death_rules()["earliest_year"]
    columns = {source.category: source.column for source in death_sources() if source.category}
    by_category = " ".join(f"WHEN {text(category)} THEN {text(column)}" for category, column in columns.items())
    return query(
        f"""
        SELECT person_id, CASE category {by_category} END AS source, "end" AS first, "end" AS last
        FROM stays WHERE category IN ({listed(columns)}) AND weight = {DEATH_EXIT} AND year("end") >= {earliest}
        """,
        stays=stays,
    )


def holders(rows: str) -> str:
    """SQL: column, identifier, person_id: who holds each identifier that a certificate may have.

    `rows` gives linked referential rows. Where BEN_IDT_ANO is not known it is the PSA followed by the rank, as the CNAM
    makes it.
    """
    return f"""
        SELECT DISTINCT "column", identifier, person_id FROM (
          SELECT 'BEN_IDT_ANO' AS "column", coalesce({_identifier("BEN_IDT_ANO")}, psa || rank) AS identifier, person_id
          FROM ({rows})
          UNION ALL SELECT 'BEN_NIR_ANO', {_identifier("BEN_NIR_ANO")}, person_id FROM ({rows})
        ) WHERE identifier IS NOT NULL AND person_id IS NOT NULL
    """


def with_holder(certificates: str, held: str, columns: Iterable[str] = DEATH_COLUMNS) -> str:
    """SQL: `columns` of certificates, `matched` and the `person_id` of each.

    `matched`: DCD_IDT_TOP is not 0, and there is an identifier. The person is found by BEN_IDT_ANO, else by BEN_NIR_ANO
    if it is of one person; null when no referential knows the identifier. A certificate of several persons is one row
    for each.
    """
    names = ", ".join(
        f"CASE WHEN coalesce({MATCHED}, 1) != 0 THEN {_identifier(column)} END AS {column}"
        for column in sorted(HOLDER_COLUMNS)
    )
    return f"""
        WITH held AS MATERIALIZED ({held}),
        named AS (SELECT {", ".join(sorted(columns))}, {names} FROM ({certificates})),
        by_nir AS (
          SELECT identifier, any_value(person_id) AS person_id FROM held WHERE "column" = 'BEN_NIR_ANO'
          GROUP BY identifier HAVING count(*) = 1
        )
        SELECT named.* EXCLUDE (BEN_IDT_ANO, BEN_NIR_ANO),
          named.BEN_IDT_ANO IS NOT NULL OR named.BEN_NIR_ANO IS NOT NULL AS matched,
          coalesce(i.person_id, n.person_id) AS person_id
        FROM named
          LEFT JOIN (SELECT * FROM held WHERE "column" = 'BEN_IDT_ANO') AS i ON named.BEN_IDT_ANO = i.identifier
          LEFT JOIN by_nir AS n ON named.BEN_NIR_ANO = n.identifier
    """


# --- what is believed --------------------------------------------------------------------------------------------


def judged(told: pa.Table, births: pa.Table, care: pa.Table) -> pa.Table:
    """Distinct tellings with their `verdict`: credible, or the reason why not.

    before_birth: in a year before that of birth. died_later_in_hospital: a stay that ended in death, and a later one
    that did so too. care_after: followed by lasting care (`deaths.yaml`). `care` has person_id and start of events.
    """
    rules = death_rules()
    modes = listed(source.column for source in death_sources() if source.gives == DISCHARGE)
    return query(
        f"""
        WITH once AS (SELECT DISTINCT {TELLING} FROM told),
        after AS (
          SELECT once.*, count(DISTINCT start) AS care_days FROM once JOIN care USING (person_id)
          WHERE start > last + {rules["care_after"]["more_than_days"]} GROUP BY ALL
        ),
        marked AS (
          SELECT once.*, birth, coalesce(care_days, 0) AS care_days, source IN ({modes}) AS in_hospital,
            max(first) FILTER (source IN ({modes})) OVER (PARTITION BY person_id) AS last_stay
          FROM once LEFT JOIN births USING (person_id) LEFT JOIN after USING ({TELLING})
        )
        SELECT {TELLING}, CASE
          WHEN year(last) < year(birth) THEN '{BEFORE_BIRTH}'
          WHEN in_hospital AND last + {rules["agreement_days"]} < last_stay THEN '{DIED_LATER}'
          WHEN care_days >= {rules["care_after"]["care_days"]} THEN '{CARE_AFTER}'
          ELSE '{CREDIBLE}' END AS verdict
        FROM marked ORDER BY ALL
        """,
        told=told,
        births=births,
        care=care,
    )


def decided(judged_tellings: pa.Table) -> pa.Table:
    """person_id, death, death_source, deaths_disagree of everybody with a credible telling.

    Death is the earliest credible one, so that nobody is followed after any; sources that tell the same day go by
    precedence. A month in which another source tells a day gives way to that day; else its first day stands for it.
    They disagree when no day, give or take `agreement_days`, is in all of them.
    """
    places = " ".join(f"WHEN {text(source.column)} THEN {n}" for n, source in enumerate(death_sources()))
    return query(
        f"""
        WITH credible AS (
          SELECT DISTINCT {TELLING}, CASE source {places} END AS place FROM told WHERE verdict = '{CREDIBLE}'
        ),
        chosen AS (
          SELECT DISTINCT ON (person_id) person_id, first AS death, source AS death_source
          FROM credible AS month
          WHERE NOT EXISTS (
            SELECT 1 FROM credible AS day WHERE day.person_id = month.person_id AND day.first = day.last
              AND month.first < month.last AND day.first BETWEEN month.first AND month.last)
          ORDER BY person_id, first, place, last
        )
        SELECT person_id, death, death_source,
          max(first) > min(last) + {death_rules()["agreement_days"]} AS deaths_disagree
        FROM chosen JOIN credible USING (person_id) GROUP BY ALL ORDER BY person_id
        """,
        told=judged_tellings,
    )


def care_after_death(care: pa.Table, persons: pa.Table) -> dict[str, int]:
    """{category: events dated after the person's death}, an error of one source or the other.

    `care` has person_id, category and start of events.
    """
    late = query(
        """
        SELECT category, count(*) AS n FROM care JOIN persons USING (person_id) WHERE start > death
        GROUP BY 1 ORDER BY 1
        """,
        care=care,
        persons=persons,
    )
    return {row["category"]: row["n"] for row in late.to_pylist()}


def _dated(rows: str, product: str) -> str:
    """SQL: the rows with `source`, `first` and `last`, once for each column of the product that tells of a death."""
    told = [
        f"SELECT *, {text(source.column)} AS source, {first} AS first, {last} AS last FROM {rows}"
        for source in death_sources()
        if source.product == product and source.gives in (DAY, MONTH)
        for first, last in [_span(source)]
    ]
    return f"SELECT * FROM ({' UNION ALL '.join(told)}) WHERE first IS NOT NULL"


def _span(source: DeathSource) -> tuple[str, str]:
    """The first and the last day that a column of dates or months leaves open; null where it tells no death."""
    name, earliest = source.column.partition(".")[2], death_rules()["earliest_year"]
    if source.gives == DAY:
        day = f"CASE WHEN year({name}) >= {earliest} THEN {name} END"
        return day, day
    month = f"CASE WHEN regexp_full_match(trim({name}), '[0-9]{{6}}') THEN try_strptime(trim({name}), '%Y%m')::DATE END"
    first = f"CASE WHEN year({month}) >= {earliest} THEN {month} END"
    return first, f"last_day({first})"


def _identifier(name: str) -> str:
    return f"CASE WHEN rtrim({name}) NOT IN ({listed(('', *placeholders()))}) THEN rtrim({name}) END"
