"""Checks SCCS against the published estimates of four data sets of the R package SCCS, which are not ours to ship.

    export PARCOURS_SCCS_DATA=<folder of amdat.csv hipdat.csv gidat.csv condat.csv>
    python tests/models/published/check_published.py

Settings: Farrington, Whitaker, Ghebremichael-Weldeselassie, Self-Controlled Case Series Studies (2018) and the
examples of the package (standardsccs). Its washout=c(1, 92, 182) paints the days 1-91 and 92-182 after the end.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pandas as pd

from parcours.models import SCCS, CaseSeries, event_age_cuts

TOLERANCE = 1e-4
EVENT = {"amdat": "am", "hipdat": "frac", "gidat": "bleed", "condat": "conv"}
#: drug column and, where the table has it, the column of the exposure's end.
EXPOSURE = {"amdat": ("mmr", None), "hipdat": ("ad", "endad"), "gidat": ("ns", "endns"), "condat": ("mmr", None)}
PUBLISHED = {
    "amdat": [2.487975, -1.490576],
    "hipdat": [0.764402, 0.613670, 0.416309],
    "gidat": [0.705401],
    "condat": [-0.685321, 0.300784, 0.183118, 0.290105, 1.653517, 0.931482, -0.574867],
}


def load(folder: Path, name: str) -> CaseSeries:
    """The data set as a case series: one row a case, its distinct events and exposures."""
    table = pd.read_csv(folder / f"{name}.csv").rename(columns={"case": "person_id"})
    drug, end = EXPOSURE[name]
    columns = ["person_id", drug] + ([end] if end else [])
    exposures = table[columns].dropna().drop_duplicates().rename(columns={drug: "start", end: "end"})
    events = table[["person_id", EVENT[name]]].drop_duplicates().rename(columns={EVENT[name]: "day"})
    persons = table.rename(columns={"sta": "start"})[["person_id", "start", "end"]].drop_duplicates("person_id")
    return CaseSeries(persons, events, exposures.assign(drug=drug))


def model(name: str, series: CaseSeries) -> SCCS:
    """The published model of the data set."""
    if name == "amdat":
        return SCCS({"mmr": [(15, 35)]}, age_cuts=[548])
    if name == "hipdat":
        return SCCS(
            {"ad": [(0, 14), (15, 42), (43, "end")]},
            age_cuts=event_age_cuts(series, 20),
            washouts={"ad": [(1, 91), (92, 182)]},
        )
    if name == "gidat":
        return SCCS({"ns": [(0, "end")]}, age_cuts=event_age_cuts(series, 40))
    return SCCS({"mmr": [(day, day + 1) for day in range(0, 14, 2)]}, age_cuts=list(range(387, 708, 20)))


def main() -> int:
    """Compare all data sets; 0 when every estimate agrees."""
    folder = Path(os.environ.get("PARCOURS_SCCS_DATA", ""))
    absent = [name for name in PUBLISHED if not (folder / f"{name}.csv").is_file()]
    if "PARCOURS_SCCS_DATA" not in os.environ or absent:
        sys.stderr.write(f"Set PARCOURS_SCCS_DATA to the folder that holds {', '.join(absent)} as CSV files.\n")
        return 2
    failed = 0
    for name, published in PUBLISHED.items():
        series = load(folder, name)
        summary = model(name, series).fit(series).summary()
        for row, value in zip(summary.itertuples(), published, strict=False):
            agrees = abs(row.estimate - value) < TOLERANCE
            failed += not agrees
            sys.stdout.write(f"{name:7} {row.term:12} {row.estimate:10.6f} published {value:10.6f} {agrees}\n")
    sys.stdout.write(f"{failed} estimates differ by more than {TOLERANCE}.\n")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
