"""Cases that two runs share: each part may give another back."""

import pytest

from parcours.comparison.counts import SharedCases, shared_cases

H = "hidden"


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
