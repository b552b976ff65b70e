"""What may be told of two runs beside each other: the difference of two counts is a count of persons too.

Who is in one run and not in the other is a group of persons, and at each step of the attrition another one. The later
run's number is withheld where the two numbers, or two such differences, would give a group of 1 to 10 persons back.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from parcours.leaving import HIDDEN, SMALL, Published, is_small, shown_mark

Told = Published | None  # None: the run has no such count


@dataclass(frozen=True)
class SharedCases:
    """Cases of both runs, of the later one only and of the earlier one only, as they may leave."""

    both: Published
    gained: Published
    lost: Published


def told_beside(later: Sequence[Told], earlier: Sequence[Told]) -> list[Told]:
    """The later run's counts as they may stand beside the earlier run's, which are of the same groups, place by place.

    A count is kept when no count of the earlier run lies 1 to 10 from it, and when by how much the two runs differ in
    it lies 0 or at least 11 from by how much they differ in each other count that is kept; the last ones come first.
    """
    told = list(later)
    others = [count for count in earlier if isinstance(count, int)]
    gaps: list[int] = []
    for place in reversed(range(len(told))):
        count, theirs = told[place], earlier[place]
        if not isinstance(count, int):
            continue
        gap = [theirs - count] if isinstance(theirs, int) else []
        near = any(is_small(abs(count - other)) for other in others)
        if near or any(is_small(abs(one - other)) for one in gap for other in gaps):
            told[place] = HIDDEN
        else:
            gaps += gap
    return told


def lost_between(persons: Sequence[Published], lost: Sequence[Published]) -> list[Published]:
    """Who is left out at each step, as far as the persons before and after it are told; 0 at the first."""
    told: list[Published] = [0]
    for place in range(1, len(persons)):
        known = isinstance(persons[place], int) and isinstance(persons[place - 1], int)
        told.append(lost[place] if known or lost[place] == SMALL else HIDDEN)
    return told


def shared_cases(earlier: Collection[int], later: Collection[int], told_earlier: Told, told_later: Told) -> SharedCases:
    """How many persons are cases of both runs or of one, from the persons and from how many of each run are told.

    Of the two totals and the three parts each is a sum or a difference of others: where one is withheld, all parts are,
    except those that are empty.
    """
    before, after = frozenset(earlier), frozenset(later)
    parts = (len(before & after), len(after - before), len(before - after))
    known = isinstance(told_earlier, int) and isinstance(told_later, int)
    if known and not any(is_small(part) for part in parts):
        return SharedCases(*parts)
    return SharedCases(*(shown_mark(part) if part else part for part in parts))
