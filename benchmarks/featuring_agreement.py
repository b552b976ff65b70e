"""Whether ours and the peer computed about the same study; their rules differ, so that no rows are compared."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb

from parcours.cohort.plan import read_run, step_directory
from parcours.errors import ParcoursError
from parcours.storage.place import local_path

TOLERANCE = 0.05  # largest difference, as a share of the larger number
SLACK = 3  # so many persons or purchases may differ whatever their number is: a trial has few cases
COMPARED = ("purchases", "cases")
Counts = dict[str, int]


def our_counts(summary: Mapping[str, Any]) -> Counts:
    """Counts of what the stages tell it wrote.

    Purchases are days on which a person bought a substance, those that were cancelled taken away.
    """
    run, features = read_run(summary["run"]), Path(summary["features"]["directory"])
    purchases, medicines = (local_path(step_directory(run, name)) for name in ("drug_purchase", "medicines"))
    substances = "read_parquet(?) JOIN read_parquet(?) ON code = cip13 WHERE atc IS NOT NULL"
    return {
        "purchases": _count(
            f"SELECT DISTINCT person_id, start, atc FROM {substances}", purchases, medicines / "packs.parquet"
        ),
        **_design_counts(*(features / f"{name}.parquet" for name in ("persons", "exposures"))),
    }


def peer_counts(out: Path) -> Counts:
    """Counts of what the peer wrote; its purchases are not netted: SCALPEL knows no cancellation."""
    bought = 'SELECT DISTINCT "patientID", start, value FROM read_parquet(?)'
    return {
        "purchases": _count(bought, out / "extract" / "drug_purchases" / "data"),
        **_design_counts(out / "design" / "persons", out / "design" / "exposures"),
    }


def agreement(ours: Counts, peer: Counts, peer_name: str) -> dict[str, Any]:
    """{what: {parcours, <peer>, difference}} and the tolerance; differences are shares of the larger number."""
    told = {
        what: {"parcours": ours[what], peer_name: peer[what], "difference": round(_difference(ours, peer, what), 4)}
        for what in ours
    }
    return {**told, "compared": list(COMPARED), "tolerance": TOLERANCE}


def check_agreement(ours: Counts, peer: Counts, peer_name: str) -> None:
    """Raise ParcoursError, naming the first compared number that differs by more than the tolerance."""
    for what in COMPARED:
        if abs(ours[what] - peer[what]) > SLACK and _difference(ours, peer, what) > TOLERANCE:
            apart = f"{what} are {peer[what]} and {ours[what]}, more than {TOLERANCE:.0%} apart"
            message = f"{peer_name} and parcours do not compute the same study: {apart}"
            raise ParcoursError(f"{message}. No result was written.")


def _difference(ours: Counts, peer: Counts, what: str) -> float:
    return abs(ours[what] - peer[what]) / max(ours[what], peer[what], 1)


def _design_counts(persons: Path, exposures: Path) -> Counts:
    return {
        "cases": _count("SELECT * FROM read_parquet(?)", persons),
        "exposures": _count("SELECT * FROM read_parquet(?)", exposures),
        "medicines": _count("SELECT DISTINCT drug FROM read_parquet(?)", exposures),
    }


def _count(query: str, *paths: Path) -> int:
    """Rows of a query over Parquet files, or over the files of folders."""
    files = [str(path if path.is_file() else path / "*.parquet") for path in paths]
    with duckdb.connect(config={"threads": 2}) as connection:
        return int(connection.execute(f"SELECT count(*) FROM ({query})", files).fetchall()[0][0])
