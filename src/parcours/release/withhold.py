"""Which cells of a new release are withheld, so that with all former ones it gives no count of 1 to 10 away."""

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from parcours.leaving import SAFETY_RANGE, WITHHELD, is_small
from parcours.release.attack import (
    Contradiction,
    Row,
    System,
    Target,
    bounds_of,
    is_given_away,
    minus,
    system_of,
)
from parcours.release.cells import CHAIN, Cell, Told, disjoint

Name = tuple[str, str]

log = logging.getLogger(__name__)
# Nobody can then tell what a reader works out, so nothing more of the table leaves.
CONTRADICTION = (
    "The counts that left of %s (%s) and of earlier reports (%s) contradict each other, so those counts are withheld; "
    "a file of releases/ in the root was changed, or its counts are not of the persons that its definitions say."
)


def withhold(former: Sequence[Told], release: str, study: str, cells: Sequence[Cell]) -> list[Cell]:
    """The cells of a new release as they may leave after all that left before; what must go is `withheld`.

    `former` are the cells of other releases, and of this one what has left already. The chain of persons comes first,
    then tables with their totals, then counts that stand alone: totals are kept before their parts.
    """
    decided = {cell.name: cell for cell in cells}
    for names in _groups(cells):
        new = [Told(release, study, decided[name]) for name in names]
        own = [Told(release, study, cell) for cell in decided.values() if cell.name not in names]
        for cell in _decide(_beside(former, own, new), new):
            decided[cell.name] = cell
    return [decided[cell.name] for cell in cells]


def comparable(cells: Sequence[Cell], study: str, former: Sequence[Told]) -> list[Told]:
    """Former cells that tell something of the new ones: of the same study, or cut out of the same persons."""
    sources = {cell.source for cell in cells}
    related = {each.release for each in former if each.study == study or each.cell.source in sources}
    return [each for each in former if each.release in related]


def _groups(cells: Sequence[Cell]) -> list[list[Name]]:
    """The names of cells that are decided together, in order."""
    chain = [cell.name for cell in cells if cell.table in CHAIN]
    tables: dict[str, list[Name]] = defaultdict(list)
    alone: list[list[Name]] = []
    for cell in cells:
        if cell.table in CHAIN:
            continue
        if cell.adds_up:
            tables[cell.table].append(cell.name)
        else:
            alone.append([cell.name])
    return [group for group in (chain, *tables.values(), *alone) if group]


def _beside(former: Sequence[Told], own: Sequence[Told], new: Sequence[Told]) -> list[Told]:
    """The cells that stand beside the new ones: their like in former releases, and the totals of these."""
    names, tables = {each.cell.name for each in new}, {each.cell.table for each in new}
    whole_table = new[0].cell.adds_up or new[0].cell.table in CHAIN
    together = {*tables, *CHAIN} if new[0].cell.table in CHAIN else tables
    others = [*former, *own]
    like = [each for each in others if (each.cell.table in together if whole_table else each.cell.name in names)]
    if new[0].cell.table in CHAIN:
        return like
    totals = {each.cell.within for each in (*like, *new)} - {None}
    return [*like, *(each for each in others if each.cell.source in totals and each.cell.step_before is None)]


def _decide(beside: Sequence[Told], new: Sequence[Told]) -> list[Cell]:
    told = [*beside, *new]
    places = range(len(told) - len(new), len(told))
    kept = dict.fromkeys(places, True)
    _withhold_near(told, kept)
    if not any(kept.values()):
        return [_as_decided(told, place, kept) for place in places]
    try:
        _withhold_what_gives_away(system_of(told), told, kept)
    except Contradiction:
        log.error(CONTRADICTION, *_releases(beside, new))
        kept = dict.fromkeys(places, False)
    return [_as_decided(told, place, kept) for place in places]


def _releases(beside: Sequence[Told], new: Sequence[Told]) -> tuple[str, str, str]:
    own = new[0].release
    others = sorted({each.release for each in beside} - {own})
    return own, new[0].cell.table, ", ".join(others) or "no other"


def _withhold_what_gives_away(system: System, told: Sequence[Told], kept: dict[int, bool]) -> None:
    """Withhold cell after cell of the new ones in `kept`, until no target is given away by them."""
    targets = list(_targets(system, range(min(kept), max(kept) + 1)))
    witnesses: list[np.ndarray] = []
    while (target := _given_away(system, told, kept, targets, witnesses)) is not None:
        place = _next_to_withhold(system, told, kept, target)
        if place is None:
            targets.remove(target)  # given away by former releases alone: nothing of this one would help
        else:
            kept[place] = False


def _as_decided(told: Sequence[Told], place: int, kept: dict[int, bool]) -> Cell:
    cell = told[place].cell
    return cell if kept[place] else cell.as_shown(WITHHELD)


def _withhold_near(told: Sequence[Told], kept: dict[int, bool]) -> None:
    """Withhold what differs by 1 to 10 from a number that left: nothing else can help."""
    former: dict[Name, list[Cell]] = defaultdict(list)
    for place, each in enumerate(told):
        if place not in kept and isinstance(each.cell.shown, int):
            former[each.cell.name].append(each.cell)
    for place in kept:
        cell = told[place].cell
        if isinstance(cell.shown, int) and any(
            is_small(abs(cell.count - other.count)) and not disjoint(cell, other) for other in former[cell.name]
        ):
            kept[place] = False


def _known(told: Sequence[Told], kept: dict[int, bool]) -> list[tuple[float, float]]:
    return [each.cell.known if kept.get(place, True) else (0, np.inf) for place, each in enumerate(told)]


def _targets(system: System, new: range) -> Iterator[Target]:
    """The numbers of persons that a new release may give away.

    Small cells; what is left of a total; differences of cells of one name; and each smallest set that the definitions
    of the releases tell apart.
    """
    told, rows = system.told, system.rows
    parts = {system.parts[place] for at in new for place in rows[at]}
    names = {told[at].cell.name for at in new}
    near = {at for at, row in enumerate(rows) if _touches(system, row, parts)}
    like = [at for at in range(len(told)) if at in near or told[at].cell.name in names]
    counted: dict[Name, list[tuple[Cell, Row, int]]] = defaultdict(list)
    for at in like:
        counted[told[at].cell.name].append((told[at].cell, rows[at], told[at].cell.count))
    for sets in (counted, _rests(system, like)):
        alone = (Target(row, count) for same in sets.values() for _, row, count in same if is_small(count))
        yield from (each for each in (*alone, *_differences(sets)) if _touches(system, each.row, parts))
    if len({each.release for each in told}) == 1:
        return  # the smallest sets are the cells themselves
    sources = {told[at].cell.source for at in new}
    for atom, place in system.atoms.items():
        if atom[0] in sources:
            yield Target({place: 1.0}, None)


def _touches(system: System, row: Row, parts: set[int]) -> bool:
    """Whether a row is of one of these parts of the system; of others a new release tells nothing."""
    return any(system.parts[place] in parts for place in row)


def _rests(system: System, near: Sequence[int]) -> dict[Name, list[tuple[Cell, Row, int]]]:
    """Of totals, those who are not in a part that stands alone: the part, their row, and how many they are."""
    told, rows = system.told, system.rows
    wholes = {(each.release, each.cell.source): at for at, each in enumerate(told)}
    rests: dict[Name, list[tuple[Cell, Row, int]]] = defaultdict(list)
    for at in near:
        cell = told[at].cell
        whole = wholes.get((told[at].release, cell.within or ""))
        if whole is not None and cell.table not in CHAIN and told[whole].cell.ages == cell.ages:
            rest = told[whole].cell.count - cell.count
            rests[cell.name].append((cell, minus(rows[whole], rows[at]), rest))
    return rests


def _differences(counted: Mapping[Name, Sequence[tuple[Cell, Row, int]]]) -> Iterator[Target]:
    """Of two sets of one name, how many more are in one of them."""
    for like in counted.values():
        for (cell, row, count), (other, beside, less) in combinations(like, 2):
            if is_small(abs(count - less)) and not disjoint(cell, other):
                yield Target(minus(row, beside), count - less)


def _given_away(
    system: System,
    told: Sequence[Told],
    kept: dict[int, bool],
    targets: list[Target],
    witnesses: list[np.ndarray],
) -> Target | None:
    """The first target that is given away; those before it are safe for good and leave the list.

    Withholding more only widens bounds, so what was found possible stays possible.
    """
    known = _known(told, kept)
    while targets:
        target = targets[0]
        if not _is_wide(target, witnesses):
            least, most, found = bounds_of(system, known, target.row)
            witnesses += found
            if is_given_away(target, least, most):
                return target
        targets.pop(0)
    return None


def _is_wide(target: Target, witnesses: Sequence[np.ndarray]) -> bool:
    """Whether sizes that were found possible already leave a target enough values."""
    places, factors = list(target.row), np.array(list(target.row.values()))
    values = [value for sizes in witnesses if (value := float(sizes[places] @ factors)) == value]
    return bool(values) and max(values) - min(values) >= SAFETY_RANGE - 1


def _next_to_withhold(system: System, told: Sequence[Told], kept: dict[int, bool], target: Target) -> int | None:
    """The first cell whose loss makes a target safe, else the one that helps most; None if all of them would not."""
    parts = {system.parts[place] for place in target.row}
    left = [at for at, tells in kept.items() if tells and _touches(system, system.rows[at], parts)]
    if not left or _is_given_away(system, told, {**kept, **dict.fromkeys(left, False)}, target):
        return None
    width: dict[int, float] = {}
    for place in sorted(left, key=lambda at: _worth(told[at].cell)):
        tried = {**kept, place: False}
        least, most, _ = bounds_of(system, _known(told, tried), target.row)
        if not is_given_away(target, least, most):
            return place
        width[place] = most - least
    return max(width, key=lambda place: width[place])


def _is_given_away(system: System, told: Sequence[Told], kept: dict[int, bool], target: Target) -> bool:
    least, most, _ = bounds_of(system, _known(told, kept), target.row)
    return is_given_away(target, least, most)


def _worth(cell: Cell) -> tuple[bool, bool, int]:
    """What is lost last: zeros, then the larger cells; of a chain the size of the study, then its last steps."""
    in_chain = cell.table in CHAIN
    return cell.count == 0, in_chain and cell.step_before is None, -cell.count if in_chain else cell.count
