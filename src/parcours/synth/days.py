"""Days as integers since 1970-01-01, and their texts as one shared dictionary."""

import datetime as dt
from dataclasses import dataclass

import numpy as np

YEAR = 365.25
FAR = 2_000_000  # a day that never comes


def day_of(year: int, month: int = 1, day: int = 1) -> int:
    """Integer day of a calendar date."""
    return (dt.date(year, month, day) - dt.date(1970, 1, 1)).days


def month_index(day: np.ndarray) -> np.ndarray:
    """Months since 1970-01 of integer days."""
    return day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def month_start(month: np.ndarray) -> np.ndarray:
    """First day of months counted since 1970-01."""
    return np.asarray(month).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


@dataclass(frozen=True)
class Calendar:
    """The years of care of a delivery and the flux months that carry them."""

    first: int
    last: int
    first_flux: int
    last_flux: int

    @property
    def years(self) -> float:
        """Length of the care period in years."""
        return (self.last - self.first + 1) / YEAR

    @property
    def flux_months(self) -> range:
        """Flux months delivered, as months since 1970-01."""
        return range(self.first_flux, self.last_flux + 1)


def calendar(years: tuple[int, int], months_after: int) -> Calendar:
    """Calendar of a delivery: flux starts the month after the first care month."""
    first_flux = (years[0] - 1970) * 12 + 1
    last_flux = (years[1] - 1970) * 12 + 11 + months_after
    return Calendar(day_of(years[0]), day_of(years[1] + 1) - 1, first_flux, last_flux)


def day_texts_in_forms(day: np.ndarray) -> dict[str, np.ndarray]:
    """Texts of days in the forms that hospital files have: iso, compact (DDMMYYYY), year_month, month_year, ..."""
    iso = day.astype("datetime64[D]").astype("U10").astype(object)
    forms = {
        "compact": [text[8:10] + text[5:7] + text[:4] for text in iso],
        "year_month": [text[:4] + text[5:7] for text in iso],
        "month_year": [text[5:7] + text[:4] for text in iso],
        "year": [text[:4] for text in iso],
        "month": [text[5:7] for text in iso],
    }
    return {"iso": iso, **{name: np.array(values, object) for name, values in forms.items()}}
