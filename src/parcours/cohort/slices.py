"""The cohort of a study as work on slices: each step of a slice's persons from the tables before it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from parcours.cohort.definitions import load_definition
from parcours.cohort.exposures import exposures_of
from parcours.cohort.medicines import purchases_of
from parcours.cohort.outcomes import outcomes_of, when_found
from parcours.cohort.population import follow_up_of
from parcours.cohort.study import Study
from parcours.engine.duck import duck, query
from parcours.engine.results import Files, rows_of
from parcours.engine.slices import EVENT_BYTES, Slice, cut
from parcours.engine.work import Work, Write
from parcours.events.codelists import Lists
from parcours.events.schema import DRUG_PURCHASE, EVENT_SCHEMA

FOLLOW_UP, EXPOSURES, OUTCOMES = "follow_up.parquet", "exposures.parquet", "outcomes.parquet"
PERSON_SCHEMA = pa.schema(
    [
        ("person_id", pa.int64()),
        ("in_referential", pa.bool_()),
        ("certified", pa.bool_()),
        ("sex", pa.int32()),
        ("birth", pa.date32()),
        ("ambiguous", pa.bool_()),
        ("death", pa.date32()),
        ("death_source", pa.string()),
    ]
)
FOLLOW_UP_SCHEMA = pa.schema(
    [
        ("person_id", pa.int64()),
        ("start", pa.date32()),
        ("end", pa.date32()),
        ("end_reason", pa.string()),
        ("birth", pa.date32()),
        ("sex", pa.int32()),
        ("death_source", pa.string()),
    ]
)


@dataclass(frozen=True)
class CohortSlices:
    """What the cohort of a study is made of; `made`: the results that are there already, from a run that had the same.

    `persons`, and of each category the events, as files by bucket.
    """

    study: Study
    lists: Lists
    persons: Files
    events: Mapping[str, Files]
    packs: pa.Table
    made: Mapping[str, Files]

    def work(self) -> Work:
        """The results that are not made yet, slice by slice, and the counts of each."""
        return Work(list(self.persons), self.slices, self.compute)

    def slices(self, bucket: str) -> Iterable[Slice]:
        """The slices of a bucket."""
        files = [*self.persons[bucket], *self.events.get(DRUG_PURCHASE, {}).get(bucket, ())]
        with duck() as connection:
            return cut(connection, bucket, files, EVENT_BYTES)

    def compute(self, piece: Slice, write: Write) -> Mapping[str, Any]:
        """The cohort of a slice."""
        counts: dict[str, Any] = {}
        if FOLLOW_UP in self.made:
            follow_up = self._made(piece, FOLLOW_UP, FOLLOW_UP_SCHEMA)
        else:
            follow_up, counts["population"] = self._population(piece, write)
        if EXPOSURES not in self.made:
            counts["exposures"] = self._exposures(piece, follow_up, write)
        if OUTCOMES not in self.made:
            counts["outcomes"] = self._outcomes(piece, follow_up, write)
        return counts

    def _population(self, piece: Slice, write: Write) -> tuple[pa.Table, dict[str, Any]]:
        with duck() as connection:
            persons = rows_of(connection, self.persons[piece.bucket], piece, PERSON_SCHEMA)
        follow_up, steps = follow_up_of(persons, self.study.population)
        write(FOLLOW_UP, follow_up)
        died = query(
            "SELECT death_source, count(*) AS n FROM follow_up WHERE end_reason = 'death' GROUP BY 1 ORDER BY 1",
            follow_up=follow_up,
        )
        return follow_up, {"steps": steps, "deaths": {row["death_source"]: row["n"] for row in died.to_pylist()}}

    def _exposures(self, piece: Slice, follow_up: pa.Table, write: Write) -> dict[str, int]:
        study = self.study
        bought = purchases_of(self._events(piece, [DRUG_PURCHASE]), self.packs, study.medicines, self.lists())
        made = exposures_of(bought, follow_up, study.exposures, study.washout_end)
        write(EXPOSURES, made)
        prevalent = made["prevalent"].to_pylist().count(True)
        return {"kept": len(made) - prevalent, "prevalent": prevalent}

    def _outcomes(self, piece: Slice, follow_up: pa.Table, write: Write) -> dict[str, Any]:
        definition = load_definition(self.lists(), self.study.outcomes.definition)
        found = outcomes_of(self._events(piece, definition.categories), definition, self.study.outcomes)
        placed = when_found(found, follow_up)
        during = query("""SELECT * EXCLUDE "when" FROM placed WHERE "when" = 'during'""", placed=placed)
        write(OUTCOMES, during)
        counted = query('SELECT "when", count(*) AS n FROM placed GROUP BY 1 ORDER BY 1', placed=placed).to_pylist()
        cases = len(during["person_id"].unique())
        return {"when": {row["when"]: row["n"] for row in counted}, "cases": cases}

    def _events(self, piece: Slice, categories: Iterable[str]) -> pa.Table:
        files = [file for name in categories for file in self.events.get(name, {}).get(piece.bucket, ())]
        with duck() as connection:
            return rows_of(connection, files, piece, EVENT_SCHEMA)

    def _made(self, piece: Slice, name: str, schema: pa.Schema) -> pa.Table:
        with duck() as connection:
            return rows_of(connection, self.made[name].get(piece.bucket, ()), piece, schema)
