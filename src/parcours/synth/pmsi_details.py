"""Detail tables of the PMSI: rows that hang on a stay, visit or week, and their orphans."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from parcours.snds.contracts import load_product, load_table
from parcours.synth import faults
from parcours.synth.block import Block
from parcours.synth.facts import details, prior
from parcours.synth.hospital_columns import HOSPITALS, hospital_codes
from parcours.synth.pmsi import StayNumbers, stay_columns
from parcours.synth.raw import RawFiles
from parcours.synth.stays import Stays
from parcours.synth.table_rows import table_rows

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class YearFiles:
    """The files of one year that tables are written to, with the generator and the rates that they are written by."""

    raw: RawFiles
    rng: np.random.Generator
    rates: dict[str, float]
    year: int

    def has(self, table: str) -> bool:
        """Whether the source has the table in that year, and the generator knows how often it has rows."""
        return table in details() and load_table(table).exists_in(self.year)

    def append(self, table: str, known: Columns) -> int:
        """Append rows, some of them damaged; returns how many."""
        count = len(next(iter(known.values())))
        lines = table_rows(self.rng, table, self.year, known, count)
        lines, damaged = faults.damage(self.rng, lines, self.rates["malformed"])
        field, member = table.split("_")
        self.raw.append(table, f"T_{field}{self.year % 100:02d}{member}.csv", self.year, lines, of_year=self.year)
        return damaged

    def append_details(self, tables: tuple[str, ...], parents: Columns, of: Columns, number: str) -> Counter[str]:
        """Append the rows of detail tables. `of`: which parents, as positions, may have rows of each kind."""
        planted: Counter[str] = Counter()
        for table in filter(self.has, tables):
            found = details()[table]
            rows = found.places(self.rng, of[found.of])
            orphans = rows[self.rng.random(len(rows)) < self.rates["orphan_child"]]
            known = {name: values[np.concatenate([rows, orphans])] for name, values in parents.items()}
            known[number] = np.concatenate([parents[number][rows], orphaned(parents[number][orphans])])
            planted[f"orphans_{table}"] += len(orphans)
            planted[f"malformed_{table}"] += self.append(table, known)
        return planted


def orphaned(numbers: np.ndarray) -> np.ndarray:
    """Stay numbers that no stay has."""
    return np.array([f"Z{number[1:]}" for number in numbers], object)


def write_stay_details(files: YearFiles, block: Block, stays: Stays, numbers: StayNumbers) -> Counter[str]:
    """Append what MCO has beside its five tables: medicines and devices of public stays, invoices of private ones."""
    none = np.zeros(len(stays), np.int64)
    parents = {
        **stay_columns(block.people, stays, numbers, none, none, none),
        **dict.fromkeys(("ETA_NUM", "ETA_NUM_ENT"), numbers.hospital),
        "RSA_NUM": numbers.number,
    }
    private = np.isin(numbers.hospital, hospital_codes()[: round(HOSPITALS * prior("stays.private_share"))])
    of = {"private": np.flatnonzero(private), "public": np.flatnonzero(~private)}
    return files.append_details(load_product("MCO").where_present, parents, of, "RSA_NUM")
