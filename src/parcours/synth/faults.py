"""Named faults planted in one flux month or one year, each a violation that a quality gate must find."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parcours.synth.days import Calendar
from parcours.synth.population import Population

RETURN_CODE_SPIKE = 0.20
DUPLICATED_LINES = 40
FUTURE_SHARE = 0.20
NAMELESS_SHARE = 0.15
CORRUPT_SHARE = 0.05
FUTURE_DAYS = 3652


def fault_month(span: Calendar) -> int:
    """Flux month that carries the faults: the eighth of the last twelve that are not late ones."""
    return max(span.first_flux, span.last_flux - 10)


def apply_to_month(
    rng: np.random.Generator,
    faults: tuple[str, ...],
    people: Population,
    indices: dict[str, np.ndarray],
    sentinel: int,
) -> None:
    """Change the prepared lines of the fault month in place, as each named fault says.

    Care dates from `sentinel` on are none (see DayTexts) and are left alone.
    """
    count = len(indices["care"])
    if "future_dates" in faults:
        chosen = (rng.random(count) < FUTURE_SHARE) & (indices["care"] < sentinel)
        indices["care"] = np.where(chosen, indices["care"] + FUTURE_DAYS, indices["care"])
    if "null_person" in faults:
        chosen = rng.random(count) < NAMELESS_SHARE
        indices["version"] = np.where(chosen, indices["version"] + 4 * len(people), indices["version"])
    if "amount_corruption" in faults:
        chosen = rng.random(count) < CORRUPT_SHARE
        indices["paid_cents"] = np.where(chosen, 999_999_999, indices["paid_cents"])
        indices["base_cents"] = np.where(chosen, -np.abs(indices["base_cents"]) - 100, indices["base_cents"])


def month_text(month: int) -> str:
    """A month counted since 1970-01 as 2016-05."""
    return f"{1970 + month // 12}-{month % 12 + 1:02d}"


def with_duplicates(rows: np.ndarray, indices: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Repeat the first lines of the month under the same key, one euro dearer."""
    again = rows[:DUPLICATED_LINES]
    paid = indices["paid_cents"]
    return np.concatenate([rows, again]), {"paid_cents": np.concatenate([paid[rows], paid[again] + 100])}


def damage(rng: np.random.Generator, lines: pa.Array, rate: float) -> tuple[pa.Array, int]:
    """Make a share of the rows unreadable: cut short, one field too many, a letter for a number, an impossible date."""
    chosen = rng.random(len(lines)) < rate
    if not chosen.any():
        return lines, 0
    broken = [_broken(line, way % 4) for way, line in enumerate(lines.filter(pa.array(chosen)).to_pylist())]
    return pc.replace_with_mask(lines, pa.array(chosen), pa.array(broken)), len(broken)


def _broken(line: str, way: int) -> str:
    fields = line.rstrip("\n").split(";")
    if way == 0:
        fields = fields[: len(fields) // 2]
    elif way == 1:
        fields.append("X")
    elif way == 2:
        fields = ["X7" if field.isdigit() else field for field in fields]
    else:
        fields = ["2016-13-45" if len(field) == 10 and field[4] == "-" else field for field in fields]
    return ";".join(fields) + "\n"
