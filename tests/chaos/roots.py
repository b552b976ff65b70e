"""What a root holds, as something to compare; and a reader that looks all the time."""

import hashlib
import os
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from parcours.storage.manifest import MANIFEST, committed_periods, read_manifest
from parcours.storage.root import Root, open_root

# Times, what ran, and what an identity was before in this root: the rest of a manifest is content.
VOLATILE = ("started", "ended", "spark_application", "code_version", "moved")
COMMITTED = ("flat/*/period=*", "rejects/*/period=*", "orphans/*/period=*", "identity")
PRODUCTS = ("DCIR", "IR_BEN_R")


def content(root: Path) -> dict[str, Any]:
    """Every committed directory: its manifest without times and ids, and the multiset of the rows of each file."""
    found = {}
    for directory in sorted(path for pattern in COMMITTED for path in root.glob(pattern)):
        manifest = read_manifest(directory)
        assert manifest is not None, f"{directory} has no manifest"
        present = [path for path in directory.iterdir() if path.name != MANIFEST and not path.match("moved-*.arrow")]
        files = {path.name: _rows(path) for path in present}
        kept = {name: value for name, value in manifest.items() if name not in VOLATILE}
        found[str(directory.relative_to(root))] = (kept, files)
    return found


def _rows(path: Path) -> tuple[int, str]:
    """Number of rows and a digest of their multiset, whatever their order; of other files, of their bytes."""
    if path.suffix != ".parquet":
        return path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()
    rows = sorted(repr(row) for row in pq.read_table(path, partitioning=None).to_pylist())
    return len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest()


def differences(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Names of what is missing, too much, or other."""
    names = found.keys() | expected.keys()
    return sorted(name for name in names if found.get(name) != expected.get(name))


def left_in_staging(root: Path) -> list[Path]:
    return list((root / "_staging").glob("*/*"))


# --- a reader ----------------------------------------------------------------------------------------------------


def read_on(roots: Path, stop: Any, answer: Connection) -> None:
    """Look at the newest root until told to stop; answers (numbers of what was seen, sentences of what was wrong)."""
    seen: Counter[str] = Counter()
    wrong: list[str] = []
    while not stop.is_set():
        for path in sorted(roots.glob("root-*"))[-1:]:
            look(open_root(str(path)), seen, wrong)
        time.sleep(0.03)  # leave the processor to those that are looked at
    answer.send((seen, wrong))


def look(root: Root, seen: Counter[str], wrong: list[str]) -> None:
    """Check each committed period: the files are those of its manifest, with their rows and amounts."""
    for product in PRODUCTS:
        for period in committed_periods(root, product):
            for place in (root.period(product, period), root.rejects(product, period), root.orphans(product, period)):
                _look_at(place, seen, wrong)


def _look_at(place: Path, seen: Counter[str], wrong: list[str]) -> None:
    """Through an open directory, for its name may be given to another meanwhile: that look does not count."""
    try:
        handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        wrong.append(f"{place} was not there")  # the names are exchanged in one step: never absent
        return
    try:
        try:
            complaint = _complaint(Path(f"/proc/self/fd/{handle}"))
        except OSError as error:
            complaint = f"{error}"
        state = place.stat().st_ino == os.fstat(handle).st_ino
    finally:
        os.close(handle)
    seen["looks" if state else "replaced while looking"] += 1
    if state and complaint:
        wrong.append(f"{place}: {complaint}")


def _complaint(place: Path) -> str | None:
    manifest = read_manifest(place)
    if manifest is None:
        return "no manifest"
    present = sorted(path.name for path in place.iterdir() if not path.name.startswith("_MANIFEST"))
    files = [file if isinstance(file, str) else file["path"] for file in manifest["files"]]
    if present != sorted(files):
        return f"holds {present}, its manifest names {files}"
    tables = [pq.read_table(place / name, partitioning=None) for name in files]
    for file, table in zip(manifest["files"], tables, strict=True):
        if not isinstance(file, str) and file["rows"] != table.num_rows:
            return f"{file['path']} has {table.num_rows} rows, its manifest says {file['rows']}"
    amounts = manifest.get("amounts", {}).get("PRS_PAI_MNT")
    paid = sum(value or 0 for table in tables for value in _paid(table))
    return f"pays {paid}, its manifest says {amounts}" if amounts and amounts["flat"] != paid else None


def _paid(table: Any) -> list[float]:
    return table["PRS_PAI_MNT"].to_pylist() if "PRS_PAI_MNT" in table.column_names else []
