"""Raw CSV files of a delivery, appended to block by block."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa

from parcours.synth.dcir import columns_of
from parcours.synth.text import content


class RawFiles:
    """The files under `<out>/raw`; counts the rows of each table."""

    def __init__(self, out: Path):
        self.folder = out / "raw"
        self.rows: Counter[str] = Counter()
        self._files: dict[str, dict[str, int | None]] = {}

    def append(self, table: str, name: str, year: int, lines: pa.Array, of_year: int | None = None) -> None:
        """Append rows to a file of a table; a new file gets the header of `year`. of_year: as delivery.yaml says it."""
        path = self.folder / name
        files = self._files.setdefault(table, {})
        if name not in files:
            files[name] = of_year
            path.write_text(";".join(columns_of(table, year)) + "\n", "utf-8")
        with path.open("ab") as file:
            file.write(content(lines))
        self.rows[table] += len(lines)

    def described(self) -> dict[str, Any]:
        """`tables:` of delivery.yaml."""
        described: dict[str, Any] = {}
        for table, files in sorted(self._files.items()):
            years = sorted({year for year in files.values() if year is not None})
            if years:
                described[table] = [
                    {"files": [f"raw/{name}" for name, of in sorted(files.items()) if of == year], "year": year}
                    for year in years
                ]
            else:
                described[table] = {"files": [f"raw/{name}" for name in sorted(files)]}
        return described
