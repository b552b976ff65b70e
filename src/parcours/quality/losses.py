"""Rows that flattening could not keep, by period: as shares that may leave, and as a small chart for Data Docs."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from parcours.leaving import shown_sum
from parcours.quality.manifests import Manifests

BAR, GAP, HEIGHT, LEAST = 9, 2, 64, 3  # pixels; the least height that is seen
WITHHELD = "withheld"
LOST = ("rejected", "orphaned")


def losses(manifests: Manifests) -> dict[str, dict[str, float | str]]:
    """{product: {period: share}} of the rows read that were rejected or are orphans; products without any are left out.

    The share is `withheld` where the rows of a raw table are few: with what else is told, it would give them back.
    """
    shares = {
        product: {period: _share(manifests[product][period]["rows"]) for period in sorted(manifests[product])}
        for product in manifests
    }
    return {product: periods for product, periods in shares.items() if any(periods.values())}


def _share(rows: Mapping[str, Any]) -> float | str:
    lost = shown_sum(int(count) for kind in LOST for count in (rows.get(kind) or {}).values())
    return lost / max(1, sum(rows["read"].values())) if isinstance(lost, int) else WITHHELD


def loss_charts(told: Mapping[str, Mapping[str, float | str]]) -> str:
    """A small chart a product as HTML, one below the other: a bar a period, an empty one where it is withheld."""
    charts = "".join(_chart(product, periods) for product, periods in told.items())
    return f"<div class=charts>{charts}</div>" if charts else ""


def _chart(product: str, periods: Mapping[str, float | str]) -> str:
    most = max((share for share in periods.values() if isinstance(share, float)), default=0.0)
    bars = "".join(_bar(place, share, most) for place, share in enumerate(periods.values()))
    names, width = list(periods), len(periods) * (BAR + GAP)
    title = f"{product}: rows rejected or orphaned, share of those read"
    words = f"{title}. Highest: {_percent(most)}. {_listed(periods)}"
    span = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
    hidden = ", empty bar: withheld, few rows" if WITHHELD in periods.values() else ""
    return (
        f"<figure class=small><figcaption>{escape(title)}</figcaption>"
        f'<svg role=img aria-label="{escape(words)}" viewBox="0 0 {width} {HEIGHT}" width={width} height={HEIGHT}>'
        f"{bars}<line x1=0 y1={HEIGHT} x2={width} y2={HEIGHT} class=axis /></svg>"
        f"<p class=note>{escape(span)}; highest bar {_percent(most)}{hidden}</p></figure>"
    )


def _bar(place: int, share: float | str, most: float) -> str:
    if not share:
        return ""
    kept = isinstance(share, float)
    height = max(LEAST, round(HEIGHT * share / most)) if isinstance(share, float) else 2 * LEAST
    kind = "bar" if kept else "hollow"
    return f"<rect class={kind} x={place * (BAR + GAP)} y={HEIGHT - height} width={BAR} height={height} />"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"


def _listed(periods: Mapping[str, float | str]) -> str:
    named: Sequence[str] = [
        f"{period} {_percent(share) if isinstance(share, float) else share}"
        for period, share in periods.items()
        if share
    ]
    return ", ".join(named)
