"""Write the claim lines of one block, flux month by flux month, with their detail rows."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from parcours.synth import dcir_details, faults
from parcours.synth.block import Block
from parcours.synth.claims import Lines, treatment_day
from parcours.synth.days import Calendar
from parcours.synth.dcir import TABLES, DcirWriter, child_rows, number_statements
from parcours.synth.raw import RawFiles
from parcours.synth.settings import SynthSettings
from parcours.synth.text import as_text, cents

BLOCK_STATEMENTS = 1_000_000  # statement numbers set aside for each block in each flux month
# Added to the position of a detail row, or to the number of a statement, to leave it without a claim line.
ORPHANED_BY = {"position": 9_000, "statement": 500_000}


@dataclass(frozen=True)
class _Month:
    """The lines of one flux month, ready to be written; `raw` is None when the month is to be missing."""

    raw: RawFiles | None
    writer: DcirWriter
    lines: Lines
    indices: dict[str, np.ndarray]
    flux: int

    @property
    def year(self) -> int:
        return 1970 + self.flux // 12


def write_claims(raw: RawFiles, block: Block, settings: SynthSettings, span: Calendar) -> Counter[str]:
    """Append the block's lines to the files of every flux month; returns what was planted on the way."""
    rng, further = block.generator("claims"), block.generator("DCIR")
    writer = DcirWriter(block.people, span)
    whole = "DCIR" in settings.products
    if whole:
        writer.learn(dcir_details.columns(writer.dates))
    months = np.arange(span.first_flux, span.last_flux + 2)
    bounds = np.searchsorted(block.lines.flux, months)
    planted: Counter[str] = Counter()
    for place, flux in enumerate(months[:-1].tolist()):
        lines = block.lines.take(slice(bounds[place], bounds[place + 1]))
        month, found = _prepared(raw, writer, rng, lines, block, settings, flux)
        planted.update(found)
        planted.update(_write_tables(rng, month, block, settings))
        if whole:
            planted.update(_write_details(further, month, settings.rates))
    return planted


def _prepared(
    raw: RawFiles,
    writer: DcirWriter,
    rng: np.random.Generator,
    lines: Lines,
    block: Block,
    settings: SynthSettings,
    flux: int,
) -> tuple[_Month, Counter[str]]:
    number = dcir_details.number_statements if "DCIR" in settings.products else number_statements
    statement, position, treated = number(lines, treatment_day(rng, lines), block.seed[1] * BLOCK_STATEMENTS)
    indices = writer.prepare(rng, lines, treated, settings.rates)
    indices |= {"statement": statement, "position": position, "emitter": dcir_details.emitter(statement)}
    planted = Counter({"sentinel_care_dates": int((indices["care"] == writer.dates.sentinels[0]).sum())})
    faulty = flux == faults.fault_month(writer.span)
    if faulty:
        faults.apply_to_month(rng, settings.faults, block.people, indices, writer.dates.sentinels[0])
    missing = faulty and "missing_flux_month" in settings.faults
    return _Month(None if missing else raw, writer, lines, indices, flux), planted


def _write_tables(rng: np.random.Generator, month: _Month, block: Block, settings: SynthSettings) -> Counter[str]:
    rates, planted = settings.rates, Counter[str]()
    twice = month.flux == faults.fault_month(month.writer.span) and "duplicate_keys" in settings.faults
    for table in TABLES:
        if table == "ER_PRS_F":
            rows, own = np.arange(len(month.lines)), dict[str, np.ndarray]()
            if twice and block.seed[1] == 0:
                rows, own = faults.with_duplicates(rows, month.indices)
            written, damaged = faults.damage(rng, _lines(month, table, rows, own), rates["malformed"])
            planted["malformed_lines"] += damaged
        else:
            rows, own = child_rows(rng, table, month.lines, month.indices, rates)
            rows, own, orphans = _with_orphans(rng, rows, own, _moved(month, "position"), rates["orphan_child"])
            planted[f"orphans_{table}"] += orphans
            written = _lines(month, table, rows, own)
        _append(month, table, written)
    return planted


def _write_details(rng: np.random.Generator, month: _Month, rates: dict[str, float]) -> Counter[str]:
    """The tables that the delivery has when DCIR is asked for whole."""
    planted: Counter[str] = Counter()
    for table in dcir_details.TABLES:
        rows, own = dcir_details.detail_rows(rng, table, month.lines, month.indices, month.writer.dates.sentinels[0])
        moved = _moved(month, "statement" if table == dcir_details.STATEMENTS else "position")
        rows, own, orphans = _with_orphans(rng, rows, own, moved, rates["orphan_child"])
        planted[f"orphans_{table}"] += orphans
        written, damaged = faults.damage(rng, _lines(month, table, rows, own), rates["malformed"])
        planted[f"malformed_{table}"] += damaged
        _append(month, table, written)
    return planted


def _lines(month: _Month, table: str, rows: np.ndarray, own: dict[str, np.ndarray]) -> pa.Array:
    chunk = {name: values[rows] for name, values in month.indices.items()} | own
    return month.writer.rows(table, month.year, _with_texts(chunk))


def _append(month: _Month, table: str, lines: pa.Array) -> None:
    if month.raw is not None:
        month.raw.append(table, f"{table}_{faults.month_text(month.flux)}.csv", month.year, lines)


def _moved(month: _Month, index: str) -> tuple[str, np.ndarray, np.ndarray]:
    """An index of the key, and its values under which no line is."""
    return index, month.indices[index], month.indices[index] + ORPHANED_BY[index]


def _with_orphans(
    rng: np.random.Generator,
    rows: np.ndarray,
    own: dict[str, np.ndarray],
    moved: tuple[str, np.ndarray, np.ndarray],
    rate: float,
) -> tuple[np.ndarray, dict[str, np.ndarray], int]:
    """Add copies of a few detail rows under a key that no claim line has."""
    index, here, elsewhere = moved
    chosen = np.flatnonzero(rng.random(len(rows)) < rate)
    own = {name: np.concatenate([values, values[chosen]]) for name, values in own.items()}
    own[index] = np.concatenate([here[rows], elsewhere[rows[chosen]]])
    return np.concatenate([rows, rows[chosen]]), own, len(chosen)


def _with_texts(chunk: dict[str, np.ndarray]) -> dict[str, np.ndarray | pa.Array]:
    """Texts of what is unique to a row: statement, position and amounts."""
    return {
        **chunk,
        "statement": as_text(pa.array(chunk["statement"])),
        "position": as_text(pa.array(chunk["position"])),
        "paid": cents(chunk["paid_cents"]),
        "base": cents(chunk["base_cents"]),
        "reimbursed": cents(chunk["reimbursed_cents"]),
    }
