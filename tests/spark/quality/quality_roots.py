"""Small flat tables that pass every rule, written with their manifests; tests plant faults in them."""

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from parcours.quality.catalogue import load_catalogue
from parcours.quality.tables import flat_types
from parcours.snds.contracts import load_product
from parcours.storage.manifest import write_manifest
from parcours.storage.root import Root, ensure_layout, open_root

MONTHS = [f"2015-{month:02d}" for month in range(1, 13)] + ["2016-01", "2016-02"]
YEARS = ["2014", "2015"]
LINES = 120  # a month
STAYS = 60  # a month of discharge
SECRET_PSA = "SECRETPSA00000042"
ARROW = {"string": pa.string(), "bigint": pa.int64(), "double": pa.float64(), "date": pa.date32(), "int": pa.int32()}


@dataclass
class Tables:
    """Flat rows by product and period, and what the manifests will state beside the truth."""

    flat: dict[str, dict[str, pd.DataFrame]]
    manifest_changes: dict[tuple[str, str], dict] = field(default_factory=dict)
    after_writing: dict[tuple[str, str], int] = field(default_factory=dict)


def clean_tables() -> Tables:
    """Fourteen flux months of 120 claim lines and two years of 60 stays a month, all as documented."""
    return Tables(
        {
            "DCIR": {month: _claims(month, number) for number, month in enumerate(MONTHS)},
            "MCO": {year: stays_of_year(year) for year in YEARS},
        }
    )


def _claims(month: str, number: int) -> pd.DataFrame:
    flux = dt.date.fromisoformat(f"{month}-01")
    lines = []
    for line in range(LINES):
        care = flux - dt.timedelta(days=line % 40)
        medicine = line % 2 == 0
        lines.append(
            {
                "person_id": 1000 + line,
                "claim_row": 1,
                "DCT_ORD_NUM": number * 1000 + line,
                "FLX_DIS_DTD": flux,
                "FLX_EMT_NUM": 1,
                "FLX_EMT_ORD": 2,
                "FLX_EMT_TYP": 3,
                "FLX_TRT_DTD": flux,
                "ORG_CLE_NUM": "01M751000",
                "PRS_ORD_NUM": line,
                "REM_TYP_AFF": 0,
                "BEN_SEX_COD": 1 + line % 2,
                "BEN_NAI_ANN": "1945",
                "BEN_AMA_COD": 70,
                "BEN_DCD_DTE": None,
                "EXE_SOI_DTD": care,
                "EXE_SOI_DTF": care,
                "PRE_PRE_DTD": care,
                "PRS_NAT_REF": 3313,
                "PRS_ACT_QTE": -1 if line == 7 else 1,
                "DPN_QLF": 71 if line in (3, 5) else None if line == 11 else 0,
                "CPL_MAJ_TOP": 0,
                "PRS_PAI_MNT": 12.34,
                "BSE_REM_BSE": 10.10,
                "BSE_REM_MNT": 6.56,
                "CPL_REM_MNT": 0.0,
                "ER_PHA_F__PHA_ORD_NUM": 1 if medicine else None,
                "ER_PHA_F__PHA_PRS_C13": 3400930000000 + line if medicine else None,
                "ER_PHA_F__PHA_PRS_IDE": None,
                "ER_PHA_F__PHA_ACT_QSN": 1 if medicine else None,
                "ER_CAM_F__CAM_PRS_IDE": None if medicine else "MBEB001",
                "ER_UCD_F__UCD_UCD_COD": "0000009123456" if line % 10 == 1 else None,
                "ER_ETE_F__ETE_IND_TAA": 0 if line % 10 == 1 else None,
            }
        )
    second_pack = {**lines[0], "claim_row": 2, "ER_PHA_F__PHA_ORD_NUM": 2}
    return pd.DataFrame([*lines, second_pack])


def stays_of_year(year: str) -> pd.DataFrame:
    """60 stays a month of discharge, each with one act and one secondary diagnosis."""
    rows = []
    for stay in range(12 * STAYS):
        entry = dt.date(int(year), stay % 12 + 1, 3)
        common = {
            "person_id": 1000 + stay,
            "ETA_NUM": "750000001",
            "RSA_NUM": f"{stay:010d}",
            "NIR_ANO_17": f"PSA{stay:014d}",
            "EXE_SOI_DTD": entry,
            "EXE_SOI_DTF": entry + dt.timedelta(days=4),
            **{f"{code}_RET": "0" for code in ("NIR", "NAI", "SEX", "SEJ", "FHO", "PMS", "DAT", "COH_NAI", "COH_SEX")},
            "MCO_B__AGE_ANN": 70,
            "MCO_B__AGE_JOU": None,
            "MCO_B__COD_SEX": "2",
            "MCO_B__DGN_PAL": "S7200",
            "MCO_B__DGN_REL": "Z501" if stay % 4 == 0 else None,
            "MCO_B__ENT_MOD": "8",
            "MCO_B__GRG_GHM": "08C471",
            "MCO_B__SEJ_NBJ": 4,
            "MCO_B__SOR_ANN": year,
            "MCO_B__SOR_MOD": "8",
            "MCO_B__SOR_MOI": f"{entry.month:02d}",
        }
        rows.append({**common, "claim_row": 1, "source_table": "MCO_A", "MCO_A__CDC_ACT": "NBCA005"})
        rows.append({**common, "claim_row": 2, "source_table": "MCO_D", "MCO_D__ASS_DGN": "I10"})
    frame = pd.DataFrame(rows)
    frame.loc[frame.RSA_NUM.isin([f"{stay:010d}" for stay in range(10)]), "NIR_RET"] = "1"  # 1.4 %, as documented
    return frame


def write_root(path: Path, tables: Tables) -> Root:
    """Write flat tables and manifests as flatten does, then apply what was planted after writing."""
    root = open_root(str(path))
    ensure_layout(root)
    for product, periods in tables.flat.items():
        for period, frame in periods.items():
            changes = tables.manifest_changes.get((product, period), {})
            manifest = {**_manifest(product, period, frame), **changes}
            kept = frame.iloc[: len(frame) - tables.after_writing.get((product, period), 0)]
            _write_period(root, product, period, kept, manifest)
    return root


def _write_period(root: Root, product: str, period: str, frame: pd.DataFrame, manifest: dict) -> None:
    types = flat_types(product, load_catalogue(product).columns)
    directory = root.period(product, period)
    directory.mkdir(parents=True)
    half = len(frame) // 2
    for name, part in (("0", frame.iloc[:half]), ("1", frame.iloc[half:])):
        columns = {}
        for column, kind in types.items():
            values = part[column].tolist() if column in part else [None] * len(part)
            columns[column] = pa.array([None if pd.isna(value) else value for value in values], ARROW[kind])
        pq.write_table(pa.table(columns), directory / f"{name}.parquet")
    write_manifest(directory, manifest)


def _manifest(product: str, period: str, frame: pd.DataFrame) -> dict:
    definition = load_product(product)
    main = int((frame.claim_row == 1).sum())
    prefix = "" if product == "DCIR" else "MCO_B__"
    once = frame[frame.claim_row == 1]
    sums = {amount: float(once[f"{prefix}{amount}"].sum()) for amount in definition.amounts}
    return {
        "product": product,
        "period": period,
        "status": "committed",
        "fingerprint": f"{product}-{period}",
        "rows": {
            "read": {definition.main: main},
            "joined": {definition.main: main},
            "rejected": {definition.main: 0},
            "orphaned": {},
            "written": len(frame),
        },
        "amounts": {amount: {"source": total, "flat": total} for amount, total in sums.items()},
    }
