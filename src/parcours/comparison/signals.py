"""The signals of a finished run, and which of them another run gained or lost; nothing heavy is imported."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from parcours.errors import InputError
from parcours.reporting.findings import LOWERED, NOT_FLAGGED, RAISED
from parcours.storage.place import Place

REPORT, PEAKS = "report", "peaks.csv"
NUMBERS = ("ri", "lower", "upper", "p_value")
# A rise before the exposure is no effect of a medicine that nobody had yet.
SIGNALS = (RAISED, LOWERED)

Signal = dict[str, Any]
Signals = Mapping[str, Signal]


def read_signals(run_folder: Place) -> dict[str, Signal]:
    """{drug: {name, flag, ri, lower, upper, p_value}} of every medicine of a run, in the reading order of its report.

    A number that was not estimated is None, a bound without an end 0 or infinite. `run_folder` holds run.json.
    Raises InputError when the run has no report.
    """
    return {row["drug"]: signal_of(row) for row in read_rows(run_folder / REPORT / PEAKS)}


def read_rows(path: Place) -> list[dict[str, str]]:
    """The rows of a table of a report, as text.

    Raises InputError when it is not there.
    """
    if not path.is_file():
        raise InputError(f"There is no {path}; write the report of this run first.")
    return list(csv.DictReader(io.StringIO(path.read_text("utf-8"), newline="")))


def signal_of(row: Mapping[str, str]) -> Signal:
    """What a row of peaks.csv says of a medicine."""
    return {"name": row["name"], "flag": row["flag"], **{name: number(row[name]) for name in NUMBERS}}


def number(text: str) -> float | None:
    """A number of a report's table; None where nothing was estimated."""
    return float(text) if text else None


def flag_in(signals: Signals, drug: str) -> str:
    """The flag of a medicine in a run; a medicine that the run does not have is not flagged in it."""
    return str(signals[drug]["flag"]) if drug in signals else NOT_FLAGGED


def signals_gained(earlier: Signals, later: Signals) -> dict[str, Signal]:
    """Medicines that the later run says raise or lower the risk and the earlier one does not, as in the later."""
    return {
        drug: signal
        for drug, signal in later.items()
        if signal["flag"] in SIGNALS and flag_in(earlier, drug) not in SIGNALS
    }


def signals_lost(earlier: Signals, later: Signals) -> dict[str, Signal]:
    """Medicines that the earlier run said raise or lower the risk and the later one does not, as in the earlier."""
    return signals_gained(later, earlier)


def signals_turned(earlier: Signals, later: Signals) -> dict[str, Signal]:
    """Medicines that raised the risk and now lower it, or the other way round, as in the later run."""
    return {
        drug: signal for drug, signal in later.items() if {signal["flag"], flag_in(earlier, drug)} == {RAISED, LOWERED}
    }
