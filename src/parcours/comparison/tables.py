"""A comparison as rows: for the terminal, for comparison.json and for the CSV file of medicines."""

import csv
import io
from math import inf
from typing import Any

from parcours.comparison.compare import Comparison, Pair
from parcours.comparison.counts import Told
from parcours.comparison.differences import data_words, version_words
from parcours.comparison.finished import FinishedRun
from parcours.comparison.sentence import change_words, sentence
from parcours.comparison.signals import NUMBERS, Signal
from parcours.reporting.suppression import shown
from parcours.reporting.texts import ENGLISH, texts_in

NOT_TOLD = "–"
COUNTS = {"cases": "cases", "events": "events", "persons_followed": "persons followed"}
CHANGE = "change"


def as_json(comparison: Comparison) -> dict[str, Any]:
    """The whole comparison as one object; its counts are marks or numbers that may leave."""
    cases = comparison.cases
    return {
        "sentence": sentence(comparison),
        "earlier": _run(comparison.earlier),
        "later": _run(comparison.later),
        "parameters": [
            {"parameter": change.title, "name": change.name, "earlier": change.earlier, "later": change.later}
            for change in comparison.parameters
        ],
        "data": [{"data": data_words(change), **vars(change)} for change in comparison.data],
        "versions": [{"version": words} for words in version_words(comparison.versions)],
        "data digest": {"earlier": comparison.versions.data[0], "later": comparison.versions.data[1]},
        "counts": [_count(name, *pair) for name, pair in comparison.counts.items() if pair != (None, None)],
        "cases of": None if cases is None else vars(cases),
        "attrition": step_rows(comparison),
        "medicines": [medicine_row(pair) for pair in comparison.medicines],
    }


def _run(run: FinishedRun) -> dict[str, Any]:
    return {"run": run.name, "cohort": run.cohort, "fingerprint": run.fingerprint, "title": run.run.get("title")}


def _count(name: str, earlier: Told, later: Told) -> dict[str, Any]:
    return {"count": COUNTS[name], "earlier": told_words(earlier), "later": told_words(later)}


def step_rows(comparison: Comparison) -> list[dict[str, Any]]:
    """[{step, earlier, later, lost_earlier, lost_later}] of the attrition, as people read it."""
    return [
        {
            "step": " / ".join(dict.fromkeys(step.description for step in (pair.earlier, pair.later) if step)),
            "earlier": told_words(pair.earlier.persons if pair.earlier else None),
            "later": told_words(pair.later.persons if pair.later else None),
            "left out earlier": told_words(pair.earlier.lost if pair.earlier else None),
            "left out later": told_words(pair.later.lost if pair.later else None),
        }
        for pair in comparison.attrition
    ]


def medicine_row(pair: Pair) -> dict[str, Any]:
    """A medicine as people read it, and its numbers."""
    return {
        "medicine": pair.name,
        "code": pair.drug,
        "earlier": estimate_words(pair.earlier),
        "later": estimate_words(pair.later),
        "exposed cases": exposed_words(pair),
        CHANGE: change_words(pair),
        "numbers": {"earlier": _numbers(pair.earlier), "later": _numbers(pair.later)},
    }


def exposed_words(pair: Pair) -> str:
    """`400 → 240`: its exposed cases in both runs."""
    return " → ".join(map(told_words, pair.exposed))


def _numbers(signal: Signal | None) -> dict[str, Any] | None:
    """A medicine's numbers as JSON knows them: a bound without an end is "inf"."""
    return None if signal is None else {name: "inf" if value == inf else value for name, value in signal.items()}


def estimate_words(signal: Signal | None) -> str:
    """`2.31 (1.42 to 3.90)`."""
    if signal is None or signal["ri"] is None:
        return "not estimated"
    lower, upper = (float("nan") if signal[name] is None else signal[name] for name in ("lower", "upper"))
    texts = texts_in(ENGLISH)
    return f"{texts.ratio(signal['ri'])} ({texts.interval(lower, upper)})"


def told_words(count: Told) -> str:
    """A count as people read it."""
    return NOT_TOLD if count is None else shown(count)


def medicines_csv(comparison: Comparison) -> str:
    """A row a medicine, its numbers in both runs."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    names = ("flag", *NUMBERS, "exposed_cases")
    writer.writerow(["drug", "name", CHANGE, *(f"{which}_{name}" for which in ("earlier", "later") for name in names)])
    for pair in comparison.medicines:
        sides = zip((pair.earlier, pair.later), pair.exposed, strict=True)
        cells = [[*_cells(signal), "" if count is None else count] for signal, count in sides]
        writer.writerow([pair.drug, pair.name, pair.change, *cells[0], *cells[1]])
    return out.getvalue()


def _cells(signal: Signal | None) -> list[Any]:
    if signal is None:
        return [""] * (1 + len(NUMBERS))
    return [signal["flag"], *("" if signal[name] is None else signal[name] for name in NUMBERS)]
