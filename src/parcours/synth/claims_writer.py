"""Write the claim lines of one block, flux month by flux month, with their detail rows."""

from collections import Counter

import numpy as np
import pyarrow as pa

from parcours.synth import faults
from parcours.synth.block import Block
from parcours.synth.claims import Lines, treatment_day
from parcours.synth.days import Calendar
from parcours.synth.dcir import TABLES, DcirWriter, child_rows, number_statements
from parcours.synth.raw import RawFiles
from parcours.synth.settings import SynthSettings
from parcours.synth.text import as_text, cents

BLOCK_STATEMENTS = 1_000_000  # statement numbers set aside for each block in each flux month
ORPHAN_POSITION = 9_000  # added to the position of a detail row to leave it without a claim line


def write_claims(raw: RawFiles, block: Block, settings: SynthSettings, span: Calendar) -> Counter[str]:
    """Append the block's lines to the files of every flux month; returns what was planted on the way."""
    rng = block.generator("claims")
    writer = DcirWriter(block.people, span)
    months = np.arange(span.first_flux, span.last_flux + 2)
    bounds = np.searchsorted(block.lines.flux, months)
    planted: Counter[str] = Counter()
    for place, month in enumerate(months[:-1].tolist()):
        lines = block.lines.take(slice(bounds[place], bounds[place + 1]))
        planted.update(_write_month(raw, writer, rng, lines, block, settings, month))
    return planted


def _write_month(
    raw: RawFiles,
    writer: DcirWriter,
    rng: np.random.Generator,
    lines: Lines,
    block: Block,
    settings: SynthSettings,
    month: int,
) -> Counter[str]:
    rates, year, text = settings.rates, 1970 + month // 12, faults.month_text(month)
    statement, position, treated = number_statements(lines, treatment_day(rng, lines), block.seed[1] * BLOCK_STATEMENTS)
    indices = writer.prepare(rng, lines, treated, rates)
    indices |= {"statement": statement, "position": position}
    planted = Counter({"sentinel_care_dates": int((indices["care"] == writer.dates.sentinels[0]).sum())})
    faulty = month == faults.fault_month(writer.span)
    if faulty:
        faults.apply_to_month(rng, settings.faults, block.people, indices, writer.dates.sentinels[0])
    missing = faulty and "missing_flux_month" in settings.faults
    for table in TABLES:
        rows, own = _table_rows(rng, table, lines, indices, rates)
        rows, own, orphans = _with_orphans(rng, table, rows, own, position, rates["orphan_child"])
        if faulty and table == "ER_PRS_F" and block.seed[1] == 0 and "duplicate_keys" in settings.faults:
            rows, own = faults.with_duplicates(rows, indices)
        chunk = {name: values[rows] for name, values in indices.items()} | own
        written = writer.rows(table, year, _with_texts(chunk))
        if table == "ER_PRS_F":
            written, damaged = faults.damage(rng, written, rates["malformed"])
            planted["malformed_lines"] += damaged
        else:
            planted[f"orphans_{table}"] += orphans
        if not missing:
            raw.append(table, f"{table}_{text}.csv", year, written)
    return planted


def _table_rows(
    rng: np.random.Generator, table: str, lines: Lines, indices: dict[str, np.ndarray], rates: dict[str, float]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    if table == "ER_PRS_F":
        return np.arange(len(lines)), {}
    return child_rows(rng, table, lines, indices, rates)


def _with_orphans(
    rng: np.random.Generator,
    table: str,
    rows: np.ndarray,
    own: dict[str, np.ndarray],
    position: np.ndarray,
    rate: float,
) -> tuple[np.ndarray, dict[str, np.ndarray], int]:
    """Add copies of a few detail rows under a position that no claim line has."""
    if table == "ER_PRS_F":
        return rows, own, 0
    chosen = np.flatnonzero(rng.random(len(rows)) < rate)
    moved = np.concatenate([position[rows], position[rows[chosen]] + ORPHAN_POSITION])
    own = {name: np.concatenate([values, values[chosen]]) for name, values in own.items()}
    return np.concatenate([rows, rows[chosen]]), {**own, "position": moved}, len(chosen)


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
