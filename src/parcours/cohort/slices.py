"""The cohort of a study as work on slices: each step of a slice's persons from the tables before it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from parcours.cohort.definitions import load_definition
from parcours.cohort.exposures import exposures_of
from parcours.cohort.medicine_levels import purchases_at
from parcours.cohort.medicines import purchases_of
from parcours.cohort.observation import BOUGHT, FOUND, Known
from parcours.cohort.outcomes import named, outcomes_of, when_found
from parcours.cohort.population import follow_up_of
from parcours.cohort.study import Study
from parcours.engine.duck import duck, query
from parcours.engine.results import Files, rows_of, values_of
from parcours.engine.slices import EVENT_BYTES, Slice, cut
from parcours.engine.work import Work, Write
from parcours.events.codelists import Lists
from parcours.events.schema import EVENT_SCHEMA
from parcours.storage.place import Place

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
PURCHASES = pa.schema([EVENT_SCHEMA.field(name) for name in ("person_id", "code", "group", "start")])
CODES = pa.schema([EVENT_SCHEMA.field(name) for name in ("category", "code")])
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
        missing = [name for name in (FOLLOW_UP, EXPOSURES, OUTCOMES) if name not in self.made]
        return Work(list(self.persons), self.slices, self.compute, missing)

    def slices(self, bucket: str) -> Iterable[Slice]:
        """The slices of a bucket."""
        files = [*self.persons[bucket], *self.files(bucket, [self.purchases])]
        with duck() as connection:
            return cut(connection, bucket, files, EVENT_BYTES)

    def compute(self, piece: Slice, write: Write) -> Mapping[str, Any]:
        """The cohort of a slice."""
        counts: dict[str, Any] = {}
        read = OfSlice(self, piece)
        if FOLLOW_UP in self.made:
            follow_up = self.made_before(piece, FOLLOW_UP, FOLLOW_UP_SCHEMA)
        else:
            follow_up, counts["population"] = self._population(read, write)
        if EXPOSURES not in self.made:
            counts["exposures"] = self._exposures(read, follow_up, write)
        if OUTCOMES not in self.made:
            counts["outcomes"] = self._outcomes(read, follow_up, write)
        return counts

    def _population(self, read: "OfSlice", write: Write) -> tuple[pa.Table, dict[str, Any]]:
        follow_up, steps = follow_up_of(read.persons, self.study.population, read.known)
        write(FOLLOW_UP, follow_up)
        died = query(
            "SELECT death_source, count(*) AS n FROM follow_up WHERE end_reason = 'death' GROUP BY 1 ORDER BY 1",
            follow_up=follow_up,
        )
        return follow_up, {"steps": steps, "deaths": {row["death_source"]: row["n"] for row in died.to_pylist()}}

    def _exposures(self, read: "OfSlice", follow_up: pa.Table, write: Write) -> dict[str, int]:
        made = exposures_of(read.bought, follow_up, self.study.exposures, self.study.washout_end)
        write(EXPOSURES, made)
        prevalent = made["prevalent"].to_pylist().count(True)
        return {"kept": len(made) - prevalent, "prevalent": prevalent}

    def _outcomes(self, read: "OfSlice", follow_up: pa.Table, write: Write) -> dict[str, Any]:
        placed = when_found(read.outcomes, follow_up)
        during = query("""SELECT * EXCLUDE "when" FROM placed WHERE "when" = 'during'""", placed=placed)
        write(OUTCOMES, during)
        counted = query('SELECT "when", count(*) AS n FROM placed GROUP BY 1 ORDER BY 1', placed=placed).to_pylist()
        cases = len(during["person_id"].unique())
        return {"when": {row["when"]: row["n"] for row in counted}, "cases": cases}

    @property
    def purchases(self) -> str:
        """The category of purchases that the study reads."""
        return purchases_at(self.study.medicines.level)

    def files(self, bucket: str, categories: Iterable[str]) -> list[Place]:
        """The files of a bucket that hold events of some categories."""
        return [file for name in categories for file in self.events.get(name, {}).get(bucket, ())]

    def made_before(self, piece: Slice, name: str, schema: pa.Schema) -> pa.Table:
        """The rows of a slice of a result that is there already."""
        with duck() as connection:
            return rows_of(connection, self.made[name].get(piece.bucket, ()), piece, schema)


@dataclass(frozen=True)
class OfSlice:
    """What several results of a slice are made of, read once and only if one of them needs it."""

    cohort: CohortSlices
    piece: Slice

    @cached_property
    def persons(self) -> pa.Table:
        """Who there is."""
        with duck() as connection:
            return rows_of(connection, self.cohort.persons[self.piece.bucket], self.piece, PERSON_SCHEMA)

    @cached_property
    def purchases(self) -> pa.Table:
        """person_id, code, group, start of the purchases of any medicine."""
        files = self.cohort.files(self.piece.bucket, [self.cohort.purchases])
        with duck() as connection:
            return rows_of(connection, files, self.piece, PURCHASES)

    @cached_property
    def bought(self) -> pa.Table:
        """The purchases of the study's medicines."""
        study = self.cohort.study
        return purchases_of(self.purchases, self.cohort.packs, study.medicines, self.cohort.lists())

    @cached_property
    def outcomes(self) -> pa.Table:
        """The outcomes over all the data, before anybody's follow-up is known."""
        asked = self.cohort.study.outcomes
        definition = load_definition(self.cohort.lists(), asked.definition)
        files = self.cohort.files(self.piece.bucket, definition.categories)
        with duck() as connection:
            codes = values_of(connection, files, self.piece, CODES).to_pylist()
            events = rows_of(connection, files, self.piece, EVENT_SCHEMA, named(definition, asked, codes))
        return outcomes_of(events, definition, asked)

    @property
    def known(self) -> Known:
        """What the population of the study needs of these."""
        population = self.cohort.study.population
        return Known(
            bought=self.bought.select(BOUGHT.names) if population.looks_at_first_purchases else BOUGHT.empty_table(),
            purchases=days_of(self.purchases) if population.trackloss_months else BOUGHT.empty_table(),
            outcomes=self.outcomes.select(FOUND.names) if population.prior_outcome == "drop" else FOUND.empty_table(),
        )


def days_of(purchases: pa.Table) -> pa.Table:
    """person_id, day of purchase events."""
    return query("SELECT person_id, start AS day FROM purchases", purchases=purchases)
