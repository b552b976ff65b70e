"""Cases that two runs share: what may be told of them, beside the totals that both reports tell.

Every other count of a comparison stands in one of the two reports, as the ledger of releases let it leave.
"""

from collections.abc import Collection
from dataclasses import dataclass

from parcours.leaving import Published, is_small, shown_mark

Told = Published | None  # None: the run has no such count


@dataclass(frozen=True)
class SharedCases:
    """Cases of both runs, of the later one only and of the earlier one only, as they may leave."""

    both: Published
    gained: Published
    lost: Published


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
