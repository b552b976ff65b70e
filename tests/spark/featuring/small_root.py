"""A root with a handful of persons in hand-made flat tables, as the flatten stage would commit and the gate publish."""

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from parcours.snds.contracts import load_product
from parcours.storage.manifest import write_manifest
from parcours.storage.publication import publish
from parcours.storage.root import Root, ensure_layout

DAY = dt.date.fromisoformat
TEXT, WHOLE, DATE = pa.string(), pa.int64(), pa.date32()
REFERENTIAL = {
    "BEN_NIR_PSA": TEXT,
    "BEN_RNG_GEM": WHOLE,
    "BEN_IDT_ANO": TEXT,
    "BEN_NIR_ANO": TEXT,
    "BEN_SEX_COD": WHOLE,
    "BEN_NAI_ANN": TEXT,
    "BEN_NAI_MOI": TEXT,
    "BEN_DCD_DTE": DATE,
    "BEN_DCD_AME": TEXT,
    "BEN_DTE_MAJ": DATE,
    "BEN_CDI_NIR": TEXT,
}
DISCHARGE = {"person_id": WHOLE, "NIR_ANO_17": TEXT, "NIR_RET": TEXT, "EXE_SOI_DTF": DATE, "SOR_DAT": TEXT}
SCHEMAS = {
    "DCIR": {
        **dict.fromkeys(load_product("DCIR").key, WHOLE),
        "FLX_DIS_DTD": DATE,
        "FLX_TRT_DTD": DATE,
        "ORG_CLE_NUM": TEXT,
        "person_id": WHOLE,
        "claim_row": pa.int32(),
        "EXE_SOI_DTD": DATE,
        "PRS_ACT_QTE": WHOLE,
        "DPN_QLF": WHOLE,
        "BSE_PRS_NAT": WHOLE,
        "CPL_MAJ_TOP": WHOLE,
        "ER_PHA_F__PHA_ORD_NUM": WHOLE,
        "ER_PHA_F__PHA_PRS_C13": WHOLE,
        "ER_PHA_F__PHA_ACT_QSN": WHOLE,
        "ER_CAM_F__CAM_ORD_NUM": WHOLE,
        "ER_CAM_F__CAM_PRS_IDE": TEXT,
        "ER_ETE_F__ETE_IND_TAA": WHOLE,
        "ER_ETE_F__ETE_GHS_NUM": WHOLE,
        "ER_ETE_F__ETE_TYP_COD": WHOLE,
        "ER_ETE_F__PRS_PPU_SEC": WHOLE,
    },
    "MCO": {
        "ETA_NUM": TEXT,
        "RSA_NUM": TEXT,
        "person_id": WHOLE,
        "claim_row": pa.int32(),
        "source_table": TEXT,
        "NIR_ANO_17": TEXT,
        "EXE_SOI_DTD": DATE,
        "EXE_SOI_DTF": DATE,
        **dict.fromkeys(("NIR_RET", "NAI_RET", "SEX_RET", "SEJ_RET", "COH_NAI_RET", "ENT_DAT", "SOR_DAT"), TEXT),
        "MCO_B__GRG_GHM": TEXT,
        "MCO_B__SOR_MOD": TEXT,
        "MCO_B__DGN_PAL": TEXT,
        "MCO_B__DGN_REL": TEXT,
        "MCO_B__SEJ_NBJ": WHOLE,
        "MCO_B__SOR_ANN": TEXT,
        "MCO_B__SOR_MOI": TEXT,
        "MCO_A__CDC_ACT": TEXT,
        "MCO_A__ENT_DAT_DEL": WHOLE,
        "MCO_D__ASS_DGN": TEXT,
    },
    "IR_BEN_R": REFERENTIAL,
    "IR_BEN_R_ARC": REFERENTIAL,
    "KI_CCI_R": {
        "DCD_IDT_ENC": TEXT,
        "DCD_IDT_TOP": WHOLE,
        "BEN_IDT_ANO": TEXT,
        "BEN_NIR_ANO": TEXT,
        "BEN_DCD_DTE": DATE,
        "BEN_DCD_AME": TEXT,
    },
    "SSR": {**DISCHARGE, "SSR_B__SOR_MOD": TEXT},
    "HAD": {**DISCHARGE, "HAD_B__SOR_MOD": TEXT},
    "RIP": {**DISCHARGE, "RIP_RSA__SOR_MOD": TEXT},
    "IR_PHA_R": {"PHA_CIP_C13": WHOLE, "PHA_ATC_C07": TEXT, "PHA_CND_TOP": TEXT},
}
IDENTITY = {
    "psa": TEXT,
    "rank": WHOLE,
    "person_id": WHOLE,
    "source": TEXT,
    "merged": pa.bool_(),
    "ambiguous": pa.bool_(),
}
# A study of fewer than 11 persons ends at its cohort: these have one fracture each, and are left out of what is shown.
FILLERS, FIRST_FILLER = 12, 500
BISOPROLOL, ZOLPIDEM = 3400930000001, 3400930000002


def purchase(person: int | None, day: str, cip13: int, claim: int, **other: Any) -> dict[str, Any]:
    """A claim line with one box."""
    return {
        **_claim(person, day, claim),
        "ER_PHA_F__PHA_ORD_NUM": 1,
        "ER_PHA_F__PHA_PRS_C13": cip13,
        "ER_PHA_F__PHA_ACT_QSN": 1,
        **other,
    }


def act(person: int, day: str, code: str, claim: int, **other: Any) -> dict[str, Any]:
    """A claim line with one CCAM act, padded as the portal pads it."""
    return {
        **_claim(person, day, claim),
        "PRS_ACT_QTE": 1,
        "ER_CAM_F__CAM_ORD_NUM": 1,
        "ER_CAM_F__CAM_PRS_IDE": code.ljust(13),
        **other,
    }


def stay(person: int, day: str, number: int, diagnosis: str, **other: Any) -> list[dict[str, Any]]:
    """A hospital stay of ten days with one act: two rows of the union form would repeat its main part."""
    start = DAY(day)
    main = {
        "ETA_NUM": "010000001",
        "RSA_NUM": f"{number:010d}",
        "person_id": person,
        "NIR_ANO_17": f"{person:017d}",
        "EXE_SOI_DTD": start,
        "EXE_SOI_DTF": start + dt.timedelta(days=10),
        "NIR_RET": "0",
        "NAI_RET": "0",
        "SEX_RET": "0",
        "SEJ_RET": "0",
        "MCO_B__GRG_GHM": "08C47",
        "MCO_B__SOR_MOD": "8",
        "MCO_B__DGN_PAL": diagnosis,
        **other,
    }
    first = {"claim_row": 1, "source_table": "MCO_A", "MCO_A__CDC_ACT": "NBCA010", "MCO_A__ENT_DAT_DEL": 1}
    second = {"claim_row": 2, "source_table": "MCO_D", "MCO_D__ASS_DGN": "I10"}
    return [{**main, **first}, {**main, **second}]


def person(number: int, birth_year: str, **other: Any) -> dict[str, Any]:
    """A row of the referential of persons."""
    return {
        "BEN_NIR_PSA": f"psa{number}",
        "BEN_RNG_GEM": 1,
        "BEN_SEX_COD": 2,
        "BEN_NAI_ANN": birth_year,
        "BEN_NAI_MOI": "06",
        "BEN_DTE_MAJ": DAY("2018-01-01"),
        "BEN_CDI_NIR": "00",
        **other,
    }


def filled(tables: dict[str, dict[str, list[dict[str, Any]]]]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """The tables with the fillers: in IR_BEN_R, and with a stay each in the first year of MCO."""
    numbers = range(FIRST_FILLER, FIRST_FILLER + FILLERS)
    (year, stays), *others = tables["MCO"].items()
    added = [row for number in numbers for row in stay(number, "2016-06-01", number, "S720")]
    persons = [*tables["IR_BEN_R"]["all"], *(person(number, "1930") for number in numbers)]
    return {**tables, "MCO": {year: [*stays, *added], **dict(others)}, "IR_BEN_R": {"all": persons}}


def write_period(root: Root, product: str, period: str, rows: list[dict[str, Any]]) -> str:
    """Commit rows as one period of a product, in files by person bucket; returns its fingerprint."""
    directory = root.period(product, period)
    directory.mkdir(parents=True)
    schema = pa.schema(list(SCHEMAS[product].items()))
    files: dict[str, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row.get("person_id") or 0):
        files.setdefault(_bucket(root, product, row), []).append(row)
    for bucket, some in files.items():
        pq.write_table(pa.Table.from_pylist(some, schema=schema), directory / f"{bucket}.parquet")
    listed = [{"path": f"{bucket}.parquet", "rows": len(some)} for bucket, some in sorted(files.items())]
    manifest = {"product": product, "period": period, "fingerprint": f"{product}-{period}", "files": listed}
    write_manifest(directory, manifest)
    return f"{product}-{period}"


def _bucket(root: Root, product: str, row: dict[str, Any]) -> str:
    if "person_id" not in SCHEMAS[product]:  # a reference is in buckets of its own
        return "0"
    person = row.get("person_id")
    return "unidentified" if person is None else str(person % ensure_layout(root))


def build_root(path: Path, tables: dict[str, dict[str, list[dict[str, Any]]]], shared: tuple[int, ...] = ()) -> Root:
    """A published root: {product: {period: rows}}; persons whose number is in `shared` have an ambiguous identifier."""
    root = Root(path)
    ensure_layout(root)
    for product, periods in tables.items():
        published = {period: write_period(root, product, period, rows) for period, rows in periods.items()}
        publish(root, product, path / "verdict.json", published)
    referentials = [tables.get(name, {"all": []})["all"] for name in ("IR_BEN_R", "IR_BEN_R_ARC")]
    numbers = sorted({int(row["BEN_NIR_PSA"][3:]) for rows in referentials for row in rows})
    identity = [
        {"psa": f"psa{n}", "rank": 1, "person_id": n, "source": "IDT", "merged": False, "ambiguous": n in shared}
        for n in numbers
    ]
    root.identity.mkdir()
    table = pa.Table.from_pylist(identity, schema=pa.schema(list(IDENTITY.items())))
    pq.write_table(table, root.identity / "identity.parquet")
    write_manifest(root.identity, {"columns": {"psa": "BEN_NIR_PSA", "rank": "BEN_RNG_GEM", "unranked": False}})
    return root


def _claim(person: int | None, day: str, claim: int) -> dict[str, Any]:
    flux = DAY("2015-07-01")
    return {
        "FLX_DIS_DTD": flux,
        "FLX_TRT_DTD": flux,
        "FLX_EMT_TYP": 1,
        "FLX_EMT_NUM": 1,
        "FLX_EMT_ORD": 1,
        "ORG_CLE_NUM": "01C01",
        "DCT_ORD_NUM": claim,
        "PRS_ORD_NUM": 1,
        "REM_TYP_AFF": 1,
        "person_id": person,
        "claim_row": 1,
        "EXE_SOI_DTD": DAY(day) if day else None,
        "BSE_PRS_NAT": 3313,
    }
