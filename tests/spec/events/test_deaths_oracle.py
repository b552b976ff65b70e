"""The deaths of many persons with random tellings, against plain Python that reads the rules anew."""

import datetime as dt
import random

import pyarrow as pa
import pytest

from parcours.events.deaths import decided, judged

PRECEDENCE = (
    "IR_BEN_R.BEN_DCD_DTE",
    "IR_BEN_R_ARC.BEN_DCD_DTE",
    "KI_CCI_R.BEN_DCD_DTE",
    "MCO_B.SOR_MOD",
    "SSR_B.SOR_MOD",
    "HAD_B.SOR_MOD",
    "RIP_RSA.SOR_MOD",
    "IR_BEN_R.BEN_DCD_AME",
    "IR_BEN_R_ARC.BEN_DCD_AME",
    "KI_CCI_R.BEN_DCD_AME",
)
DAY = dt.timedelta(days=1)
PERSONS = 1500


def telling(rng):
    source, first = rng.choice(PRECEDENCE), dt.date(2013, 12, 25) + rng.choice([1, 30, 800]) * rng.random() * DAY
    if not source.endswith("AME"):
        return source, first, first
    begin = first.replace(day=1)
    return source, begin, (begin + 31 * DAY).replace(day=1) - DAY


def world(seed):
    """{person: (birth, tellings, days of care)}"""
    rng = random.Random(seed)
    return {
        person: (
            rng.choice([None, dt.date(1930, 6, 15), dt.date(2014, 7, 15), dt.date(2015, 7, 15)]),
            [telling(rng) for _ in range(rng.randint(1, 4))],
            [dt.date(2014, 12, 1) + rng.randrange(900) * DAY for _ in range(rng.choice([0, 1, 2, 3]))],
        )
        for person in range(PERSONS)
    }


def death_of(birth, tellings, care):
    """(death, source, whether sources disagree), None for somebody who is not known to be dead."""
    stays = [first for source, first, _ in tellings if source.endswith("SOR_MOD")]

    def believed(source, last):
        born_later = birth is not None and last.year < birth.year
        died_later = source.endswith("SOR_MOD") and (max(stays) - last).days > 1
        lives_on = len({day for day in care if (day - last).days > 365}) >= 2
        return not (born_later or died_later or lives_on)

    credible = [(source, first, last) for source, first, last in tellings if believed(source, last)]
    if not credible:
        return None
    days = [first for source, first, _ in credible if not source.endswith("AME")]
    dating = [
        (first, PRECEDENCE.index(source))
        for source, first, last in credible
        if not source.endswith("AME") or not any(first <= day <= last for day in days)
    ]
    death, place = min(dating)
    one_day_of_all = max(first for _, first, _ in credible) <= min(last for _, _, last in credible) + DAY
    return death, PRECEDENCE[place], not one_day_of_all


def arrow(rows, **kinds):
    return pa.table(
        [pa.array(cells, kind) for cells, kind in zip(zip(*rows, strict=True), kinds.values(), strict=True)],
        names=list(kinds),
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_deaths_are_those_of_plain_python(seed):
    people = world(seed)
    told = [(person, *one) for person, (_, tellings, _) in people.items() for one in tellings]
    care = [(person, day) for person, (_, _, days) in people.items() for day in days]
    births = [(person, birth) for person, (birth, _, _) in people.items()]
    number, text, day = pa.int64(), pa.string(), pa.date32()
    found = decided(
        judged(
            arrow(told, person_id=number, source=text, first=day, last=day),
            arrow(births, person_id=number, birth=day),
            arrow(care, person_id=number, start=day),
        )
    )
    expected = {person: death_of(*facts) for person, facts in people.items()}
    assert {row["person_id"]: tuple(row.values())[1:] for row in found.to_pylist()} == {
        person: death for person, death in expected.items() if death
    }
    assert sum(death is None for death in expected.values()) > 100
    assert sum(bool(death and death[2]) for death in expected.values()) > 100
