"""A study of too few persons is told with the step that lost them, and without their number."""

import itertools
import re

import pytest

from parcours.cohort.enough import refuse_too_few
from parcours.errors import InputError


def chain(*persons: int) -> list[dict[str, object]]:
    lost = [0, *(before - after for before, after in itertools.pairwise(persons))]
    names = ["everybody", "aged 65 to 120", "women only", "alive in 2015", "with a fracture"]
    return [
        {"step": name, "description": name, "persons": left, "lost": gone}
        for name, left, gone in zip(names, persons, lost, strict=False)
    ]


@pytest.mark.parametrize("persons", [(5000, 4000, 40, 11), (11, 11), (12, 11, 11)])
def test_eleven_are_enough(persons: tuple[int, ...]) -> None:
    refuse_too_few("fall", chain(*persons))


@pytest.mark.parametrize(
    ("persons", "said"),
    [
        ((5000, 0), 'left with nobody, too few to report, by the step "aged 65 to 120"; change'),
        ((5000, 9), 'left with fewer than 11 persons, too few to report, by the step "aged 65 to 120"; change'),
        ((5000, 4000, 0, 0), 'left with nobody, too few to report, by the step "women only"; change'),
        # The step that the last persons went at is not the one that lost the most.
        (
            (5000, 40, 12, 7, 3),
            'by the step "alive in 2015", after "aged 65 to 120", which loses the most; change',
        ),
        ((0, 0, 0), "The data of study fall leave it with nobody, too few to report; publish"),
        ((8, 8, 7), "The data of study fall leave it with fewer than 11 persons, too few to report; publish"),
    ],
)
def test_fewer_are_told_with_the_step_that_lost_them(persons: tuple[int, ...], said: str) -> None:
    with pytest.raises(InputError) as refused:
        refuse_too_few("fall", chain(*persons))
    assert said in str(refused.value)
    numbers = {int(found) for found in re.findall(r"\d+", str(refused.value))} - {11, 65, 120, 2015}
    assert numbers == set()
