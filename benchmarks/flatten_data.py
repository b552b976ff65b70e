"""The raw files of the flattening benchmark, and the task that tells the peers how to read and join them."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from parcours.errors import InputError
from parcours.flatten.plan import file_columns
from parcours.flatten.source import header
from parcours.snds.contracts import load_product
from parcours.snds.delivery import Delivery, RawFile, load_delivery
from parcours.storage.fingerprint import fingerprint, sources_version
from parcours.storage.place import file_size
from parcours.synth.delivery import write_delivery
from parcours.synth.settings import SynthSettings

PRODUCT = "DCIR"
TABLES = ("ER_PRS_F", "ER_PHA_F", "ER_CAM_F", "ER_ETE_F", "ER_UCD_F")
PERSONS = "IR_BEN_R"  # for the person_id of Parcours; no peer reads it and its bytes are not counted
YEARS = (2014, 2017)
LINES_PER_PERSON_YEAR = 33.5
BYTES_PER_PERSON = 71_500  # of the compared tables, four years of care; measured
# Optional columns of the contract that make ER_PRS_F 126 columns wide, and what every line has in them.
ADDED = {"BEN_C2S_TYP": "0", "PCB_FOR_AMC": "", "PEN_TYP_COD": "", "PRS_FAC_TOP": "0"}
BLOCK = 16 << 20
DESCRIPTION = "input.json"


@dataclass(frozen=True)
class Input:
    """A delivery on the disk; bytes and rows are those of the compared tables."""

    folder: Path
    persons: int
    raw_bytes: int
    rows: dict[str, int]
    columns: dict[str, int]
    periods: int

    @property
    def total_rows(self) -> int:
        """Raw rows of all compared tables."""
        return sum(self.rows.values())


def persons_for(raw_gb: float) -> int:
    """How many persons give about that many 10^9 bytes.

    Raises InputError when it is less than one person.
    """
    persons = int(raw_gb * 1e9 / BYTES_PER_PERSON)
    if persons < 1:
        raise InputError(f"--raw-gb {raw_gb:g} is less than one person; give at least {BYTES_PER_PERSON / 1e9:g}.")
    return persons


def input_folder(deliveries: Path, persons: int) -> Path:
    """Where the delivery of that many persons is; other settings or another generator give another folder."""
    sources = [sources_version("synth", "snds"), YEARS, LINES_PER_PERSON_YEAR, ADDED, TABLES]
    return deliveries / f"{persons}-persons-{fingerprint(sources)}"


def make_input(deliveries: Path, persons: int) -> Input:
    """The delivery of that many persons, made when it is not there yet."""
    folder = input_folder(deliveries, persons)
    if not (folder / DESCRIPTION).is_file():
        making = folder.with_name(f"{folder.name}.making")
        shutil.rmtree(making, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        _write(making, persons)
        making.rename(folder)
    kept = json.loads((folder / DESCRIPTION).read_text("utf-8"))
    return Input(folder=folder, **kept)


def _write(folder: Path, persons: int) -> None:
    settings = SynthSettings(persons=persons, years=YEARS, lines_per_person_year=LINES_PER_PERSON_YEAR)
    rows = write_delivery(settings, folder)["rows"]
    declared = yaml.safe_load((folder / "delivery.yaml").read_text("utf-8"))
    wanted = {table: sorted(declared["tables"][table]["files"]) for table in (*TABLES, PERSONS)}
    _keep_only(folder, {name for names in wanted.values() for name in names})
    for name in wanted["ER_PRS_F"]:
        _add_columns(folder / name)
    declared["tables"] = {table: list(_by_year(names)) for table, names in wanted.items()}
    (folder / "delivery.yaml").write_text(yaml.safe_dump(declared, sort_keys=False, width=120), "utf-8")
    files = [raw for raw in load_delivery(folder).files if raw.table in TABLES]
    description = {
        "persons": persons,
        "raw_bytes": sum(file_size(raw.path) for raw in files),
        "rows": {table: rows[table] for table in TABLES},
        "columns": {raw.table: len(header(raw.path, ";", "utf-8")) for raw in files},
        "periods": len(wanted["ER_PRS_F"]),
    }
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=1) + "\n", "utf-8")


def _keep_only(folder: Path, names: set[str]) -> None:
    for path in (folder / "raw").iterdir():
        if path.relative_to(folder).as_posix() not in names:
            path.unlink()


def _by_year(names: list[str]) -> Iterator[dict[str, Any]]:
    """Files of flux months under the year of the month; a file of no month alone."""
    months = [name for name in names if month_of(name)]
    for year in sorted({month_of(name)[:4] for name in months}):
        yield {"files": [name for name in months if month_of(name)[:4] == year], "year": int(year)}
    if len(months) < len(names):
        yield {"files": [name for name in names if name not in months]}


def month_of(name: str) -> str:
    """The flux month at the end of a file's name, "" when it has none: raw/ER_PRS_F_2016-02.csv -> 2016-02."""
    text = Path(name).stem.rpartition("_")[2]
    return text if len(text) == 7 and text[4] == "-" else ""


def _add_columns(path: Path) -> None:
    """Write the added columns at the end of every line, the same text in each."""
    names, values = (f";{';'.join(texts)}\n".encode() for texts in (ADDED.keys(), ADDED.values()))
    wider = path.with_suffix(".wider")
    with path.open("rb") as source, wider.open("wb") as target:
        target.write(source.readline().replace(b"\n", names))
        while block := source.read(BLOCK):
            target.write(block.replace(b"\n", values))
    wider.replace(path)


def peer_task(delivery: Delivery) -> dict[str, Any]:
    """What a peer needs: the key, the order of the tables, and by table and year the typed columns and the files.

    {key, main, joined, order, delimiter, tables: {table: {year: {columns: {name: type}, files: {month: path}}}}};
    types are those of the contracts: string, integer, decimal, date.
    """
    product = load_product(PRODUCT)
    tables: dict[str, dict[str, Any]] = {table: {} for table in TABLES}
    for raw in delivery.files:
        if raw.table in TABLES:
            year = tables[raw.table].setdefault(str(raw.year), {"columns": _columns(raw, delivery), "files": {}})
            year["files"][month_of(raw.path.name)] = str(raw.path)
    return {
        "key": list(product.key),
        "main": product.main,
        "joined": [table for table in product.joined if table in TABLES],
        "order": [product.person["psa"], product.person["rank"], product.date],
        "delimiter": delivery.delimiter,
        "tables": tables,
    }


def _columns(raw: RawFile, delivery: Delivery) -> dict[str, str]:
    names = header(raw.path, delivery.delimiter, delivery.encoding)
    return file_columns(raw.table, names, month_of(raw.path.name))
