"""How figures look: Okabe and Ito's colours, told apart by colour-blind readers and in print; no display needed."""

import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito, "Color Universal Design" (2008).
VERMILLION = "#D55E00"
BLUE = "#0072B2"
SKY = "#56B4E9"
PURPLE = "#CC79A7"
# The same, dark enough for letters on white (4.5 to 1).
DARK_VERMILLION = "#B34A00"
DARK_BLUE = "#00588C"
DARK_PURPLE = "#8A3D66"
INK = "#1B1F24"
QUIET = "#5B6470"
FAINT = "#E3E6EA"

FLAG_COLOURS = {"raised": VERMILLION, "lowered": BLUE, "rise before exposure": PURPLE}
FLAG_LETTERS = {"raised": DARK_VERMILLION, "lowered": DARK_BLUE, "rise before exposure": DARK_PURPLE}
# Told apart without colours too.
FLAG_MARKERS = {"raised": "^", "lowered": "v", "rise before exposure": "D"}
PAGE = (11.7, 8.27)  # A4, landscape, inches
DOTS_PER_INCH = 130

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
    # Letters as outlines: a figure looks the same wherever it is opened, whatever fonts are there.
    "svg.fonttype": "path",
    "svg.hashsalt": "parcours",
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
    return _drawn(figure, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})


def svg(figure: "Figure") -> bytes:
    """The figure as SVG, letters as outlines; the same figure gives the same bytes."""
    return _drawn(figure, format="svg", metadata={"Date": None, "Creator": None})


def _drawn(figure: "Figure", **how: Any) -> bytes:
    out = BytesIO()
    with styled():
        figure.savefig(out, **how)
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


def foot(figure: "Figure", text: str, inches: float, characters: int) -> None:
    """Small print that many inches above the bottom, wrapped; its first line is the highest."""
    width, height = figure.get_size_inches()
    lines = "\n".join(textwrap.wrap(text, characters, break_long_words=False))
    figure.text(0.45 / width, inches / height, lines, fontsize=7.5, color=QUIET, va="bottom", linespacing=1.35)


def foot_height(text: str, characters: int) -> float:
    """The inches that small print takes, with the source line below it."""
    return 0.38 + 0.145 * len(textwrap.wrap(text, characters, break_long_words=False))


def colour_of(flag: str) -> str:
    """The colour of a flag's marks."""
    return FLAG_COLOURS.get(flag, QUIET)


def letters_of(flag: str) -> str:
    """The colour of a flag's words."""
    return FLAG_LETTERS.get(flag, QUIET)


def marker_of(flag: str) -> str:
    """The mark of a flag, which tells it without a colour."""
    return FLAG_MARKERS.get(flag, "o")


def flag_key(flag: str) -> str:
    """The text that says a flag in words."""
    return f"flag_{flag.replace(' ', '_')}"
