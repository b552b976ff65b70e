"""One value in a file of every form that values are delivered in; the cells of forms.yaml."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from sas_files import sas_table

DECLARED = yaml.load(Path(__file__).with_suffix(".yaml").read_text("utf-8"), Loader=yaml.BaseLoader)
OTHERS = {
    **dict.fromkeys(("FLX_EMT_NUM", "FLX_EMT_ORD", "FLX_EMT_TYP", "PRS_ORD_NUM", "REM_TYP_AFF", "DCT_ORD_NUM"), 1),
    "FLX_DIS_DTD": date(2016, 2, 1),
    "FLX_TRT_DTD": date(2016, 2, 1),
    "ORG_CLE_NUM": "01C731001",
}


@dataclass(frozen=True)
class Cell:
    """`delivered` in a form, in a column of a type, and what `becomes` of it."""

    form: str
    kind: str
    delivered: str
    becomes: str
    settings: dict

    @property
    def column(self):
        return DECLARED["columns"][self.kind]


def cells():
    return [
        Cell(form, kind, delivered, becomes, group.get("settings", {}))
        for group in DECLARED["cells"]
        for form in group["forms"]
        for kind in DECLARED["columns"]
        for delivered, becomes in group.get(kind, {}).items()
    ]


def write(folder, cell):
    """A file of ER_PRS_F of one row, with the value of the cell; its path."""
    source, _, form = cell.form.partition(", with")[0].partition(" ")
    return {"CSV": _csv, "Parquet": _parquet, "SAS": _sas}[source](folder, cell, form)


# --- CSV ---------------------------------------------------------------------------------------------------------


def _csv(folder, cell, form):
    text = cell.delivered.replace("~", "\0" if "NUL" in form else " ")
    row = {name: str(value) for name, value in OTHERS.items()} | {cell.column: text}
    cells = [f'"{value}"' for value in row.values()] if form == "quoted text" else list(row.values())
    path = folder / "ER_PRS_F.csv"
    path.write_text(";".join(row) + "\n" + ";".join(cells) + "\n")
    return path


# --- Parquet -----------------------------------------------------------------------------------------------------


def _parquet(folder, cell, form):
    known = {name: pa.array([value]) for name, value in OTHERS.items()}
    path = folder / "ER_PRS_F.parquet"
    pq.write_table(
        pa.table(known | {cell.column: _array(cell.delivered, form)}),
        path,
        use_deprecated_int96_timestamps=form == "INT96",
        store_schema=form != "INT96",
    )
    return path


def _array(text, form):
    form = form.removesuffix(" that is all null")
    if form.startswith("dictionary of "):
        form = form.removeprefix("dictionary of ").removesuffix("s") if "text" in form or "bytes" in form else form[14:]
        return _array(text, {"byte": "bytes"}.get(form, form)).dictionary_encode()
    kind = ARROW[form]
    return pa.array([None if text == "none" else _value(text, kind)], kind)


def _value(text, kind):
    if pa.types.is_integer(kind):
        return int(text)
    if pa.types.is_floating(kind):
        return np.float16(text) if kind == pa.float16() else float(text)
    if pa.types.is_decimal(kind):
        return Decimal(text)
    if pa.types.is_boolean(kind):
        return text == "true"
    if pa.types.is_date(kind):
        return date.fromisoformat(text)
    if pa.types.is_timestamp(kind):
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if kind.tz else moment
    return text.encode() if pa.types.is_binary(kind) else text


UNITS = {"seconds": "s", "milliseconds": "ms", "microseconds": "us", "nanoseconds": "ns"}
ARROW = {
    "text": pa.string(),
    "large text": pa.large_string(),
    "bytes": pa.binary(),
    "half float": pa.float16(),
    "float": pa.float32(),
    "double": pa.float64(),
    "decimal(20, 0)": pa.decimal128(20, 0),
    "decimal(38, 10)": pa.decimal128(38, 10),
    "decimal(18, 0) of 64 bits": pa.decimal64(18, 0),
    "decimal(9, 2) of 32 bits": pa.decimal32(9, 2),
    "boolean": pa.bool_(),
    "date32": pa.date32(),
    "date64": pa.date64(),
    "INT96": pa.timestamp("us"),
    "nulls without a type": pa.null(),
    **{f"{sign}int{size}": getattr(pa, f"{sign}int{size}")() for sign in ("", "u") for size in (8, 16, 32, 64)},
    **{f"timestamp of {unit}": pa.timestamp(short) for unit, short in UNITS.items()},
    **{f"timestamp of {unit} in UTC": pa.timestamp(short, "UTC") for unit, short in UNITS.items()},
    "timestamp of microseconds in Europe/Paris": pa.timestamp("us", "Europe/Paris"),
}


# --- SAS ---------------------------------------------------------------------------------------------------------


def _sas(folder, cell, form):
    told = {"text": "$", "number": ""}.get(form) if form in ("text", "number") else form.split()[-1].removesuffix(".")
    read = {"$": str, "": float, "Z9": float, "DATE9": date.fromisoformat, "DATETIME20": datetime.fromisoformat}[told]
    forms = {
        name: "DATE9" if isinstance(value, date) else "$" if isinstance(value, str) else ""
        for name, value in OTHERS.items()
    }
    row = OTHERS | {cell.column: None if cell.delivered == "none" else read(cell.delivered)}
    path = folder / "ER_PRS_F.sas7bdat"
    path.write_bytes(sas_table(forms | {cell.column: told}, [tuple(row.values())]))
    return path
