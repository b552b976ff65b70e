"""Packs and names of medicines, from the reference IR_PHA_R."""

from collections.abc import Mapping, Sequence

import pyarrow as pa

from parcours.engine.duck import asked, duck, query
from parcours.engine.sql import text
from parcours.events.flat_tables import flat_rows
from parcours.storage.place import Place

PACK_COLUMNS = ("PHA_CIP_C13", "PHA_PRS_IDE", "PHA_ATC_C07", "PHA_CND_TOP")
CONTENT_COLUMNS = ("PHA_CIP_C13", "PHA_NOM_PA", "PHA_DOS_PRA_DSES", "PHA_DOS_UNT_DSES", "PHA_UNT_NBR_DSES")
NAME_COLUMNS = ("PHA_CIP_C13", "PHA_ATC_C07", "PHA_ATC_L07", "PHA_NOM_COURT")

NO_CONTENTS = pa.schema(
    [("cip13", pa.string()), ("molecules", pa.string()), ("milligrams", pa.float64())]
).empty_table()
# upper() makes a Greek capital of the sign of micro.
MILLIGRAMS = {
    **dict.fromkeys(("MG", "MILLIGRAMME", "MILLIGRAMMES"), 1.0),
    **dict.fromkeys(("G", "GRAMME", "GRAMMES"), 1000.0),
    **dict.fromkeys(("UG", "MCG", "\u039cG", "\u00b5G", "MICROGRAMME", "MICROGRAMMES"), 0.001),
}
# One number of one unit: "100 MG/ML" and "20+12.5 MG" tell no dose of a unit of the pack.
DOSE = r"^(\d+(?:[.,]\d+)?)\s*([^\s\d/+%.,]+)$"
# "30", "30 CP", "6 / 2 ML": so many units. Of "3 CP + 5 SACHETS" or "2 X 28" the number is not that of the units.
UNITS = r"^(\d+)(?:\s*/[^+]*|\s+[A-Z]{2}[^+]*)?$"


def packs_of(ir_pha_r: pa.Table) -> pa.Table:
    """One row a CIP13: cip13 (text), cip7, atc (7 characters; null when not known), large (whether PHA_CND_TOP is GC).

    A pack without its CIP7 has that which its CIP13 holds.
    """
    return query(
        r"""
        SELECT PHA_CIP_C13::VARCHAR AS cip13,
          max(coalesce(PHA_PRS_IDE,
            try_cast(nullif(regexp_extract(PHA_CIP_C13::VARCHAR, '^34009(\d{7})\d$', 1), '') AS BIGINT))) AS cip7,
          max(nullif(upper(trim(PHA_ATC_C07)), '')) AS atc,
          max(coalesce(trim(PHA_CND_TOP) = 'GC', false)) AS large
        FROM ir_pha_r WHERE PHA_CIP_C13 IS NOT NULL GROUP BY 1 ORDER BY 1
        """,
        ir_pha_r=ir_pha_r,
    )


def contents_of(ir_pha_r: pa.Table) -> pa.Table:
    """One row a CIP13: cip13 (text), molecules (those of PHA_NOM_PA in capitals, sorted, with _ between), milligrams.

    `milligrams` are those of the one molecule in a whole pack: the dose of a unit by the number of units. What the
    reference does not tell, or not as numbers, is null; so is the dose of several molecules.
    """
    return query(
        rf"""
        WITH told AS (
          SELECT PHA_CIP_C13::VARCHAR AS cip13,
            list_sort(list_distinct(list_filter(list_transform(
              regexp_split_to_array(regexp_replace(upper(PHA_NOM_PA), '[(){{}};]', ' ', 'g'), '[,+]'),
              lambda one: trim(regexp_replace(one, '\s+', ' ', 'g'))), lambda one: one != ''))) AS named,
            upper(concat_ws(' ', trim(PHA_DOS_PRA_DSES), trim(PHA_DOS_UNT_DSES))) AS dose,
            try_cast(regexp_extract(upper(trim(PHA_UNT_NBR_DSES)), '{UNITS}', 1) AS DOUBLE) AS units
          FROM ir_pha_r WHERE PHA_CIP_C13 IS NOT NULL
        )
        SELECT cip13, max(nullif(array_to_string(named, '_'), '')) AS molecules,
          max(CASE WHEN len(named) = 1 THEN units * {_milligrams()} END) AS milligrams
        FROM told GROUP BY 1 ORDER BY 1
        """,
        ir_pha_r=ir_pha_r,
    )


def _milligrams() -> str:
    """SQL: the dose of a unit in milligrams; null where it is not one number of a unit of weight."""
    number = f"try_cast(replace(regexp_extract(dose, '{DOSE}', 1), ',', '.') AS DOUBLE)"
    factors = " ".join(f"WHEN {text(unit)} THEN {factor}" for unit, factor in MILLIGRAMS.items())
    return f"{number} * CASE regexp_extract(dose, '{DOSE}', 2) {factors} END"


def pack_references(packs: pa.Table, contents: pa.Table = NO_CONTENTS) -> dict[str, pa.Table]:
    """What normal forms look up: packs, of each CIP7 the pack with the smallest CIP13, and what packs hold."""
    old = query("SELECT cip7, min(cip13) AS cip13 FROM packs WHERE cip7 IS NOT NULL GROUP BY 1 ORDER BY 1", packs=packs)
    return {"packs": packs, "old_packs": old, "contents": contents}


def read_packs(files: Sequence[Place]) -> pa.Table:
    """The packs of flat IR_PHA_R."""
    return packs_of(_read(files, PACK_COLUMNS))


def read_contents(files: Sequence[Place]) -> pa.Table:
    """What the packs of flat IR_PHA_R hold."""
    return contents_of(_read(files, CONTENT_COLUMNS))


def read_medicine_names(files: Sequence[Place]) -> pa.Table:
    """The codes and labels of the packs of flat IR_PHA_R, for the names in reports."""
    return _read(files, NAME_COLUMNS)


def _read(files: Sequence[Place], columns: Sequence[str]) -> pa.Table:
    with duck() as connection:
        rows = flat_rows(connection, "IR_PHA_R", files, columns)
        return asked(connection, f"SELECT {', '.join(columns)} FROM ({rows}) ORDER BY ALL")


def all_files(by_bucket: Mapping[str, Sequence[Place]]) -> list[Place]:
    """The files of all buckets."""
    return [file for files in by_bucket.values() for file in files]
