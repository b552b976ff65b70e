"""The flat tables as the root tells them: which periods of which products are there, and what the gate let through."""

import posixpath
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from parcours.front.pages import Pages, Remembered, read_json
from parcours.front.runs import Verdict, verdict_in

PUBLISHED, COMMITTED, MISSING = "published", "committed, not published", "missing"
MONTH = re.compile(r"\d{4}-\d\d")
YEAR = re.compile(r"\d{4}")
# On HDFS each manifest is a request of its own.
AT_ONCE = 16


@dataclass(frozen=True)
class Period:
    """One committed period: the state of its data, when it was written, and from which folders of raw files."""

    product: str
    period: str
    fingerprint: str
    ended: str
    folders: tuple[str, ...]
    synthetic: bool


@dataclass(frozen=True)
class Product:
    """A flat product: the state of each of its periods, and of those that lie between and are missing."""

    name: str
    states: dict[str, str]
    last: str

    @property
    def years(self) -> list[str]:
        """The years that its periods name, none for a reference."""
        return sorted({period[:4] for period in self.states if YEAR.match(period)})

    @property
    def by_month(self) -> bool:
        """Whether its periods are months."""
        return any(MONTH.fullmatch(period) for period in self.states)

    def count(self, state: str) -> int:
        """How many periods are in a state."""
        return sum(found == state for found in self.states.values())


@dataclass(frozen=True)
class Delivered:
    """What was flattened: products, the folders it came from with their last use, and the gate's verdicts."""

    products: tuple[Product, ...]
    folders: dict[str, str]
    synthetic: bool
    verdict: Verdict | None
    refusal: Verdict | None


def delivered(remembered: Remembered) -> Delivered:
    """What the root holds of flat tables, now."""
    periods = _periods(remembered)
    products: dict[str, list[Period]] = {}
    for period in periods:
        products.setdefault(period.product, []).append(period)
    verdicts = sorted(_verdicts(remembered), key=lambda verdict: verdict.when)
    folders: dict[str, str] = {}
    for period in periods:
        for folder in period.folders:
            folders[folder] = max(folders.get(folder, ""), period.ended)
    return Delivered(
        products=tuple(_product(name, held, _published(remembered, name)) for name, held in sorted(products.items())),
        folders=dict(sorted(folders.items(), key=lambda found: found[1], reverse=True)),
        synthetic=any(period.synthetic for period in periods),
        verdict=verdicts[-1] if verdicts else None,
        refusal=next((verdict for verdict in reversed(verdicts) if not verdict.passed), None),
    )


def _periods(remembered: Remembered) -> list[Period]:
    folders = remembered.pages.find("flat/*/period=*")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda item: remembered.of("period", item[0], item[1], _period), sorted(folders.items())))
    return [period for period in found if period is not None]


def _period(pages: Pages, folder: str) -> Period | None:
    manifest = read_json(pages, f"{folder}/_MANIFEST.json")
    if manifest is None:
        return None
    _, product, name = folder.split("/")
    inputs = {posixpath.dirname(str(one["path"])) for one in manifest.get("inputs", [])}
    return Period(
        product=product,
        period=name.removeprefix("period="),
        fingerprint=manifest["fingerprint"],
        ended=str(manifest.get("ended", "")),
        folders=tuple(sorted(inputs)),
        synthetic=bool(manifest.get("config", {}).get("synthetic", False)),
    )


def _published(remembered: Remembered, product: str) -> dict[str, str]:
    path = f"published/{product}.json"
    return (read_json(remembered.pages, path) or {}).get("periods", {})


def _product(name: str, periods: list[Period], published: dict[str, str]) -> Product:
    states = {
        period.period: PUBLISHED if published.get(period.period) == period.fingerprint else COMMITTED
        for period in periods
    }
    between = [period for period in _between(sorted(states)) if period not in states]
    return Product(
        name, dict(sorted({**states, **dict.fromkeys(between, MISSING)}.items())), max(p.ended for p in periods)
    )


def _between(periods: list[str]) -> list[str]:
    """The months or years from the first period to the last, none for a reference."""
    first, last = periods[0], periods[-1]
    if MONTH.fullmatch(first) and MONTH.fullmatch(last):
        months = range(_month(first), _month(last) + 1)
        return [f"{month // 12:04d}-{month % 12 + 1:02d}" for month in months]
    if YEAR.fullmatch(first) and YEAR.fullmatch(last):
        return [str(year) for year in range(int(first), int(last) + 1)]
    return []


def _month(period: str) -> int:
    return int(period[:4]) * 12 + int(period[5:]) - 1


def _verdicts(remembered: Remembered) -> list[Verdict]:
    folders = remembered.pages.find("quality/*")
    found = [remembered.of("verdict", path, stamp, verdict_in) for path, stamp in folders.items()]
    return [verdict for verdict in found if verdict is not None]
