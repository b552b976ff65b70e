"""The one schema of events."""

import pyarrow as pa

# `code` in the normal form of its code system. `group`: what belongs together: the statement or claim within its day,
# or the stay (hospital, number within its year, year), never an identifier of a person. `source`: where an outpatient
# act was done.
EVENT_SCHEMA = pa.schema(
    [
        pa.field("person_id", pa.int64(), nullable=False),
        pa.field("category", pa.string(), nullable=False),
        pa.field("code", pa.string()),
        pa.field("group", pa.string()),
        pa.field("start", pa.date32(), nullable=False),
        pa.field("end", pa.date32()),
        pa.field("weight", pa.float64()),
        pa.field("source", pa.string()),
    ]
)
EVENT_COLUMNS = tuple(EVENT_SCHEMA.names)
DEATH_EXIT = 9.0  # mode of exit of a hospital stay (SOR_MOD), the weight of a stay


def no_events() -> pa.Table:
    """A table of events without a row."""
    return EVENT_SCHEMA.empty_table()
