"""Writes docs/explanation/calibration.md from benchmarks/results/calibration.json, which `make calibrate` measures.

.venv/bin/python scripts/calibration_page.py
"""

import json
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parents[1]
MEASURED = HOME / "benchmarks/results/calibration.json"
PAGE = HOME / "docs/explanation/calibration.md"
HEAD = """# How often the model is right

Measured on drawn case series whose truth is known: `make calibrate` draws and fits them and writes
`benchmarks/results/calibration.json`, from which this page is made. The designs are in `benchmarks/calibration/`.
"""
PAPER = """
## Curves and intervals

The simulations of Morel et al. (2019): 4,000 cases, 750 days, 14 medicines of which seven have an effect (relative
incidence up to 2, seven shapes), 50 daily lags; {seeds} series without censoring, and {seeds} in which 40% of the cases
leave early. Penalties are chosen by cross-validation, as in a study.

| | uncensored | censored |
|---|---|---|
"""
PAPER_ROWS = (
    ("zero", "Mean absolute error of the log relative incidence, all curves at zero"),
    ("penalised", "... of the penalised curves"),
    ("refitted", "... of the refitted curves"),
    ("bias", "Bias of the windows' estimates (mean of all with an effect)"),
    ("bias_error", "... its Monte Carlo error"),
    ("held_everywhere", "Truth inside the 95% interval of one lag, all lags"),
    ("held_at_true_peak", "... at the peak of the truth"),
    ("held_at_curve_peak", "... at the peak of the model's curve, of the medicines that have one"),
    ("held_at_seen_peak", "Truth inside the 95% band of all lags, where the windows' estimate is highest"),
    ("raised", "Medicines with an effect, flagged as raising"),
    ("false", "Medicines without effect, flagged"),
)
PAPER_NOTE = """
The interval of one lag is for a lag that was chosen beforehand. Where the lag was chosen because the estimates are high
there, it holds the truth less often: the band is for that. Short effects are shown a little too low at their peak, as a
window has one level.
"""
SHAPES = """
## Why events gather around a purchase

1,000 cases over three years, 60% of them exposed to the medicine, {series} series of each shape. A medicine that raises
the risk (three times in the first four weeks; 2.5 times from week 15 to week 26), one that the first signs of the event
bring, one for an illness that raises the risk itself, and one that is not given for half a year after the event.

| shape | events expected | told as raising | told as `rise before exposure` | told as lowering | no flag |
|---|---|---|---|---|---|
"""
SCREENS = """
## Screens without any effect

{screens} screens of {drugs} medicines, bought by 5 to 30% of 1,500 cases, none with an effect: {with_a_flag} screens
flag any ({share:.0%}); {below:.1%} of all p values lie below 5%; {before:.1%} of the medicines are seen to rise before
the purchase, where each is looked at by itself at 1%, on both sides.
"""

DEMO = """
## The whole chain, on the demo's delivery

{deliveries} deliveries of 20,000 persons (`parcours synth`, other seeds), each through flattening, gate, features,
model and report of the fall study: {planted_flagged} of {planted} medicines with a planted relative incidence of 2 or
more are flagged as raising, {others_flagged} of {others} without an effect are flagged ({others_share:.1%}), the truth
lies inside the printed interval for {truth_inside} of {bounded} ({inside_share:.0%}), and in {contradictions} rows
flag, interval and p value contradict each other.
"""


def page(found: dict[str, Any]) -> str:
    """The page, from what was measured."""
    paper, censored, shapes, screens = (found[name] for name in ("paper", "paper_censored", "shapes", "screens"))
    rows = [f"| {title} | {paper[key]:.3f} | {censored[key]:.3f} |" for key, title in PAPER_ROWS]
    told = [_shape_row(shape, row) for shape, row in shapes.items()]
    series = next(iter(shapes.values()))["series"]
    share = screens["with_a_flag"] / screens["screens"]
    below, before = screens["share_of_p_below_5_percent"], screens["raised_before"]
    return "\n".join(
        [
            HEAD.rstrip("\n"),
            PAPER.format(seeds=paper["seeds"]).rstrip("\n"),
            *rows,
            PAPER_NOTE.rstrip("\n"),
            SHAPES.format(series=series).rstrip("\n"),
            *told,
            SCREENS.format(**screens, share=share, below=below, before=before).rstrip("\n"),
            _demo(found["demo"]),
        ]
    )


def _demo(row: dict[str, Any]) -> str:
    others, inside = row["others_flagged"] / row["others"], row["truth_inside"] / row["bounded"]
    return DEMO.format(**row, others_share=others, inside_share=inside)


def _shape_row(shape: str, row: dict[str, Any]) -> str:
    flags = [row["flag"].get(name, 0) for name in ("raised", "rise before exposure", "lowered", "none")]
    shares = " | ".join(f"{number / row['series']:.1%}" for number in flags)
    return f"| {shape} | {row.get('expected_events', '')} | {shares} |"


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(MEASURED.read_text("utf-8"))), "utf-8")
