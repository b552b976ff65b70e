"""A comparison in one sentence, made of its numbers."""

from collections.abc import Iterator, Sequence

from parcours.comparison.compare import GAINED, KEPT, LOST, TURNED, Comparison, Pair
from parcours.comparison.differences import data_words, version_words
from parcours.reporting.findings import BEFORE

NOTHING_DIFFERS = "Nothing differs."
MOST_CHANGES = 4
NAMED = 3
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def sentence(comparison: Comparison) -> str:
    """`75 and over instead of 65 and over: 1,204 of 1,321 cases, one signal gained (Zolpidem), two lost (...).`"""
    changed = list(changes(comparison))
    if comparison.same_results:
        return f"{_capital(_several(changed))}: nothing else differs." if changed else NOTHING_DIFFERS
    why = _capital(_several(changed)) if changed else "With the same parameters, data and code"
    return f"{why}: {', '.join([cases_words(comparison), *signal_words(comparison)])}."


def changes(comparison: Comparison) -> Iterator[str]:
    """Everything that was changed between the runs, as parts of a sentence: the study, parameters, data, versions."""
    if comparison.other_study:
        yield f"study {comparison.later.cohort} instead of {comparison.earlier.cohort}"
    yield from (change.words for change in comparison.parameters)
    yield from map(data_words, comparison.data)
    yield from version_words(comparison.versions)


def _several(changed: Sequence[str]) -> str:
    more = len(changed) - MOST_CHANGES
    return "; ".join(changed[:MOST_CHANGES]) + (f"; and {more} more changes" if more > 0 else "")


def cases_words(comparison: Comparison) -> str:
    """`1,204 of 1,321 cases` where the later run's are among the earlier one's, else `1,400 cases instead of 1,321`."""
    earlier, later = comparison.counts["cases"]
    if not isinstance(later, int) or not isinstance(earlier, int):
        return "how many cases may not be told beside each other"
    if earlier == later:
        return f"{later:,} cases as before"
    among = comparison.cases is not None and comparison.cases.gained == 0
    return f"{later:,} of {earlier:,} cases" if among else f"{later:,} cases instead of {earlier:,}"


def signal_words(comparison: Comparison) -> Iterator[str]:
    """`one signal gained (Zolpidem)`, `two lost (...)`, `one turned (...)`; or that they stay as they were."""
    told = False
    for change in (GAINED, LOST, TURNED):
        pairs = comparison.of_change(change)
        if pairs:
            noun = "" if told else " signal" if len(pairs) == 1 else " signals"
            yield f"{in_words(len(pairs))}{noun} {change} ({_names(pairs)})"
            told = True
    if not told:
        kept = comparison.of_change(KEPT)
        yield f"the same {_plural(len(kept))} ({_names(kept)})" if kept else "no signal in either"


def _plural(signals: int) -> str:
    return "signal" if signals == 1 else f"{in_words(signals)} signals"


def in_words(number: int) -> str:
    """`one` to `ten`, then figures."""
    return NUMBERS[number] if number < len(NUMBERS) else str(number)


def _names(pairs: Sequence[Pair]) -> str:
    more = len(pairs) - NAMED
    return ", ".join(pair.name for pair in pairs[:NAMED]) + (f" and {more} more" if more > 0 else "")


FLAGS = {"raised": "raises", "lowered": "lowers", BEFORE: "rises before the purchase already", "none": "not flagged"}


def flag_words(flag: str) -> str:
    """A flag as people read it; empty: the run did not estimate the medicine."""
    return FLAGS.get(flag, "not estimated")


def change_words(pair: Pair) -> str:
    """What became of a medicine: `gained: raises`, `lost: not estimated`, `turned: lowers`, `kept: raises`."""
    if pair.change:
        return f"{pair.change}: {flag_words(pair.flags[1])}"
    if pair.earlier is None or pair.later is None:
        return f"only in the {'later' if pair.earlier is None else 'earlier'} run"
    return "" if BEFORE not in pair.flags else f"no signal: {flag_words(pair.flags[1])}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
