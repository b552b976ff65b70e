"""What a study reads of what is published on a root, and the days that the words of its dates stand for there."""

from collections.abc import Mapping
from dataclasses import replace

from parcours.cohort.months import last_month
from parcours.cohort.relative_dates import RelativeDate, end_day, last_complete_month, start_day
from parcours.cohort.steps import required_products
from parcours.cohort.study import Study, checked_together
from parcours.errors import InputError

Published = Mapping[str, Mapping[str, str]]


def up_to(data: Published, month: str) -> dict[str, dict[str, str]]:
    """The periods that end with a month or before it, of the products that have any; all where no month is given.

    A year ends with its December. What has no date, as a referential, stays.
    """
    if not month:
        return {product: dict(periods) for product, periods in data.items()}
    kept = {
        product: {period: mark for period, mark in periods.items() if (last_month(period) or "") <= month}
        for product, periods in data.items()
    }
    return {product: periods for product, periods in kept.items() if periods}


def dated(study: Study, data: Published, root: str) -> Study:
    """The study with days in place of words; `data` is {product: {period: fingerprint}} of what is published.

    Raises InputError when too little is published, or when the days do not go together.
    """
    population = study.population
    if not population.words:
        return study
    if isinstance(population.study_end, RelativeDate):
        end = end_day(population.study_end, _last_complete(study, data, root))
        population = replace(population, study_end=end)
    if isinstance(population.study_start, RelativeDate):
        population = replace(population, study_start=start_day(population.study_start, population.last_day))
    return checked_together(replace(study, population=population), f"Study {study.cohort}")


def _last_complete(study: Study, data: Published, root: str) -> str:
    """The last complete month of care. The hospital years bound it where the study cannot do without them."""
    needs_stays = "MCO" in required_products(study)
    flux, years = data.get("DCIR", {}), data.get("MCO", {}) if needs_stays else None
    found = last_complete_month(flux, years, study.population.late_flux_months)
    if found is None:
        after = f"with the flux of {study.population.late_flux_months} months after it"
        stays = f" and the hospital stays of its year (MCO {_told(data.get('MCO', {}))})" if needs_stays else ""
        raise InputError(
            f"Study {study.cohort} ends with the {study.population.study_end}, but no month of care is complete in "
            f"{root}, {after} (DCIR {_told(flux)}){stays}: flatten and check more data, or give study_end as a date."
        )
    return found


def _told(periods: Mapping[str, str]) -> str:
    return f"from {min(periods)} to {max(periods)}" if periods else "nothing"
