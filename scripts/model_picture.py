"""Draws docs/images/curves.png: what the model makes of three medicines whose truth is known.

python -m scripts.model_picture
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from parcours.models import CaseSeries, ConvSCCS
from parcours.reporting.curves import draw_window, windows
from parcours.reporting.scale import USUAL, ratio_axis
from parcours.reporting.style import FAINT, INK, PURPLE, QUIET, VERMILLION, new_figure, png, styled
from parcours.reporting.texts import ENGLISH, texts_in

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "curves.png"
DAYS, CASES, BUCKET, LAGS = 1095, 1500, 14, 13
PEAK, FADES = 3.0, 40.0  # relative incidence on the day of the purchase, and the days in which its logarithm falls by e
PANELS = {
    "raises": ("Raises the risk, fading: flagged", VERMILLION),
    "brought": ("An illness brings both: rise before exposure", PURPLE),
    "nothing": ("Does nothing: not flagged", QUIET),
}


def series() -> CaseSeries:
    """Cases of one event; a medicine that raises the risk, one that an illness brings, one that does nothing."""
    rng = np.random.default_rng(11)
    start = {name: rng.integers(0, DAYS, CASES) for name in PANELS}
    takes = {name: rng.random(CASES) < 0.4 for name in PANELS}
    since = np.arange(DAYS) - start["raises"][:, None]
    risk = np.where(takes["raises"][:, None] & (since >= 0), truth(since), 1.0)
    day = (np.cumsum(risk, axis=1) < rng.random(CASES)[:, None] * risk.sum(axis=1, keepdims=True)).sum(axis=1)
    brought = rng.random(CASES) < 0.1
    start["brought"][brought] = day[brought] + rng.integers(-30, 40, brought.sum())
    exposures = [
        pd.DataFrame({"person_id": np.flatnonzero(taken), "drug": name, "start": start[name][taken]})
        for name, taken in takes.items()
    ]
    persons = pd.DataFrame({"person_id": range(CASES), "start": 0, "end": DAYS - 1})
    return CaseSeries(persons, pd.DataFrame({"person_id": range(CASES), "day": day}), pd.concat(exposures))


def truth(since: np.ndarray) -> np.ndarray:
    """Relative incidence of the medicine that raises the risk, by day since its purchase."""
    return np.exp(np.log(PEAK) * np.exp(-np.maximum(since, 0) / FADES)) * (since < (LAGS + 1) * BUCKET) + (
        since >= (LAGS + 1) * BUCKET
    )


def fitted() -> ConvSCCS:
    """The model of the picture, with its intervals."""
    return ConvSCCS.cross_validate(series(), lags=LAGS, bucket=BUCKET, pre_lags=7, folds=3, seed=1).bootstrap(0)


def curves() -> pd.DataFrame:
    """The fitted curves, as relative incidences by day."""
    table = fitted().curves()
    ratios = {"ri": "log_ri", "penalised": "penalised"} | {name: name for name in table if name.endswith("er")}
    return table.assign(day=table["lag"] * BUCKET, **{name: np.exp(table[column]) for name, column in ratios.items()})


def panel(axis: Any, curve: pd.DataFrame, name: str) -> None:
    """One medicine: windows with their intervals, the penalised curve, the truth."""
    title, colour = PANELS[name]
    last = (LAGS + 1) * BUCKET
    after = curve[curve["day"] >= 0]
    low, high = ([*after[side], after[side].iloc[-1]] for side in ("band_lower", "band_upper"))
    axis.axvspan(curve["day"].min(), 0, color=FAINT, alpha=0.45, linewidth=0, zorder=0)
    axis.axvline(0, color=INK, linewidth=0.9, linestyle=(0, (2, 2)))
    axis.axhline(1, color=QUIET, linewidth=0.9)
    axis.fill_between([*after["day"], last], low, high, step="post", color=colour, alpha=0.18, linewidth=0)
    axis.stairs(curve["penalised"], [*curve["day"], last], baseline=None, color=INK, linewidth=0.9)
    for window in windows(curve, BUCKET):
        draw_window(axis, window, colour, USUAL)
    if name != "brought":
        days = np.arange(curve["day"].min(), last)
        real = np.where(days >= 0, truth(days), 1.0) if name == "raises" else np.ones(len(days))
        axis.plot(days, real, color=INK, linewidth=1.2, linestyle=(0, (5, 2)))
    axis.set_title(title, fontsize=9.5, loc="left")
    axis.set_xlabel("days since first purchase")
    axis.set_xlim(curve["day"].min(), last)
    axis.set_xticks([-56, 0, 56, 112, 168])


def main() -> None:
    """Write the picture."""
    table = curves()
    with styled():
        figure = new_figure(11, 3.6)
        axes = figure.subplots(1, 3, sharey=True)
        for axis, name in zip(axes, PANELS, strict=True):
            panel(axis, table[table["drug"] == name].sort_values("lag"), name)
        ratio_axis(axes[0], USUAL, "y", texts_in(ENGLISH))
        axes[0].set_ylabel("relative incidence")
        figure.subplots_adjust(left=0.06, right=0.99, top=0.9, bottom=0.15, wspace=0.06)
        PICTURE.parent.mkdir(exist_ok=True)
        PICTURE.write_bytes(png(figure))


if __name__ == "__main__":
    main()
