"""A relative incidence and its interval as a small drawing: a log axis from 0.25 to 8, arrows where it goes on."""

from math import isfinite, log2

LOWEST, HIGHEST = 0.25, 8.0
WIDTH, HEIGHT, MARGIN, MIDDLE = 200, 24, 12, 12
TICKS = (0.25, 0.5, 1, 2, 4, 8)


def interval_plot(ri: float, lower: float, upper: float, kind: str, told: str) -> str:
    """The drawing as SVG; `told` says the same in words, `kind` is a class that colours it."""
    clipped = lower < LOWEST, upper > HIGHEST
    start, end, peak = (position(value) for value in (lower, upper, ri))
    parts = [
        *(f'<line class="tick" x1="{x}" x2="{x}" y1="4" y2="20"/>' for tick in TICKS if (x := position(tick)) >= 0),
        f'<line class="one" x1="{position(1)}" x2="{position(1)}" y1="1" y2="23"/>',
        f'<line class="reach" x1="{start}" x2="{end}" y1="{MIDDLE}" y2="{MIDDLE}"/>',
        _arrow(start, -1) if clipped[0] else "",
        _arrow(end, 1) if clipped[1] else "",
        f'<circle class="peak" cx="{peak}" cy="{MIDDLE}" r="4"/>' if LOWEST <= ri <= HIGHEST else "",
    ]
    return _svg(f"interval {kind}", told, "".join(parts))


def axis() -> str:
    """The numbers of the axis, to stand above the drawings of a table."""
    labels = "".join(f'<text x="{position(tick)}" y="16" text-anchor="middle">{tick:g}</text>' for tick in TICKS)
    return f'<svg class="axis" viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true" focusable="false">{labels}</svg>'


def position(value: float) -> float:
    """Where a value lies, from the left; values beyond the axis lie at its end."""
    if not isfinite(value):
        return position(HIGHEST if value > 0 else LOWEST)
    within = log2(min(max(value, LOWEST), HIGHEST) / LOWEST) / log2(HIGHEST / LOWEST)
    return round(MARGIN + within * (WIDTH - 2 * MARGIN), 1)


def _arrow(x: float, towards: int) -> str:
    return f'<path class="clip" d="M{x + 6 * towards},{MIDDLE} l{-7 * towards},-5 v10 z"/>'


def _svg(kind: str, told: str, inner: str) -> str:
    return (
        f'<svg class="{kind}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{told}" focusable="false">'
        f"{inner}</svg>"
    )
