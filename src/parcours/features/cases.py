"""The case series of a study as work on slices."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from parcours.cohort.slices import EXPOSURES, FOLLOW_UP, OUTCOMES
from parcours.engine.duck import duck
from parcours.engine.results import Files, rows_of
from parcours.engine.slices import EVENT_BYTES, Slice, cut
from parcours.engine.work import Work, Write
from parcours.features.case_series import case_events, case_exposures, case_persons

DAYS = [("person_id", pa.int64()), ("start", pa.date32()), ("end", pa.date32())]
FOLLOWED = pa.schema([*DAYS, ("birth", pa.date32())])
EXPOSED = pa.schema([*DAYS, ("drug", pa.string()), ("prevalent", pa.bool_())])
DATED = pa.schema([("person_id", pa.int64()), ("date", pa.date32())])
# What the models read: whole days since 1970-01-01.
PERSONS = pa.schema([("person_id", pa.int64()), ("start", pa.int32()), ("end", pa.int32()), ("birth", pa.int32())])
EVENTS = pa.schema([("person_id", pa.int64()), ("day", pa.int32())])
STARTED = pa.schema([("person_id", pa.int64()), ("drug", pa.string()), ("start", pa.int32()), ("end", pa.int32())])
SCHEMAS = {"persons": PERSONS, "events": EVENTS, "exposures": STARTED}


@dataclass(frozen=True)
class Cases:
    """The results of a cohort, by name and bucket."""

    cohort: Mapping[str, Files]
    outcome_events: str

    def work(self) -> Work:
        """persons, events and exposures of the cases, slice by slice."""
        return Work(sorted(self.cohort[OUTCOMES]), self.slices, self.compute)

    def slices(self, bucket: str) -> Iterable[Slice]:
        """The slices of a bucket."""
        with duck() as connection:
            return cut(connection, bucket, self.cohort[EXPOSURES].get(bucket, ()), EVENT_BYTES)

    def compute(self, piece: Slice, write: Write) -> Mapping[str, Any]:
        """The cases of a slice."""
        with duck() as connection:
            outcomes, follow_up, exposures = (
                rows_of(connection, self.cohort[name].get(piece.bucket, ()), piece, schema)
                for name, schema in ((OUTCOMES, DATED), (FOLLOW_UP, FOLLOWED), (EXPOSURES, EXPOSED))
            )
        events = case_events(outcomes, self.outcome_events)
        write("events", events)
        write("persons", case_persons(follow_up, events))
        write("exposures", case_exposures(exposures, events))
        return {}
