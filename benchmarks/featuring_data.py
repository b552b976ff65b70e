"""The flat tables of the featuring benchmark: a synthetic delivery, flattened and published, made once and kept."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.environment import environment, parcours_command
from benchmarks.measure import measure, usable_cores
from parcours.errors import InputError
from parcours.storage.fingerprint import fingerprint, sources_version

YEARS = (2014, 2017)
SYNTHETIC = ("MCO_CE",)  # beside what every delivery holds: without it one of the four fracture rules reads nothing
READ = ("DCIR", "MCO", "MCO_CE", "IR_BEN_R", "IR_PHA_R")  # products that the fall study reads
SOURCES = ("synth", "snds", "flatten", "storage")  # other code may give other flat tables
RAW_BYTES_PER_PERSON = 78_000  # four years of care; measured
ROOM = 1.5  # most that making the flat tables needs on the disk, raw files included, as a share of the raw files
DESCRIPTION = "input.json"


@dataclass(frozen=True)
class FlatInput:
    """A root with published flat tables; `flat_bytes` and `rows` are those of the products that the study reads."""

    root: Path
    persons: int
    raw_bytes: int
    flat_bytes: int
    rows: dict[str, int]

    @property
    def total_rows(self) -> int:
        """Flat rows of all these products."""
        return sum(self.rows.values())


def input_folder(roots: Path, persons: int) -> Path:
    """Where the flat tables of that many persons are; other code gives another folder."""
    return roots / f"{persons}-persons-{fingerprint([sources_version(*SOURCES), YEARS, SYNTHETIC])}"


def make_input(roots: Path, persons: int, cores: int) -> FlatInput:
    """The root of that many persons, made when it is not there yet; its raw files are not kept.

    Raises ParcoursError when one of the commands that make it fails.
    """
    folder = input_folder(roots, persons)
    if not (folder / DESCRIPTION).is_file():
        shutil.rmtree(folder, ignore_errors=True)  # of a benchmark that was stopped while it made it
        _make(folder, persons, cores)
    kept = json.loads((folder / DESCRIPTION).read_text("utf-8"))
    return FlatInput(root=folder / "root", **kept)


def check_room(roots: Path, sizes: list[int]) -> None:
    """Raise InputError when the disk cannot hold what is still to be made; `sizes` are numbers of persons."""
    missing = [persons for persons in sizes if not (input_folder(roots, persons) / DESCRIPTION).is_file()]
    need = max(missing, default=0) * RAW_BYTES_PER_PERSON * ROOM / 1e9
    free = shutil.disk_usage(roots).free / 1e9
    if free < need:
        raise InputError(
            f"{roots} has {free:.1f} GB free and the benchmark needs {need:.1f} GB; free some, choose another folder"
            " with --work, or fewer --persons."
        )


def _make(folder: Path, persons: int, cores: int) -> None:
    delivery, root = folder / "delivery", folder / "root"
    folder.mkdir(parents=True)
    products = [text for product in SYNTHETIC for text in ("--product", product)]
    years = "-".join(map(str, YEARS))
    for command in (
        ["synth", "--out", str(delivery), "--persons", str(persons), "--years", years, *products],
        ["flatten", "--delivery", str(delivery), "--root", str(root)],
        ["check", "--root", str(root)],
    ):
        sys.stderr.write(f"{persons} persons: parcours {command[0]}\n")
        surroundings = environment(folder, cores, {})
        measure(parcours_command(*command, "--json"), surroundings, folder / f"{command[0]}.log", usable_cores(cores))
    description = {
        "persons": persons,
        "raw_bytes": _size(delivery / "raw"),
        "flat_bytes": sum(_size(path) for path in _products(root)),
        "rows": {path.name: _rows(path) for path in _products(root)},
    }
    shutil.rmtree(delivery)
    shutil.rmtree(folder / "spark", ignore_errors=True)
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=1) + "\n", "utf-8")


def _products(root: Path) -> list[Path]:
    return [root / "flat" / product for product in READ]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.suffix in (".csv", ".parquet"))


def _rows(product: Path) -> int:
    with duckdb.connect() as connection:
        counted = connection.execute("SELECT sum(num_rows) FROM parquet_file_metadata(?)", [f"{product}/*/*.parquet"])
        return int(counted.fetchall()[0][0])
