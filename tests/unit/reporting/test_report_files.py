"""The report's files: self-contained, stable, and drawn as told."""

import csv
import json
import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import StepPatch
from matplotlib.text import Text

from parcours.reporting.breakdowns import breakdown_panels
from parcours.reporting.curves import curve_pages, ratio_limits, windows
from parcours.reporting.flowchart import flowchart
from parcours.reporting.forest import forest_plot
from parcours.reporting.names import medicine_names, name_of
from parcours.reporting.page import report_page
from parcours.reporting.report import write_report
from parcours.reporting.style import BLUE, PURPLE, QUIET, VERMILLION, day_ticks, interval_text, ratio_text, ratio_ticks
from parcours.reporting.tables import PEAKS, columns, peak_rows


@pytest.fixture(scope="module")
def report(findings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    odd = replace(findings, notes=["<script>alert(1)</script>"])
    write_report(odd, folder, {"passed": True, "rules": []})
    return folder


def test_the_page_needs_no_network_and_runs_nothing(report):
    page = (report / "report.html").read_text("utf-8")
    assert not re.search(r"https?://|<link|<script|@import|url\(", page)
    assert all(address.startswith("data:image/png;base64,") for address in re.findall(r'src="([^"]+)"', page))
    assert page.count("<img") == len(list((report / "figures").glob("*.png"))) == 5


def test_the_page_tells_the_flagged_medicines_the_gate_and_the_settings(report):
    page = (report / "report.html").read_text("utf-8")
    assert "4 flagged as raising the risk, 1 as lowering it; 1 rise before the purchase already." in page
    assert "<dt>quality gate</dt><dd>passed</dd>" in page
    assert "<td>population.age_minimum</td><td>65</td>" in page
    assert "&lt;script&gt;" in page


def test_the_page_says_how_flag_interval_and_p_value_hang_together_and_how_well_the_fit_was_solved(report):
    page = " ".join((report / "report.html").read_text("utf-8").split())
    assert (
        "<b>flagged</b> exactly when its 95&nbsp;% interval does not hold 1, which is exactly when its p value" in page
    )
    assert "correction of Benjamini and Hochberg over all medicines at 5&nbsp;%" in page
    assert "breach of optimality 3.1e-05 of the largest term of the gradient after 214 steps, 1e-04 allowed" in page


def test_a_rise_before_the_purchase_is_told_apart_and_in_words(report, findings):
    page = " ".join((report / "report.html").read_text("utf-8").split())
    part = page[page.index("<h2>Before the exposure</h2>") : page.index("<h2>Curves</h2>")]
    assert "reverse causation" in part and "protopathic bias" in part and "indication" in part
    assert part.count("<tr class=rise-before-exposure>") == 1
    assert "<td>paracetamol</td>" in part
    quiet = findings.peaks.assign(before="none")
    assert "No medicine of this run: nothing rises" in report_page(replace(findings, peaks=quiet), {}, None)


def test_the_tables_hold_what_the_findings_hold(report, findings):
    with (report / "peaks.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["drug"] for row in rows] == findings.peaks["drug"].tolist()
    assert rows[0] | {"ri": 0, "lower": 0, "upper": 0} == {
        "drug": "N00AA01", "name": "zolpidem", "exposed_cases": "4000", "selected": "True", "peak_lag": "0",
        "peak_day": "0", "ri": 0, "lower": 0, "upper": 0, "p_value": "0.00123", "flag": "raised",
        "first_day": "0", "last_day": "27", "selected_share": "0.97", "before": "none", "before_p_value": "0.6",
        **{f"before_{name}": rows[0][f"before_{name}"] for name in ("ri", "lower", "upper")},
    }  # fmt: skip
    assert float(rows[0]["ri"]) == pytest.approx(2.4596, abs=1e-4)
    assert len((report / "curves.csv").read_text("utf-8").splitlines()) == 1 + 14 * 21
    attrition = (report / "attrition.csv").read_text("utf-8").splitlines()
    assert attrition[3] == "3,One identity: no two persons share the number,hidden,<11"


def test_the_same_findings_give_the_same_bytes(findings, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        written = write_report(findings, folder, None)
    for path in written:
        twin = first / path.relative_to(second)
        assert twin.read_bytes() == path.read_bytes()


def test_curves_come_twelve_a_page_on_one_scale_in_the_colour_of_their_flag(findings):
    pages = curve_pages(findings)
    panels = [axis for page in pages for axis in page.axes if axis.get_visible()]
    assert len(pages) == 2 and len(panels) == 14
    assert {axis.get_ylim() for axis in panels} == {ratio_limits(findings.curves)}
    assert [axis.get_title(loc="left") for axis in panels] == [*findings.peaks["name"]]
    flags = {"raised": VERMILLION, "lowered": BLUE, "rise before exposure": PURPLE, "none": QUIET}
    shades = [next(each for each in axis.collections if each.get_alpha() == 0.18) for axis in panels]
    colours = [to_hex(shade.get_facecolor()[0][:3]).upper() for shade in shades]
    assert colours == [flags[flag].upper() for flag in findings.peaks["flag"]]
    words = texts_of(pages[0])
    assert {"raises", "lowers", "rises before the purchase already", "not flagged"} <= set(words)


def test_the_penalised_curve_is_drawn_in_days_with_one_step_a_bucket(findings):
    axis = curve_pages(findings)[0].axes[0]
    step = next(patch for patch in axis.patches if isinstance(patch, StepPatch)).get_data()
    assert step.edges.tolist() == list(range(-98, 197, 14))
    assert step.values.tolist() == findings.curves[findings.curves["drug"] == "N00AA01"]["penalised_ri"].tolist()
    assert axis.get_xlim() == (-98, 196)
    assert [0, 0] in [list(line.get_xdata()) for line in axis.lines]  # the purchase is marked


def test_windows_are_lags_in_a_row_with_one_estimate_on_one_side_of_the_purchase(findings):
    curve = findings.curves[findings.curves["drug"] == "N00AA01"]
    found = [(window["first_day"], window["last_day"]) for window in windows(curve, 14)]
    assert found == [(-98, -1), *((first, first + 27) for first in range(0, 196, 28))]
    flat = curve.assign(ri=1.0, lower=0.5, upper=2.0)
    assert [(window["first_day"], window["last_day"]) for window in windows(flat, 14)] == [(-98, -1), (0, 195)]


def test_bounds_without_an_end_are_arrows_in_figures_and_words_in_tables(findings, tmp_path):
    endless = {"lower": 0.0, "upper": math.inf}
    peaks, curves = findings.peaks.copy(), findings.curves.copy()
    peaks.loc[0, ["lower", "before_lower"]], peaks.loc[1, "upper"] = 0.0, math.inf
    curves = curves.assign(**endless, band_lower=0.0, band_upper=math.inf)
    odd = replace(findings, peaks=peaks, curves=curves)
    forest = forest_plot(odd).axes[0]
    assert {"<", ">"} <= {line.get_marker() for line in forest.lines}
    assert {"v", "^"} <= {line.get_marker() for line in curve_pages(odd)[0].axes[0].lines}
    assert all(np.isfinite(line.get_xdata(orig=False)).all() for line in forest.lines)
    assert any(text.startswith("0 to ") for text in texts_of(forest_plot(odd)))
    assert any(text.endswith(" to ∞") for text in texts_of(forest_plot(odd)))
    rows = columns(PEAKS, peak_rows(odd))
    assert rows["lower"][0] == 0.0 and rows["upper"][1] == "inf"
    json.dumps(rows, allow_nan=False)
    write_report(odd, tmp_path, None)


def test_a_medicine_without_a_test_has_dashes_and_empty_cells(findings, tmp_path):
    peaks = findings.peaks.copy()
    untested = ["ri", "lower", "upper", "p_value", "before_ri", "before_lower", "before_upper", "before_p_value"]
    peaks.loc[13, [*untested, "selected_share"]] = math.nan
    odd = replace(findings, peaks=peaks)
    write_report(odd, tmp_path, None)
    row = (tmp_path / "peaks.csv").read_text("utf-8").splitlines()[14]
    assert row.startswith("N13AA01,digoxin,<11,False") and ",,,,none," in row and row.endswith(",none,,,,")
    assert "–" in [text.get_text() for text in forest_plot(odd).axes[0].texts]


@pytest.mark.parametrize(
    ("value", "text"),
    [(2.312, "2.31"), (0.0, "0"), (8e-7, "0"), (math.inf, "∞"), (math.exp(14), "∞"), (120.4, "120"), (math.nan, "–")],
)
def test_relative_incidences_in_tables(value, text):
    assert ratio_text(value) == text
    assert interval_text(0.5, value) == f"0.50 to {text}"
    assert interval_text(math.nan, value) == "–"


def test_the_flowchart_shows_withheld_counts_as_they_may_leave(findings):
    words = [text.get_text() for text in flowchart(findings).axes[0].texts]
    assert "left out: <11" in words and "hidden" in words and "12,406" in words


@pytest.mark.parametrize(
    ("limits", "ticks"),
    [
        ((0.6, 1.6), [0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5]),
        ((0.3, 3.3), [0.5, 0.7, 1, 1.5, 2, 3]),
        ((0.05, 20), [0.1, 0.3, 1, 3, 10]),
        ((0.001, 1000), [0.001, 0.01, 0.1, 1, 10, 100, 1000]),
    ],
    ids=["narrow", "usual", "wide", "very wide"],
)
def test_relative_incidences_are_marked_at_round_numbers_around_1(limits, ticks):
    assert ratio_ticks(*limits) == ticks


def test_days_are_marked_every_four_weeks_or_more():
    assert day_ticks(0, 84) == [0, 28, 56, 84]
    assert day_ticks(-98, 196) == [-56, 0, 56, 112, 168]
    assert day_ticks(-7, 7) == [0]


def test_names_come_from_the_reference_of_packs():
    #  pack  substance  label           two packs of three say ZOLPIDEM
    packs = [
        (1, "N05CF02", "ZOLPIDEM"),
        (2, "N05CF02", "ZOLPIDEM"),
        (3, "N05CF02", "ZOLPIDEM TARTRATE"),
        (4, None, None),
    ]
    columns = ["PHA_CIP_C13", "PHA_ATC_C07", "PHA_ATC_L07"]
    reference = pd.DataFrame(packs, columns=columns)
    assert medicine_names(reference, "substance") == {"N05CF02": "Zolpidem"}
    assert medicine_names(reference, "atc_class") == {}


def test_names_are_found_by_the_codes_of_the_events():
    reference = pd.DataFrame(
        {
            "PHA_CIP_C13": [3400930000021, None, 3400930000012],  # a pack without CIP13 makes floats of the others
            "PHA_NOM_COURT": ["STILNOX 10MG", "UCD", "  "],
            "PHA_ATC_C07": ["n05cf02 ", "N05CF02", "C07AB07"],
            "PHA_ATC_L07": ["ZOLPIDEM", "", " "],
        }
    )
    assert medicine_names(reference, "cip13") == {"3400930000021": "Stilnox 10mg"}
    assert medicine_names(reference, "substance") == {"N05CF02": "Zolpidem"}


@pytest.mark.parametrize(
    ("drug", "name"),
    [
        ("N05CF02", "Zolpidem"),
        ("C07AB07_N05CF02", "Bisoprolol + Zolpidem"),
        ("C07AB07_N05BA12", "C07AB07_N05BA12"),  # one of them has no name
        ("N05BA12", "N05BA12"),
        ("proton_pump_inhibitors", "proton_pump_inhibitors"),
    ],
)
def test_several_medicines_have_the_names_of_each(drug, name):
    assert name_of(drug, {"N05CF02": "Zolpidem", "C07AB07": "Bisoprolol"}) == name


def texts_of(figure):
    return [text.get_text() for text in figure.findobj(Text)]


@pytest.mark.parametrize(
    ("changed", "mark"),
    [
        ({"synthetic": True}, "SYNTHETIC DATA"),
        ({"changes": {"age_minimum": {"file": 65, "run": 75}}}, "WHAT-IF RUN"),
        ({"synthetic": True, "changes": {"seed": {"file": 1, "run": 2}}}, "SYNTHETIC DATA · WHAT-IF RUN"),
    ],
)
def test_every_figure_is_marked(findings, changed, mark):
    marked = replace(findings, **changed)
    figures = [forest_plot(marked), flowchart(marked), breakdown_panels(marked), *curve_pages(marked)]
    assert all(mark in texts_of(figure) for figure in figures)
    assert not any("SYNTHETIC" in text or "WHAT-IF" in text for text in texts_of(forest_plot(findings)))


def test_a_page_of_made_up_data_says_so_first(findings):
    page = report_page(replace(findings, synthetic=True), {}, None)
    assert re.search(r"<main>\s*<p class=synthetic>SYNTHETIC DATA: ", page)
    assert "SYNTHETIC" not in report_page(findings, {}, None)


def test_a_page_lists_what_a_what_if_run_changed(findings):
    changes = {"age_minimum": {"file": 65, "run": 75}, "sites": {"file": [], "run": ["hip", "wrist"]}}
    page = report_page(replace(findings, changes=changes), {}, None)
    assert "What differs from the study file" in page
    assert "<tr><td>age_minimum</td><td>75</td><td>65</td></tr>" in page
    assert "<tr><td>sites</td><td>hip, wrist</td><td></td></tr>" in page
    assert "What differs" not in report_page(findings, {}, None)
