"""What a reader of all that left can work out: the least and the most that a number of persons can be.

The persons are cut into the smallest sets that the definitions tell apart (an age range, a sex, a band, of one source).
How many are in each is unknown and not negative; each published cell is a sum of them, and the definitions say which
sums are parts of others. Bounds are those of a linear programme. Of nested ages and of bands its matrix has consecutive
ones in each row, so its extremes are whole numbers and the bounds exact.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, product
from math import ceil, floor, inf
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from parcours.leaving import SAFETY_RANGE, THRESHOLD, is_small
from parcours.release.cells import Cell, Span, Told

Row = dict[int, float]
Atom = tuple[str, Span | None, int, Span | None]
Line = tuple[Row, float, float]
Known = Sequence[tuple[float, float]]

UNBOUNDED, INFEASIBLE = 3, 2
NEARLY = 1e-6


@dataclass(frozen=True)
class Target:
    """A number of persons that must not be given away: a sum of smallest sets, and its true value where it is known."""

    row: Row
    count: int | None


def is_given_away(target: Target, least: float, most: float) -> bool:
    """Whether bounds give a target away: it is 1 to 10, and fewer than ten values are left to it.

    Of a set whose true size the ledger does not tell, when the bounds say by themselves that it is small.
    """
    if most - least >= SAFETY_RANGE - 1:
        return False
    return 1 <= most < THRESHOLD if target.count is None else is_small(abs(target.count))


@dataclass
class Cuts:
    """Where the ages, the sexes and the bands of some cells are cut."""

    ages: list[Span]
    sexes: list[tuple[int, ...]]
    bands: dict[str, list[Span]]

    def of(self, cell: Cell) -> Iterator[tuple[Span | None, int, Span | None]]:
        """The smallest parts of a cell: age range, number of the sex, band."""
        if cell.ages is None:
            yield None, 0, None
            return
        ages = [span for span in self.ages if cell.ages[0] <= span[0] and span[1] <= cell.ages[1]]
        sexes = [place for place, sex in enumerate(self.sexes) if set(sex) <= set(cell.sexes)]
        bands: list[Span | None] = [None]
        if cell.band is not None:
            low, high = cell.band
            bands = [span for span in self.bands[cell.table] if low <= span[0] and span[1] <= high]
        yield from product(ages, sexes, bands)


def cuts_of(cells: Sequence[Cell]) -> Cuts:
    """The cuts that all these cells need."""
    bands: dict[str, list[Span]] = defaultdict(list)
    for cell in cells:
        if cell.band is not None:
            bands[cell.table].append(cell.band)
    alone = any(len(cell.sexes) == 1 for cell in cells)
    return Cuts(
        ages=_spans(cell.ages for cell in cells if cell.ages is not None),
        sexes=[(1,), (2,)] if alone else [(1, 2)],
        bands={table: _spans(spans) for table, spans in bands.items()},
    )


def _spans(given: Iterable[Span]) -> list[Span]:
    edges = sorted({edge for low, high in given for edge in (low, high + 1)})
    return [(low, high - 1) for low, high in pairwise(edges)]


@dataclass
class System:
    """The unknown sizes of the smallest sets, and what is known of them whatever was published.

    `rows` has one line a cell of `told`, in its order; `lines` are (row, least, most).
    """

    told: Sequence[Told]
    atoms: dict[Atom, int] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    parts: list[int] = field(default_factory=list)
    blocks: dict[frozenset[int], Any] = field(default_factory=dict)

    def place(self, atom: Atom) -> int:
        """The number of a smallest set."""
        return self.atoms.setdefault(atom, len(self.atoms))


def system_of(told: Sequence[Told]) -> System:
    """The sets behind some cells; those of one release and table are all given, or none."""
    system, cuts = System(told), cuts_of([each.cell for each in told])
    steps = {(each.release, each.cell.label): each.cell for each in told if each.cell.step_before is None}
    for each in told:
        cell = each.cell
        if cell.step_before is None:
            system.rows.append(_sum(system, cuts, cell))
        else:
            before = _sum(system, cuts, steps[each.release, cell.step_before])
            system.rows.append(minus(before, _sum(system, cuts, steps[each.release, cell.label])))
    _add_up(system, cuts)
    _lie_within(system)
    system.parts = _parts(system)
    return system


def _sum(system: System, cuts: Cuts, cell: Cell) -> Row:
    return {system.place((cell.source, *atom)): 1.0 for atom in cuts.of(cell)}


def minus(row: Row, other: Row) -> Row:
    """The difference of two rows, without what cancels."""
    places = {place: row.get(place, 0.0) - other.get(place, 0.0) for place in row.keys() | other.keys()}
    return {place: value for place, value in places.items() if value}


def _add_up(system: System, cuts: Cuts) -> None:
    """Tables that add up: each smallest set of the total is shared out, and what a release does not list is empty."""
    tables: dict[tuple[str, str], list[Told]] = defaultdict(list)
    for each in system.told:
        if each.cell.adds_up and each.cell.within is not None:
            tables[each.cell.table, each.cell.within].append(each)
    for (_, whole), cells in tables.items():
        groups = {(each.cell.source, band) for each in cells for _, _, band in cuts.of(each.cell)}
        boxes = {atom[:2] for each in cells for atom in cuts.of(each.cell)}
        for box in boxes:
            parts = {system.place((source, *box, band)): 1.0 for source, band in groups}
            total = {system.place((whole, *box, None)): 1.0}
            system.lines.append((minus(parts, total), 0, 0))
        _unlisted_are_empty(system, cuts, cells, groups)
        _nobody_grows_younger(system, cells)


def _unlisted_are_empty(system: System, cuts: Cuts, cells: list[Told], groups: set[tuple[str, Span | None]]) -> None:
    for release in {each.release for each in cells}:
        own = [each.cell for each in cells if each.release == release]
        boxes = {atom[:2] for cell in own for atom in cuts.of(cell)}
        listed = {(cell.source, band) for cell in own for _, _, band in cuts.of(cell)}
        empty = {system.place((source, *box, band)): 1.0 for source, band in groups - listed for box in boxes}
        if empty:
            system.lines.append((empty, 0, 0))


def _nobody_grows_younger(system: System, cells: list[Told]) -> None:
    """At an event a person is as old as at study start, or older by the years of the study; give or take a birthday."""
    years = {each.cell.source: each.cell.years for each in cells if each.cell.years is not None}
    empty = {
        place: 1.0
        for (source, ages, _, band), place in system.atoms.items()
        if source in years and ages and band and (band[1] < ages[0] - 1 or band[0] > ages[1] + years[source] + 1)
    }
    if empty:
        system.lines.append((empty, 0, 0))


def _lie_within(system: System) -> None:
    """A part is no larger than what holds it, in each smallest set that both are cut into."""
    held = {each.cell.source: each.cell.within for each in system.told if not each.cell.adds_up and each.cell.within}
    for source, whole in held.items():
        boxes: dict[tuple[Any, ...], Row] = defaultdict(dict)
        for atom, place in list(system.atoms.items()):
            if atom[0] == source:
                box = atom[1:3] if (whole, *atom[1:3], None) in system.atoms else (None, 0)
                boxes[box][place] = 1.0
        for box, row in boxes.items():
            above = system.atoms.get((whole, *box, None))
            if above is not None:
                system.lines.append((minus(row, {above: 1.0}), -inf, 0))


def _parts(system: System) -> list[int]:
    """The part of the system that each smallest set belongs to: parts tell nothing of each other."""
    linked = [row for row in (*system.rows, *(line[0] for line in system.lines)) if row]
    pairs = [(min(row), place) for row in linked for place in row]
    size = len(system.atoms)
    ones = np.ones(len(pairs))
    first, second = np.array(pairs, dtype=int).reshape(-1, 2).T
    return list(connected_components(csr_array((ones, (first, second)), shape=(size, size)), directed=False)[1])


class Contradiction(Exception):
    """No persons could give the counts that left: a count is not of the set that its cell says."""


def bounds_of(system: System, known: Known, row: Row) -> tuple[float, float, list[np.ndarray]]:
    """The least and the most of a sum of smallest sets, from what is known of each cell, and sizes that reach them.

    `known` has the least and the most of each cell of `told`, in its order. Raises Contradiction where no sizes agree
    with what was published.
    """
    block = _block(system, frozenset(system.parts[place] for place in row))
    goal = np.zeros(len(system.atoms))
    goal[list(row)] = list(row.values())
    goal = goal[block.columns]
    least, most = [known[place][0] for place in block.cells], [known[place][1] for place in block.cells]
    lines = LinearConstraint(block.matrix, [*block.least, *least], [*block.most, *most])
    found, ends = [], []
    for sign in (1, -1):
        result = milp(sign * goal, constraints=lines, bounds=Bounds(0, inf))
        if result.status == INFEASIBLE:
            raise Contradiction
        ends.append(sign * (result.fun if result.status != UNBOUNDED else -inf))
        if result.x is not None:
            sizes = np.full(len(system.atoms), np.nan)  # nothing is said of other parts
            sizes[block.columns] = result.x
            found.append(sizes)
    least_whole = ceil(ends[0] - NEARLY) if ends[0] > -inf else -inf
    return least_whole, floor(ends[1] + NEARLY) if ends[1] < inf else inf, found


@dataclass(frozen=True)
class Block:
    """The lines of some parts of a system, and their columns."""

    columns: np.ndarray
    matrix: csr_array
    least: list[float]
    most: list[float]
    cells: list[int]


def _block(system: System, parts: frozenset[int]) -> Block:
    if parts not in system.blocks:
        system.blocks[parts] = _cut_out(system, parts)
    made: Block = system.blocks[parts]
    return made


def _cut_out(system: System, parts: frozenset[int]) -> Block:
    columns = np.flatnonzero(np.isin(system.parts, list(parts)))
    numbered = {int(place): number for number, place in enumerate(columns)}
    lines = [line for line in system.lines if _touches(line[0], numbered)]
    cells = [place for place, row in enumerate(system.rows) if _touches(row, numbered)]
    rows = [*(line[0] for line in lines), *(system.rows[place] for place in cells)]
    entries = [(at, numbered[place], value) for at, row in enumerate(rows) for place, value in row.items()]
    at, column, values = (np.array(each) for each in zip(*entries, strict=True))
    matrix = csr_array((values, (at, column)), shape=(len(rows), len(columns)))
    return Block(columns, matrix, [line[1] for line in lines], [line[2] for line in lines], cells)


def _touches(row: Row, numbered: Mapping[int, int]) -> bool:
    return next(iter(row), None) in numbered
