"""Which products and periods are asked for, and what a delivery holds of them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from parcours.errors import InputError
from parcours.snds.contracts import Product, load_product, product_names
from parcours.snds.delivery import Delivery

if TYPE_CHECKING:
    from parcours.flatten.scan import Scan

WHOLE = "all"  # the only period of a reference table
UNKNOWN = "unknown"  # that of rows whose own cannot be read
PERIOD = re.compile(r"\d{4}(-(0[1-9]|1[0-2]))?")
OTHER_FORMS = (
    re.compile(r"(?P<year>\d{4})[-/. ]?(?P<month>\d{1,2})"),
    re.compile(r"(?P<month>\d{1,2})[-/. ](?P<year>\d{4})"),
)


@dataclass(frozen=True)
class Selection:
    """Which products and periods are asked for; None is all that the delivery holds.

    A year asks for its twelve months where the periods of a product are months. `unknown` asks for the rows whose
    period cannot be read, and for no other. Raises InputError when a period is written in another way.
    """

    products: list[str] | None = None
    periods: list[str] | None = None
    years: list[int] | None = None

    def __post_init__(self) -> None:
        for asked in self.periods or ():
            if asked != UNKNOWN and not PERIOD.fullmatch(asked):
                month = _meant(asked)
                raise InputError(f'There is no period "{asked}"; write a month as {month}, or a year as {month[:4]}.')

    @property
    def name(self) -> str:
        """`flatten DCIR 2014`: how a job of this selection is called."""
        return " ".join(["flatten", *(self.products or ()), *(str(year) for year in self.years or self.periods or ())])

    def wants(self, period: str) -> bool:
        """Whether a period is asked for; rows of unknown period and references belong to every selection."""
        if period in (WHOLE, UNKNOWN):
            return True
        named = self.periods is None or any(_covers(asked, period) for asked in self.periods)
        return named and (self.years is None or int(period[:4]) in self.years)


def selected_products(delivery: Delivery, selection: Selection) -> list[Product]:
    """Products to flatten, references first.

    Raises InputError when a product is unknown or the delivery has no file of its main table.
    """
    names = selection.products
    if names is None:
        names = [name for name in product_names() if delivery.files_of(load_product(name).main)]
    products = [load_product(name) for name in dict.fromkeys(names)]
    for product in products:
        if not delivery.files_of(product.main):
            raise InputError(f"{delivery.folder}: no file of {product.main}, the main table of {product.name}.")
    if not products:
        raise InputError(f"{delivery.folder}: no main table of any product; known are {', '.join(product_names())}.")
    return sorted(products, key=lambda product: (product.form != "reference", product.name))


def held_periods(products: Sequence[Product], scans: Sequence["Scan"]) -> dict[str, list[str]]:
    """The periods that a delivery holds of each product, references left out."""
    return {
        product.name: sorted({period for scan in scans if scan.table in product.tables for period in scan.periods})
        for product in products
        if product.period_step != WHOLE
    }


def unmatched(selection: Selection, held: Mapping[str, Sequence[str]]) -> list[str]:
    """A sentence for each product of which an asked period matches nothing; `held` are the periods of each product.

    Raises InputError when a period matches nothing of any product.
    """
    sentences = []
    for asked in dict.fromkeys(selection.periods or ()):
        without = [name for name, periods in held.items() if not any(_covers(asked, period) for period in periods)]
        if asked != UNKNOWN and len(without) == len(held):
            raise InputError(f"No row of period {asked} was delivered; ask for what is there: {_told(held)}.")
        if asked != UNKNOWN:
            sentences += [f"Nothing of {name} is in period {asked}: {_told({name: held[name]})}." for name in without]
    return sentences


def _covers(asked: str, period: str) -> bool:
    return period == asked or period.startswith(f"{asked}-")


def _meant(asked: str) -> str:
    """The month that 201401, 2014-1 or 01/2014 stand for; an example when it is none."""
    for form in OTHER_FORMS:
        found = form.fullmatch(asked.strip())
        if found and 1 <= int(found["month"]) <= 12:
            return f"{found['year']}-{int(found['month']):02d}"
    return "2016-01"


def _told(held: Mapping[str, Sequence[str]]) -> str:
    """`DCIR holds 2014-01 to 2014-12, MCO holds 2014`, without the periods between."""
    told = []
    for name, periods in held.items():
        known = [period for period in periods if period != UNKNOWN]
        span = f"{known[0]} to {known[-1]}" if len(known) > 1 else "".join(known) or "no period that can be read"
        told.append(f"{name} holds {span}")
    return ", ".join(told) or "reference tables, which have no periods"
