"""Late flux: care reaches the claims months after it was given, and which share of it a study cannot have seen yet.

The share is measured from the delivery itself by the chain ladder of insurers: of the care months that were followed
for k months or more, the ratio of what had arrived after k - 1 months to what had arrived after k. It needs no care
month that is complete, only that lags do not change much from one month to the next.
Source: T. Mack, Distribution-free calculation of the standard error of chain ladder reserve estimates, ASTIN Bulletin
23 (1993); the lags themselves: Santé publique France, "SNDS, ce qu'il faut savoir", 2020.
"""

from collections.abc import Collection, Iterable
from typing import Any

from parcours.cohort.months import add_months, month_name, month_number, months
from parcours.cohort.study import Population

# Care months with fewer lines tell nothing of lags; fewer care months than these give no ratio.
FEWEST_LINES, FEWEST_MONTHS = 11, 2


def periods_needed(population: Population) -> dict[str, list[str]]:
    """Flux months of DCIR and years of MCO that a study needs.

    Care enters a flux in the month after it at the earliest, so the first flux needed is the second month of the study;
    the last one is `late_flux_months` after the month of its end.
    """
    first = add_months(population.first_day.replace(day=1), 1)
    last = add_months(population.last_day.replace(day=1), population.late_flux_months)
    years = range(population.first_day.year, population.last_day.year + 1)
    return {"DCIR": months(first, last), "MCO": [str(year) for year in years]}


def arrived_by_lag(lines: Iterable[tuple[str, str, int]], flux_months: Collection[str]) -> list[float] | None:
    """The share of care that has arrived k months after it was given, by k = 0, 1, ..., until all has.

    `lines`: claim lines by (care month, flux month). Only the flux months that follow each other from the first one
    on are read. None when too few months follow each other to tell.
    """
    triangle = _triangle(lines, _consecutive(flux_months))
    longest = max((len(row) for row in triangle), default=0)
    shares = [1.0]
    for lag in range(longest - 1, 0, -1):
        followed = [row for row in triangle if len(row) > lag]
        before, after = (sum(sum(row[: lag + extra]) for row in followed) for extra in (0, 1))
        if len(followed) >= FEWEST_MONTHS:
            shares.append(shares[-1] * (before / after if after else 1.0))
    return shares[::-1] if len(shares) > 1 else None


def _triangle(lines: Iterable[tuple[str, str, int]], flux: list[str]) -> list[list[int]]:
    """Lines by lag, 0 to the last flux month, of each care month whose whole flux is there from its beginning."""
    place = {month: number for number, month in enumerate(flux)}
    rows: dict[str, list[int]] = {month: [0] * (len(flux) - number) for month, number in place.items()}
    for care, arrived, count in lines:
        if care in place and arrived in place and place[arrived] >= place[care]:
            rows[care][place[arrived] - place[care]] += count
    return [row for row in rows.values() if sum(row) >= FEWEST_LINES]


def _consecutive(flux_months: Collection[str]) -> list[str]:
    """The flux months from the first one up to the first gap."""
    found: list[str] = []
    for month in sorted(flux_months):
        if found and month != _later(found[-1], 1):
            break
        found.append(month)
    return found


def missing_care(
    population: Population, lines: Iterable[tuple[str, str, int]], flux_months: Collection[str]
) -> dict[str, Any]:
    """Which share of the care of a study is expected to be missing from these flux months.

    {measured, study, last_month, months: {care month: share}}: `study` as if each month had the same care. `measured`
    is False, and nothing else is told, when the delivery has too few months to know its lags.
    """
    arrived = arrived_by_lag(lines, flux_months)
    if arrived is None:
        return {"measured": False}
    steps = [share - before for before, share in zip([0.0, *arrived], arrived, strict=False)]
    published = set(flux_months)
    care_months = months(population.first_day, population.last_day)
    shares = {month: _missing(month, steps, published) for month in care_months}
    return {
        "measured": True,
        "study": round(sum(shares.values()) / len(shares), 4),
        "last_month": shares[care_months[-1]],
        "months": {month: share for month, share in shares.items() if share >= 0.001},
    }


def _missing(month: str, steps: list[float], published: set[str]) -> float:
    there = sum(step for lag, step in enumerate(steps) if _later(month, lag) in published)
    return round(max(0.0, 1.0 - there), 4)


def _later(month: str, by: int) -> str:
    return month_name(month_number(month) + by)
