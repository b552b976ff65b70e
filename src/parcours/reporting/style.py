"""How figures look: Okabe and Ito's colours, told apart by colour-blind readers and in print; no display needed."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito, "Color Universal Design" (2008).
VERMILLION = "#D55E00"
BLUE = "#0072B2"
SKY = "#56B4E9"
PURPLE = "#CC79A7"
DARK_PURPLE = "#8A3D66"  # the same, for letters
INK = "#1B1F24"
QUIET = "#6B7280"
FAINT = "#E3E6EA"

FLAG_COLOURS = {"raised": VERMILLION, "lowered": BLUE, "rise before exposure": PURPLE}
# Told apart without colours too.
FLAG_MARKERS = {"raised": "^", "lowered": "v", "rise before exposure": "D"}
FLAG_WORDS = {"raised": "raises", "lowered": "lowers", "rise before exposure": "rises before the purchase already"}
PAGE = (11.7, 8.27)  # A4, landscape, inches
DOTS_PER_INCH = 130

ROUND_RATIOS: list[list[float]] = [
    [0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2],
    [0.25, 0.5, 0.7, 1, 1.5, 2, 3, 4],
    [0.1, 0.25, 0.5, 1, 2, 4, 8, 16],
    [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100],
]

RC = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9AA1AB",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the project's style, leaving matplotlib's own settings as they were."""
    import matplotlib

    with matplotlib.rc_context(RC):  # type: ignore[arg-type]  # its stub lists every key as a literal
        yield


def new_figure(width: float, height: float) -> "Figure":
    """An empty figure in inches, tied to no window and no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def png(figure: "Figure") -> bytes:
    """The figure as PNG; the same figure gives the same bytes."""
    out = BytesIO()
    with styled():
        figure.savefig(out, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return out.getvalue()


def headline(figure: "Figure", title: str, subtitle: str, mark: str) -> None:
    """Title and subtitle at the top left and a mark at the right, in inches so that they look alike on every page."""
    width, height = figure.get_size_inches()
    corner = (1 - 0.45 / width, 1 - 0.38 / height)
    figure.text(*corner, mark, fontsize=11, fontweight="bold", color=VERMILLION, va="center", ha="right")
    figure.text(0.45 / width, 1 - 0.38 / height, title, fontsize=14, fontweight="bold", va="center")
    figure.text(0.45 / width, 1 - 0.66 / height, subtitle, fontsize=9.5, color=QUIET, va="center")


def source_line(figure: "Figure", source: str) -> None:
    """Where the numbers come from, at the bottom left."""
    width, height = figure.get_size_inches()
    figure.text(0.45 / width, 0.2 / height, source, fontsize=7.5, color=QUIET, va="center")


def leave_margins(figure: "Figure", top: float, bottom: float, left: float, right: float, **gaps: float) -> None:
    """Margins in inches."""
    width, height = figure.get_size_inches()
    figure.subplots_adjust(
        top=1 - top / height, bottom=bottom / height, left=left / width, right=1 - right / width, **gaps
    )


def ratio_axis(axis: "Axes", lowest: float, highest: float, along: str) -> None:
    """A log scale of relative incidences with round ticks; `along` is "x" or "y"."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    ticks = ratio_ticks(lowest, highest)
    scale = axis.xaxis if along == "x" else axis.yaxis
    (axis.set_xscale if along == "x" else axis.set_yscale)("log")
    (axis.set_xlim if along == "x" else axis.set_ylim)(lowest, highest)
    scale.set_major_locator(FixedLocator(ticks))
    scale.set_minor_locator(NullLocator())
    scale.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def ratio_ticks(lowest: float, highest: float) -> list[float]:
    """Round relative incidences within the limits, about five of them and always 1 when it is inside."""
    for steps in ROUND_RATIOS:
        if steps[0] <= lowest * 1.3 and highest <= steps[-1] * 1.3:
            return [tick for tick in steps if lowest <= tick <= highest]
    return [10.0**power for power in range(-6, 7) if lowest <= 10.0**power <= highest]


def day_ticks(first_day: int, last_day: int) -> list[int]:
    """Days to mark: 0 and whole multiples of four weeks on both sides of it, six of them at most."""
    step = 28
    while (last_day - first_day) / step > 5.5:
        step *= 2
    return list(range(-(-first_day // step) * step, last_day + 1, step))


def ratio_text(value: float) -> str:
    """A relative incidence in a table: `2.31`, `0` and `∞` for bounds without an end, `–` for none."""
    if value != value:
        return "–"
    if value > 1000:
        return "∞"
    return "0" if value < 0.005 else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def interval_text(lower: float, upper: float) -> str:
    """An interval in a table."""
    return "–" if lower != lower else f"{ratio_text(lower)} to {ratio_text(upper)}"


def flag_key(figure: "Figure", height: float, after: str) -> None:
    """What colours and marks mean, in a line so many inches from the top; `after` ends it."""
    from matplotlib.lines import Line2D

    named = {**FLAG_WORDS, "none": "not flagged"}
    handles = [
        Line2D(
            [], [], linestyle="", color=colour_of(flag), marker=FLAG_MARKERS.get(flag, "o"), markersize=5.5, label=word
        )
        for flag, word in named.items()
    ]
    handles.append(Line2D([], [], linestyle="", label=after))
    width, whole = figure.get_size_inches()
    place = (0.38 / width, 1 - height / whole)
    figure.legend(
        handles=handles, loc="center left", bbox_to_anchor=place, ncols=len(handles), frameon=False, fontsize=8.5,
        handletextpad=0.1, columnspacing=1.2, labelcolor=QUIET, borderaxespad=0,
    )  # fmt: skip


def colour_of(flag: str) -> str:
    """The colour of a flag."""
    return FLAG_COLOURS.get(flag, QUIET)
