"""Small-cell suppression of tables with margins: nothing published gives a small count back.

Two kinds of cells are withheld. A *small* cell (1 to 10) shows `<11`. A *secondary* cell is larger, shows `hidden`, and
is withheld because a margin minus its neighbours would give a small cell back. Zero is never withheld: nobody is in it.

An attacker is taken to know this rule: a small cell lies in 1..10, a secondary one is 11 or more. A table is safe when,
knowing that and every published number, each small cell can still take ten values, as many as `<11` leaves; where no
table is, as where the total is small itself, all that is above zero is withheld.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from parcours.leaving import SAFETY_RANGE, THRESHOLD, Published, is_small, shown_mark


def shown(count: Published) -> str:
    """A count that may leave as people read it: with thousands separators."""
    return f"{count:,}" if isinstance(count, int) else count


def publish_column(counts: Sequence[int]) -> tuple[list[Published], Published]:
    """The cells of a column and their total, as they may leave together."""
    places = range(len(counts))
    marked = _publish([*counts, sum(counts)], [{**dict.fromkeys(places, 1), len(counts): -1}])
    return marked[:-1], marked[-1]


@dataclass(frozen=True)
class PublishedTable:
    """A table of counts with its margins, as they may leave together."""

    cells: list[list[Published]]
    row_totals: list[Published]
    column_totals: list[Published]
    total: Published


def publish_table(counts: Sequence[Sequence[int]]) -> PublishedTable:
    """Suppress a table of additive counts (rows x columns) whose row, column and grand totals are published too.

    Withholds secondary cells, the smallest first, until what remains leaves ten values to each small cell.
    """
    grid = _with_margins(counts)
    height, width = len(grid), len(grid[0])
    values = [value for row in grid for value in row]
    marked = _publish(values, _margin_equations(height, width))
    rows = [marked[start : start + width] for start in range(0, len(marked), width)]
    return PublishedTable(
        cells=[row[:-1] for row in rows[:-1]],
        row_totals=[row[-1] for row in rows[:-1]],
        column_totals=rows[-1][:-1],
        total=rows[-1][-1],
    )


def _publish(values: Sequence[int], equations: list[dict[int, int]]) -> list[Published]:
    hidden = _protect(values, equations)
    return [shown_mark(value) if place in hidden else value for place, value in enumerate(values)]


def _with_margins(counts: Sequence[Sequence[int]]) -> list[list[int]]:
    rows = [[*row, sum(row)] for row in counts]
    return [*rows, [sum(column) for column in zip(*rows, strict=True)]]


def _margin_equations(height: int, width: int) -> list[dict[int, int]]:
    """Each row and each column sums to its last cell: place -> coefficient, equal to zero."""
    rows = [range(row * width, (row + 1) * width) for row in range(height)]
    columns = [range(column, height * width, width) for column in range(width)]
    return [{place: -1 if place == line[-1] else 1 for place in line} for line in (*rows, *columns)]


def _protect(values: Sequence[int], equations: list[dict[int, int]]) -> set[int]:
    """Places to withhold so that every small cell keeps ten possible values, or all above zero if none do."""
    small = {place for place, value in enumerate(values) if is_small(value)}
    hidden = set(small)
    while (exposed := _first_bounded(small, hidden, values, equations)) is not None:
        following = _next_to_hide(exposed, hidden, values, equations)
        if following is None:
            break
        hidden.add(following)
    return hidden


def _next_to_hide(exposed: int, hidden: set[int], values: Sequence[int], equations: list[dict[int, int]]) -> int | None:
    """The smallest published cell in an equation of the exposed cell, else of any withheld cell, if there is one."""
    for withheld in ({exposed}, hidden):
        neighbours = {place for line in equations if withheld & line.keys() for place in line} - hidden
        candidates = [place for place in neighbours if values[place] >= THRESHOLD]
        if candidates:
            return min(candidates, key=lambda place: (values[place], place))
    return None


def _first_bounded(
    small: Iterable[int], hidden: set[int], values: Sequence[int], equations: list[dict[int, int]]
) -> int | None:
    """A small cell to which what is published leaves fewer than ten values, by a linear programme of the withheld.

    The margin equations form a transportation problem with integer bounds, so its extremes are whole numbers and the
    linear bounds are the exact ones.
    """
    import numpy as np
    from scipy.optimize import linprog

    unknown = sorted(hidden)
    lines = [line for line in equations if hidden & line.keys()]
    matrix = np.array([[line.get(place, 0) for place in unknown] for line in lines], dtype=float)
    known = [-sum(c * values[p] for p, c in line.items() if p not in hidden) for line in lines]
    bounds = [(1, THRESHOLD - 1) if is_small(values[place]) else (THRESHOLD, None) for place in unknown]
    for place in sorted(small):
        goal = np.array([float(place == other) for other in unknown])
        lowest = linprog(goal, A_eq=matrix, b_eq=known, bounds=bounds)
        highest = linprog(-goal, A_eq=matrix, b_eq=known, bounds=bounds)
        if not (lowest.success and highest.success):
            raise AssertionError("the true table must be feasible")
        if -highest.fun - lowest.fun < SAFETY_RANGE - 1.5:
            return place
    return None
