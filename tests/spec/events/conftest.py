"""Small flat tables written as text, and the events that become of them."""

from pathlib import Path

import pyarrow as pa
import pytest

from parcours.engine.duck import query
from parcours.engine.sql import quoted
from parcours.events.columns import column_type
from parcours.events.extractors import extractors, passes
from parcours.events.one_pass import events_of_rows
from parcours.events.references import NO_CONTENTS, pack_references, packs_of

CODELISTS = Path(__file__).parents[3] / "codelists"
KINDS = {"VARCHAR": "string", "BIGINT": "bigint", "INTEGER": "int", "DOUBLE": "double", "DATE": "date"}
NO_PACKS = packs_of(
    pa.table(
        {
            "PHA_CIP_C13": pa.nulls(0, pa.int64()),
            "PHA_PRS_IDE": pa.nulls(0, pa.int64()),
            "PHA_ATC_C07": pa.nulls(0, pa.string()),
            "PHA_CND_TOP": pa.nulls(0, pa.string()),
        }
    )
)


@pytest.fixture(scope="session")
def flat(table):
    """`flat("MCO", text)`: rows of a flat product; a column may be named without its table, one not named is empty."""

    def build(product: str, given: "str | pa.Table") -> pa.Table:
        of = passes()[product]
        kinds = {column: column_type(product, column) for column in of.columns(of.extractors)} | {"period": "VARCHAR"}
        if isinstance(given, str):
            header, *_ = given.strip().splitlines()
            short = {column.rpartition("__")[2]: column for column in kinds}
            names = [short.get(cell.strip(), cell.strip()) for cell in header.split("|")]
            lines = given.strip().splitlines()[1:]
            given = table(
                "\n".join([" | ".join(names), *lines]), ", ".join(f"{one} {KINDS[kinds[one]]}" for one in names)
            )
        cells = (
            f"CAST({quoted(column) if column in given.column_names else 'NULL'} AS {kind}) AS {quoted(column)}"
            for column, kind in sorted(kinds.items())
        )
        return query(f"SELECT {', '.join(cells)} FROM given", given=given)

    return build


@pytest.fixture(scope="session")
def extracted():
    """`extracted(rows, *categories)` gives {category: events} and {category: counts} of flat rows of one product."""

    def extract(rows: pa.Table, *categories: str, packs: pa.Table = NO_PACKS, contents: pa.Table = NO_CONTENTS):
        wanted = [extractors()[category] for category in categories]
        return events_of_rows(rows, passes()[wanted[0].product], wanted, pack_references(packs, contents), CODELISTS)

    return extract


@pytest.fixture(scope="session")
def no_packs() -> pa.Table:
    """An IR_PHA_R without a row."""
    return NO_PACKS
