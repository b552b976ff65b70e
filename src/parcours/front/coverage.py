"""The part of flattening on the front page: deliveries, products, and which months are there as a heat map."""

from html import escape

from parcours.front.addresses import FLATTEN
from parcours.front.deliveries import COMMITTED, MISSING, PUBLISHED, Delivered, Product
from parcours.front.parts import day, elsewhere, row, several, table
from parcours.front.study_part import Around, verdict_words

MARKS = {PUBLISHED: "published", COMMITTED: "committed", MISSING: "missing"}
MONTHS = [f"{month:02d}" for month in range(1, 13)]
SIDE, GAP = 11, 2
WIDTH = len(MONTHS) * (SIDE + GAP)
KEY = (
    (PUBLISHED, "published: studies read it"),
    (COMMITTED, "committed, the gate has not let it through"),
    (MISSING, "missing between the first and the last"),
)


def flattening_part(found: Delivered, around: Around) -> str:
    """What was delivered and flattened, as HTML."""
    start = elsewhere(around.addresses.dag(FLATTEN), "Flatten now", "in Airflow", around.framed)
    tables = [_products(found), *_coverage(found)] if found.products else ['<p class="quiet">No flat table yet.</p>']
    parts = [_facts(found, around), f'<p class="act">{start}</p>' if start else "", *tables]
    return f'<article aria-label="Flat tables">{"".join(parts)}</article>'


def _facts(found: Delivered, around: Around) -> str:
    folders = "<br>".join(f"{escape(folder)}, {day(when)}" for folder, when in found.folders.items())
    facts = [("Deliveries, last read", folders or "none"), ("Last verdict of the gate", verdict_words(found.verdict))]
    if found.refusal is not None and found.refusal != found.verdict:
        facts.append(("Last refusal", verdict_words(found.refusal)))
    facts.append(("Next run", around.airflow.next_run(FLATTEN, "by hand or by its trigger")))
    return f'<dl class="facts">{"".join(f"<div><dt>{name}</dt><dd>{words}</dd></div>" for name, words in facts)}</dl>'


def _products(found: Delivered) -> str:
    head = ("product", "first period", "last period", "periods", "state", "last flattened")
    return table("Flat products", head, [_product(product) for product in found.products], "products")


def _product(product: Product) -> str:
    periods = list(product.states)
    held = product.count(PUBLISHED) + product.count(COMMITTED)
    cells = (escape(periods[0]), escape(periods[-1]), str(held), _state(product), day(product.last))
    return row(escape(product.name), cells)


def _state(product: Product) -> str:
    waiting, missing = product.count(COMMITTED), product.count(MISSING)
    said = ["published"] if not waiting else [f"{waiting} not published"]
    return ", ".join(said + ([f"{missing} missing"] if missing else []))


def _coverage(found: Delivered) -> list[str]:
    """The heat map: a row a product, a column a year, a square a month."""
    dated = [product for product in found.products if product.years]
    years = sorted({year for product in dated for year in product.years})
    if not years:
        return []
    key = "".join(f'<li><span class="cell {MARKS[state]}"></span> {words}</li>' for state, words in KEY)
    rows = [row(escape(product.name), [_year(product, year) for year in years]) for product in dated]
    title = f'<h3>Coverage by month, {years[0]} to {years[-1]}</h3><ul class="key">{key}</ul>'
    return [title, table("Coverage by product and year", ("product", *years), rows, "coverage")]


def _year(product: Product, year: str) -> str:
    states = {period: state for period, state in product.states.items() if period[:4] == year}
    if not states:
        return '<span class="heard">nothing</span>'
    if not product.by_month:
        return _drawn(_square(0, WIDTH - GAP, states[year]), states[year])
    squares = [
        _square(place * (SIDE + GAP), SIDE, states[f"{year}-{month}"], f"{year}-{month}")
        for place, month in enumerate(MONTHS)
        if f"{year}-{month}" in states
    ]
    return _drawn("".join(squares), _in_words(states))


def _square(x: int, width: int, state: str, month: str = "") -> str:
    title = f"<title>{month}: {state}</title>" if month else ""
    return f'<rect class="{MARKS[state]}" x="{x + 0.5}" y="0.5" width="{width - 1}" height="{SIDE - 1}">{title}</rect>'


def _drawn(inner: str, told: str) -> str:
    size = f'viewBox="0 0 {WIDTH} {SIDE}" width="{WIDTH}" height="{SIDE}"'
    return f'<svg {size} role="img" aria-label="{escape(told)}" focusable="false">{inner}</svg>'


def _in_words(states: dict[str, str]) -> str:
    """`11 months published; missing: 03`."""
    said = [several(count, "month published", "months published")] if (count := _count(states, PUBLISHED)) else []
    for state in (COMMITTED, MISSING):
        months = [period[5:] for period, found in states.items() if found == state]
        said += [f"{state}: {', '.join(months)}"] if months else []
    return "; ".join(said)


def _count(states: dict[str, str], state: str) -> int:
    return sum(found == state for found in states.values())
