"""No suppressed cell can be recomputed: all tables that agree with what was published, counted one by one."""

import itertools

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from parcours.leaving import HIDDEN, SMALL, shown_chain
from parcours.reporting.suppression import publish_column, publish_table

counts = st.integers(0, 40) | st.sampled_from([1, 10, 11])
# Bigger than any value drawn, so that the enumeration below reaches every table an attacker would think of.
CEILING = 90


def candidates(shown):
    """What an attacker thinks a published cell can be."""
    if shown == SMALL:
        return range(1, 11)
    return range(11, CEILING) if shown == HIDDEN else [shown]


def agrees(shown, value):
    return value >= 11 if shown == HIDDEN else value in candidates(shown)


@settings(max_examples=150, deadline=None)
@given(st.lists(counts, min_size=1, max_size=4))
def test_a_column_with_its_total_leaves_ten_values_to_every_small_cell(column):
    cells, total = publish_column(column)
    assume(isinstance(total, int))  # else no cell of it is told
    assume(cells.count(HIDDEN) <= 2)
    *most, last = [candidates(cell) for cell in cells]
    possible = [set() for _ in cells]
    for guess in itertools.product(*most):
        # Where the total is known the last cell follows from it, else any of its candidates will do.
        remainders = last if isinstance(total, str) else [total - sum(guess)]
        for value in remainders:
            if agrees(cells[-1], value) and agrees(total, sum(guess) + value):
                for seen, known in zip(possible, (*guess, value), strict=True):
                    seen.add(known)
    for shown, seen, true in zip(cells, possible, column, strict=True):
        assert true in seen
        assert shown != SMALL or len(seen) >= 10


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(counts, min_size=3, max_size=3), min_size=2, max_size=3))
def test_a_table_shows_no_small_count_and_only_true_numbers(counts):
    table = publish_table(counts)
    shown = [*itertools.chain(*table.cells), *table.row_totals, *table.column_totals, table.total]
    sums = [sum(row) for row in counts], [sum(column) for column in zip(*counts, strict=True)]
    true = [*itertools.chain(*counts), *sums[0], *sums[1], sum(sums[0])]
    for cell, value in zip(shown, true, strict=True):
        assert cell == value or isinstance(cell, str)
        assert (cell == SMALL) == (1 <= value <= 10)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(counts, min_size=2, max_size=2), min_size=2, max_size=2))
def test_a_two_by_two_table_leaves_two_values_to_every_small_cell(counts):
    table = publish_table(counts)
    cells = list(itertools.chain(*table.cells))
    true = tuple(itertools.chain(*counts))
    assert list(two_by_two_tables(table, [[value] for value in true])) == [true]
    for place, shown in enumerate(cells):
        if shown == SMALL:
            values = (guess[place] for guess in two_by_two_tables(table, [candidates(cell) for cell in cells]))
            first = next(values)
            assert any(value != first for value in values)


def two_by_two_tables(table, guesses):
    """Tables of four counts, of these guesses, that agree with the published cells and margins."""
    (_, b_shown), (c_shown, d_shown) = table.cells
    a_guesses, b_guesses, c_guesses, d_guesses = guesses
    for a in a_guesses:
        for b in rest(b_guesses, b_shown, table.row_totals[0], a):
            for c in rest(c_guesses, c_shown, table.column_totals[0], a):
                for d in rest(d_guesses, d_shown, table.row_totals[1], c):
                    if agrees(table.column_totals[1], b + d) and agrees(table.total, a + b + c + d):
                        yield a, b, c, d


def rest(guesses, shown, total, other):
    """Guesses of a cell that add up with the other one to the published total."""
    fitting = [total - other] if isinstance(total, int) else guesses
    return [value for value in fitting if agrees(shown, value) and agrees(total, other + value)]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=6), st.integers(0, 200))
def test_no_difference_of_two_published_attrition_counts_is_small(losses, size):
    persons = [size + sum(losses[step:]) for step in range(len(losses) + 1)]
    left, lost = shown_chain(persons)
    numbers = [count for count in left if isinstance(count, int)]
    assert not any(1 <= abs(a - b) <= 10 for a, b in itertools.combinations(numbers, 2))
    assert not any(1 <= count <= 10 for count in (*numbers, *(loss for loss in lost if isinstance(loss, int))))
    true_lost = [0, *(a - b for a, b in itertools.pairwise(persons))]
    assert all(agrees(shown, true) for shown, true in zip((*left, *lost), (*persons, *true_lost), strict=True))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 25), min_size=2, max_size=3), st.integers(11, 60))
def test_the_losses_between_two_published_steps_keep_ten_values_each(losses, size):
    persons = [size + sum(losses[step:]) for step in range(len(losses) + 1)]
    left, lost = shown_chain(persons)
    known = [step for step, count in enumerate(left) if isinstance(count, int)]
    for start, end in itertools.pairwise(known):
        shown = lost[start + 1 : end + 1]
        total = persons[start] - persons[end]
        fits = [guess for guess in itertools.product(*map(candidates, shown)) if sum(guess) == total]
        for place, cell in enumerate(shown):
            assert cell != SMALL or len({guess[place] for guess in fits}) >= 10
