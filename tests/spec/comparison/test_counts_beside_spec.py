"""Counts of two runs side by side: what the difference of two of them would tell is not told."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parcours.comparison.compare import compare
from parcours.comparison.counts import SharedCases, lost_between, shared_cases, told_beside
from parcours.leaving import is_small
from tests.spec.comparison.reports import PEAKS, STEPS, another, finished

H = "hidden"


@pytest.mark.parametrize(
    ("earlier", "later", "told"),
    [
        # persons of the earlier run, of the later one, the later ones as told
        ([9000, 5000, 800], [9000, 3000, 600], [9000, 3000, 600]),
        ([9000, 5000, 800], [9000, 4995, 795], [9000, H, H]),  # 5 persons fewer
        ([9000, 5000, 800], [9000, 4989, 789], [9000, 4989, 789]),  # 11 fewer
        ([9000, 5000, 800], [9000, 4900, 705], [9000, H, 705]),  # 95 and 100 fewer: 5 of them are no cases
        ([9000, 5000, 800], [9000, 803, 600], [9000, H, 600]),  # 3 beside another step
        ([9000, H, 800], [9000, 3000, 600], [9000, 3000, 600]),
        ([9000, 5000, 800], [9000, H, "<11"], [9000, H, "<11"]),
        ([9000, None, 800], [9000, 3000, 600], [9000, 3000, 600]),  # a step that only one run has
        ([9000, 5000, 800], [9000, None, 600], [9000, None, 600]),
    ],
)
def test_a_later_count_is_withheld_where_it_would_give_few_persons_back(earlier, later, told):
    assert told_beside(later, earlier) == told


@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.integers(11, 300), st.integers(11, 300)), min_size=1, max_size=8))
def test_no_difference_of_what_is_told_is_small(counts):
    earlier, later = [one for one, _ in counts], [other for _, other in counts]
    told = told_beside(later, earlier)
    shown = [(theirs, ours) for theirs, ours in zip(earlier, told, strict=True) if isinstance(ours, int)]
    gaps = [theirs - ours for theirs, ours in shown]
    assert not any(is_small(abs(ours - theirs)) for _, ours in shown for theirs in earlier)
    assert not any(is_small(abs(gap - other)) for gap in gaps for other in gaps)


def test_who_was_left_out_is_told_between_two_told_steps_only():
    assert lost_between([9000, 3000, H, 600], [0, 6000, 2000, 400]) == [0, 6000, H, H]
    assert lost_between([9000, H], [0, "<11"]) == [0, "<11"]


@pytest.mark.parametrize(
    ("both", "gained", "lost", "told"),
    [
        (500, 0, 200, SharedCases(500, 0, 200)),
        (500, 40, 200, SharedCases(500, 40, 200)),
        (500, 4, 200, SharedCases(H, "<11", H)),  # 504 and 700 cases are told: either part gives the other back
        (500, 0, 4, SharedCases(H, 0, "<11")),
        (4, 100, 100, SharedCases("<11", H, H)),
        (0, 100, 100, SharedCases(0, 100, 100)),
    ],
)
def test_shared_cases(both, gained, lost, told):
    earlier, later = range(both + lost), [*range(both), *range(1000, 1000 + gained)]
    assert shared_cases(earlier, later, len(earlier), len(later)) == told


def test_no_part_is_told_of_a_total_that_is_withheld():
    assert shared_cases(range(100), range(50, 155), 100, H) == SharedCases(H, H, H)


def test_exposed_cases_are_withheld_when_few_cases_tell_the_runs_apart(tmp_path):
    def with_exposed(*exposed):
        return [(*peak[:2], count, *peak[3:]) for peak, count in zip(PEAKS, exposed, strict=True)]

    # 121 cases fewer. Zolpidem: 5 exposed fewer. Alprazolam: 116 exposed fewer, so 5 fewer not exposed.
    steps = [*STEPS[:-1], ("with a fracture", 1200)]
    earlier = finished(tmp_path / "a", peaks=with_exposed(400, 300))
    later = finished(tmp_path / "b", another(), steps=steps, peaks=with_exposed(395, 184))
    assert {pair.name: pair.exposed for pair in compare(earlier, later).medicines} == {
        "Zolpidem": (400, H), "Alprazolam": (300, H),
    }  # fmt: skip
