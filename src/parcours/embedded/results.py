"""What a study found beside what was planted: the closing table of the demo."""

import csv
import json
from pathlib import Path
from typing import Any

from parcours.reporting.findings import BEFORE, LOWERED, RAISED
from parcours.reporting.texts import ENGLISH, texts_in

STRONG = 2.0
WITH_EFFECT = ("raises", "lowers")
WITHOUT_EFFECT = ("null", "confounded")


def medicines_table(run_json: Path, truth_json: Path) -> list[dict[str, Any]]:
    """One row a medicine: the relative incidence of the window that stands out most, its interval, the flag, the truth.

    `truth` is the mean of the planted daily curve over the days of the window, which is what one relative incidence of
    the window estimates; `numbers` holds plain values.
    """
    truth = json.loads(truth_json.read_text("utf-8"))
    planted = {medicine["atc"]: medicine for medicine in truth["medicines"]}
    with (run_json.parent / "report" / "peaks.csv").open(encoding="utf-8", newline="") as lines:
        peaks = list(csv.DictReader(lines))
    found = [_numbers(peak, planted.get(peak["drug"])) for peak in peaks]
    return [
        _row(numbers) for numbers in sorted(found, key=lambda numbers: (numbers["ri"] is None, -(numbers["ri"] or 0)))
    ]


def recovery(rows: list[dict[str, Any]]) -> dict[str, str]:
    """How much of what was planted came out again: x/y of each kind."""
    known = [row["numbers"] for row in rows if row["numbers"]["kind"]]
    strong = [medicine for medicine in known if medicine["kind"] == "raises" and medicine["planted_ri"] >= STRONG]
    without = [medicine for medicine in known if medicine["kind"] in WITHOUT_EFFECT]
    bounded = [medicine for medicine in known if medicine["lower"] is not None]
    return {
        f"planted RI >= {STRONG:g} flagged": _share([medicine["flag"] == RAISED for medicine in strong]),
        "without effect, flagged": _share([medicine["flag"] in (RAISED, LOWERED, BEFORE) for medicine in without]),
        "truth inside the interval": _share([_covered(medicine) for medicine in bounded]),
    }


def worth_showing(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The medicines that were flagged or have a planted effect; the others only repeat that nothing was found."""
    flagged = [row for row in rows if row["flag"] in (RAISED, LOWERED, BEFORE)]
    return [row for row in rows if row in flagged or row["numbers"]["kind"] in WITH_EFFECT]


def _numbers(peak: dict[str, str], planted: dict[str, Any] | None) -> dict[str, Any]:
    first, last = int(peak["first_day"]), int(peak["last_day"])
    return {
        "name": peak["name"],
        "code": peak["drug"],
        "ri": float(peak["ri"]) if peak["ri"] else None,
        "lower": float(peak["lower"]) if peak["lower"] else None,
        "upper": float(peak["upper"]) if peak["upper"] else None,
        "first_day": first,
        "last_day": last,
        "p_value": float(peak["p_value"]) if peak["p_value"] else None,
        "flag": peak["flag"],
        "kind": planted["kind"] if planted else None,
        "planted_ri": float(planted["peak_ri"]) if planted else None,
        "truth": _mean_over_days(planted["relative_incidence"], first, last) if planted else None,
    }


def _mean_over_days(curve: list[float], first: int, last: int) -> float:
    """Mean of a daily curve over days since the first purchase; beyond its end nothing was planted."""
    days = [*curve[first : last + 1], *[1.0] * (last + 1 - max(first, len(curve)))]
    return sum(days) / len(days)


def _row(numbers: dict[str, Any]) -> dict[str, Any]:
    """What is shown of a medicine; one for which too few events are expected has no relative incidence."""
    bounded = numbers["lower"] is not None
    ratio = texts_in(ENGLISH).ratio
    interval = f" ({ratio(numbers['lower'])}-{ratio(numbers['upper'])})" if bounded else ""
    return {
        "medicine": numbers["name"],
        "peak RI": "–" if numbers["ri"] is None else f"{ratio(numbers['ri'])}{interval}",
        "days": "–" if numbers["ri"] is None else f"{numbers['first_day']}-{numbers['last_day']}",
        "flag": numbers["flag"],
        "planted": f"{numbers['kind']} {numbers['planted_ri']:g}" if numbers["kind"] else "",
        "truth": "" if numbers["truth"] is None else f"{numbers['truth']:.2f}",
        "numbers": numbers,
    }


def _covered(medicine: dict[str, Any]) -> bool:
    return medicine["truth"] is not None and medicine["lower"] <= medicine["truth"] <= medicine["upper"]


def _share(hits: list[bool]) -> str:
    return f"{sum(hits)}/{len(hits)}"
