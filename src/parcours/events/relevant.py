"""The rows of a slice that some extractor reads, in one narrow table, and the rule that removes each."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from parcours.engine.sql import text
from parcours.events.columns import PERIOD
from parcours.events.extractors import WORD, Extractor, Pass, columns_in
from parcours.events.filters import left_out_by
from parcours.snds.contracts import load_product

ROWS = "flat_rows"
NO_CODE, NO_DATE = "no_code", "no_date"
STATEMENTS = "ER_DCT_F"  # one row a statement, which has several lines
CELL_BYTES, ARROW_BYTES = 8, 600 << 20
# What rows tell beside the flat columns: the claim of a row, and which of the rows of that claim it is.
CLAIM, ROW_OF_CLAIM = "claim", "row_of_claim"


@contextmanager
def relevant_rows(connection: duckdb.DuckDBPyConnection, sql: str, rows: int) -> Iterator[None]:
    """The table ROWS, of at most so many rows: in Arrow, which is filled in two thirds of the time, while it is small.

    DuckDB keeps a large one within its memory, and on the disk.
    """
    found = connection.sql(sql)
    if rows * len(found.columns) * CELL_BYTES > ARROW_BYTES:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {ROWS} AS {sql}")
        yield
        connection.execute(f"DROP TABLE {ROWS}")
        return
    connection.register(ROWS, found.to_arrow_table())
    yield
    connection.unregister(ROWS)


def relevant(rows: str, of: Pass, extractors: Sequence[Extractor], codelists: Path) -> str:
    """SQL: the rows of some extractor.

    They have the columns that extractors read of each row, named expressions, and for each set of filters the one that
    removes a row. What is read once for each combination of values (see `naming`) is there as it is in the flat row.
    """
    told = [each for one in extractors for each in of_each_row(one)]
    defined = of.used(told)
    needed = [*defined.values(), *told, *(each for one in extractors for each in expanded(of, naming(one).values()))]
    columns = sorted({"person_id", *(column for each in needed for column in columns_in(of.product, each))})
    columns += [PERIOD] if any(PERIOD in WORD.findall(each) for each in needed) else []
    columns += [CLAIM, ROW_OF_CLAIM] if any(one.net for one in extractors) else []
    sets = {removed(one): one.filters for one in extractors}
    more = [f"{expression} AS {name}" for name, expression in defined.items()]
    more += [f"{left_out_by(some, codelists)} AS {name}" for name, some in sorted(sets.items())]
    if any(re.search(r"\bstatement\b", each) for each in told):
        more.append(f"hash({', '.join(load_product(of.product).key_of(STATEMENTS))}) AS statement")
    some = " OR ".join(f"({present(one)})" for one in extractors)
    return f"SELECT {', '.join([*columns, *more])} FROM ({rows}) WHERE {some}"


def naming(one: Extractor) -> dict[str, str]:
    """What tells what a netted event is of, which is looked up once for each combination of values; {} of others."""
    if one.net is None:
        return {}
    told = {"code": one.code, "source": one.source, "item": one.net.item, "each": one.net.each}
    return {name: expression or "NULL" for name, expression in told.items()}


def of_each_row(one: Extractor) -> list[str]:
    """What is read of each row."""
    told = [one.start, one.end, one.group, one.weight, one.where, *one.columns]
    told += [one.net.line] if one.net else [one.code, one.source]
    return [each for each in told if each]


def expanded(of: Pass, expressions: Iterable[str]) -> list[str]:
    """Expressions, and the named ones that they use."""
    told = list(expressions)
    return [*of.used(told).values(), *told]


def removed(one: Extractor) -> str:
    """The column that names the filter that removes a row; null where none does."""
    return "removed_" + "_".join(each.id for each in one.filters)


def present(one: Extractor) -> str:
    """Which rows hold something of an extractor."""
    told = [f"({one.where})"] if one.where else []
    told += [f"({' OR '.join(f'{column} IS NOT NULL' for column in one.columns)})"] if one.columns else []
    return " AND ".join(told) or "true"


def rule(one: Extractor, *, code: str, undated: str) -> str:
    """The rule that leaves a row out; null where none does."""
    return (
        f"CASE WHEN {removed(one)} IS NOT NULL THEN {removed(one)} "
        f"WHEN ({code}) IS NULL THEN {text(NO_CODE)} WHEN {undated} THEN {text(NO_DATE)} END"
    )
