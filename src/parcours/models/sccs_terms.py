"""The terms of a case series: risk windows first, then age groups against the first one that has an event."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from parcours.errors import InputError
from parcours.models.follow_up import FollowUpPieces, Windows


def check_age_cuts(age_cuts: Sequence[int] | None) -> list[int]:
    """The first ages of the second and later groups, in days. Raises `InputError` unless they increase."""
    cuts = [int(cut) for cut in (age_cuts if age_cuts is not None else ())]
    if cuts != sorted(set(cuts)):
        raise InputError("The age cuts are not increasing: give each first day of an age group once, in order.")
    return cuts


def check_confidence(confidence: float) -> float:
    """The confidence of an interval. Raises `InputError` unless it is between 0 and 1."""
    if not 0 < confidence < 1:
        raise InputError(f"The confidence is {confidence}: give a share between 0 and 1, such as 0.95.")
    return confidence


def reference_age_group(pieces: FollowUpPieces, age_cuts: Sequence[int]) -> int:
    """The first age group with an event."""
    events = np.bincount(pieces.age_group, pieces.events, minlength=len(age_cuts) + 1)
    return int(np.argmax(events > 0))


def term_names(windows: Sequence[Windows], age_cuts: Sequence[int], reference: int) -> list[str]:
    """Names of all terms, in the order of the columns of `term_design`."""
    bounds = [None, *age_cuts, None]
    ages = [_age_term(bounds[k], bounds[k + 1]) for k in range(len(age_cuts) + 1) if k != reference]
    return [name for drug in windows for name in drug.terms()] + ages


def term_design(
    pieces: FollowUpPieces, windows: Sequence[Windows], age_cuts: Sequence[int], reference: int
) -> np.ndarray:
    """Which terms hold on which pieces, shape (pieces, terms) bool."""
    columns = [
        level == code
        for level, drug in zip(pieces.level, windows, strict=True)
        for code in range(1, len(drug.terms()) + 1)
    ]
    columns += [pieces.age_group == group for group in range(len(age_cuts) + 1) if group != reference]
    return np.stack(columns, axis=1) if columns else np.zeros((len(pieces.days), 0), dtype=bool)


def _age_term(first: int | None, after: int | None) -> str:
    if first is None:
        return f"age under {after}"
    return f"age {first}+" if after is None else f"age {first}-{after - 1}"
