"""The report's files: self-contained, stable, and drawn as told."""

import csv
import json
import math
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import StepPatch
from matplotlib.text import Text

from parcours.reporting.breakdowns import breakdown_panels
from parcours.reporting.curves import curve_pages, windows
from parcours.reporting.flowchart import flowchart
from parcours.reporting.forest import forest_plot
from parcours.reporting.names import medicine_names, name_of
from parcours.reporting.page import report_page
from parcours.reporting.report import write_report
from parcours.reporting.scale import ratio_limits
from parcours.reporting.style import BLUE, PURPLE, QUIET, VERMILLION
from parcours.reporting.tables import PEAKS, columns, peak_rows


@pytest.fixture(scope="module")
def report(findings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    odd = replace(findings, notes=["<script>alert(1)</script>"])
    write_report(odd, odd, folder, {"passed": True, "rules": []})
    return folder


def test_the_page_needs_no_network_and_runs_nothing(report):
    page = (report / "report.html").read_text("utf-8")
    empty_icon = '<link rel="icon" href="data:,">'  # else a browser asks for one
    assert not re.search(r"https?://|<link|<script|@import|url\(", page.replace(empty_icon, ""))
    assert all(address.startswith("data:image/svg+xml;base64,") for address in re.findall(r'src="([^"]+)"', page))
    assert page.count("<img") == len(list((report / "figures").glob("*.svg"))) == 5


def test_every_figure_is_there_as_svg_and_as_png_and_neither_asks_for_anything(report):
    drawn = {ending: {path.stem for path in (report / "figures").glob(f"*.{ending}")} for ending in ("svg", "png")}
    assert drawn["svg"] == drawn["png"] == {"forest", "flowchart", "breakdowns", "curves-01", "curves-02"}
    for path in (report / "figures").glob("*.svg"):
        picture = ElementTree.parse(path)
        links = [value for each in picture.iter() for name, value in each.items() if name.endswith("href")]
        assert links and all(link.startswith("#") for link in links)
        assert not re.search(r"<dc:date>|@import|font-family", path.read_text("utf-8"))


def test_the_page_can_be_read_by_a_screen_reader(report):
    page = (report / "report.html").read_text("utf-8")
    levels = [int(level) for level in re.findall(r"<h(\d)", page)]
    assert levels[0] == 1 and set(levels[1:]) == {2}
    assert all(len(words) > 40 for words in re.findall(r'<img alt="([^"]*)"', page))
    tables, rows = page.count("<table>"), page.count("<tr")
    assert page.count("<caption>") == tables and page.count("scope=row") == rows - tables
    assert not re.search(r"<th(?! scope)", page.replace("<thead", ""))
    assert all("tabindex=0" in each for each in re.findall(r"<(?:figure|div class=scroll)[^>]*>", page))


def test_the_page_tells_the_flagged_medicines_the_gate_and_the_settings(report):
    page = (report / "report.html").read_text("utf-8")
    assert "4 flagged as raising the risk, 1 as lowering it; 1 rise before the purchase already." in page
    assert "<dt>quality gate</dt><dd>passed</dd>" in page
    assert "<th scope=row>population.age_minimum</th><td>Youngest age</td><td>65</td>" in page
    assert "&lt;script&gt;" in page


def test_the_page_says_how_flag_interval_and_p_value_hang_together_and_how_well_the_fit_was_solved(report):
    page = " ".join((report / "report.html").read_text("utf-8").split())
    assert "<b>flagged</b> exactly when its 95% interval does not hold 1, which is exactly when its p value" in page
    assert "correction of Benjamini and Hochberg at 5% over the 14 medicines tested" in page
    assert "breach of optimality 3.1e-05 of the largest term of the gradient after 214 steps, 1e-04 allowed" in page


def test_a_rise_before_the_purchase_is_told_apart_and_in_words(report, findings):
    page = " ".join((report / "report.html").read_text("utf-8").split())
    part = page[page.index("<h2>Before the exposure</h2>") : page.index("<h2>Curves</h2>")]
    assert "reverse causation" in part and "protopathic bias" in part and "indication" in part
    assert part.count('<tr class="rise-before-exposure">') == 1
    assert "<th scope=row>paracetamol</th>" in part
    quiet = findings.peaks.assign(before="none")
    assert "No medicine of this run: nothing rises" in report_page(replace(findings, peaks=quiet), {}, None)


def test_the_tables_hold_what_the_findings_hold(report, findings):
    with (report / "peaks.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert [row["drug"] for row in rows] == findings.peaks["drug"].tolist()
    assert rows[0] | {"ri": 0, "lower": 0, "upper": 0} == {
        "drug": "N00AA01", "name": "zolpidem", "exposed_cases": "4000", "events_after": "900", "selected": "True",
        "peak_lag": "0", "peak_day": "0", "ri": 0, "lower": 0, "upper": 0, "p_value": "0.00123", "flag": "raised",
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
        written = write_report(findings, findings, folder, None)
    for path in written:
        twin = first / path.relative_to(second)
        assert twin.read_bytes() == path.read_bytes()


def test_curves_come_twelve_a_page_on_one_scale_in_the_colour_of_their_flag(findings):
    pages = curve_pages(findings)
    panels = [axis for page in pages for axis in page.axes if axis.get_visible()]
    assert len(pages) == 2 and len(panels) == 14
    assert {axis.get_ylim() for axis in panels} == {ratio_limits(findings.peaks)} == {(0.25, 8)}
    titles = [axis.get_title(loc="left").removesuffix("…") for axis in panels]  # a long name is cut beside its code
    assert all(name.startswith(title) for title, name in zip(titles, findings.peaks["name"], strict=True))
    assert [axis.get_title(loc="right") for axis in panels] == [*findings.peaks["drug"]]
    flags = {"raised": VERMILLION, "lowered": BLUE, "rise before exposure": PURPLE, "none": QUIET}
    shades = [next(each for each in axis.collections if each.get_alpha() == 0.18) for axis in panels]
    colours = [to_hex(shade.get_facecolor()[0][:3]).upper() for shade in shades]
    assert colours == [flags[flag].upper() for flag in findings.peaks["flag"]]


def test_a_panel_says_what_is_flagged_and_how_many_persons_stand_behind_it(findings):
    first, second = (texts_of(page) for page in curve_pages(findings))
    assert {"raises the risk", "lowers the risk", "rises before the purchase already", "not flagged"} <= set(first)
    assert "4,000 exposed cases, 900 events" in first and "raises" in first and "lowers" in first
    assert "<11 exposed cases, <11 events" in second


def test_the_foot_of_a_figure_names_interval_p_value_correction_and_source(findings):
    for figure in (forest_plot(findings), *curve_pages(findings)):
        words = " ".join(" ".join(texts_of(figure)).split())
        assert "95% interval" in words and "Benjamini-Hochberg at 5% over the 14 medicines tested" in words
        assert findings.source in words


def test_the_forest_puts_medicines_under_the_words_of_their_flag_and_names_both_ends(findings):
    words = texts_of(forest_plot(findings))
    groups = ["raises the risk (4)", "lowers the risk (1)", "rises before the purchase already (1)", "not flagged (8)"]
    assert [word for word in words if word in groups] == groups
    assert words.index("zolpidem  N00AA01") > words.index(groups[0])
    assert {"◀ lowers risk", "raises risk ▶", "2.46 (2.06 to 2.93)", "4,000", "rises (1.65)"} <= set(words)


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
    assert any("(0 to " in text for text in texts_of(forest_plot(odd)))
    assert any(text.endswith(" to ∞)") for text in texts_of(forest_plot(odd)))
    rows = columns(PEAKS, peak_rows(odd))
    assert rows["lower"][0] == 0.0 and rows["upper"][1] == "inf"
    json.dumps(rows, allow_nan=False)
    write_report(odd, odd, tmp_path, None)


def test_a_medicine_without_a_test_has_dashes_and_empty_cells(findings, tmp_path):
    peaks = findings.peaks.copy()
    untested = ["ri", "lower", "upper", "p_value", "before_ri", "before_lower", "before_upper", "before_p_value"]
    peaks.loc[13, [*untested, "selected_share"]] = math.nan
    odd = replace(findings, peaks=peaks)
    write_report(odd, odd, tmp_path, None)
    row = (tmp_path / "peaks.csv").read_text("utf-8").splitlines()[14]
    assert row.startswith("N13AA01,digoxin,<11,<11,False") and ",,,,none," in row and row.endswith(",none,,,,")
    assert "–" in [text.get_text() for text in forest_plot(odd).axes[0].texts]


def test_the_flowchart_shows_withheld_counts_as_they_may_leave(findings):
    words = [text.get_text() for text in flowchart(findings).axes[0].texts]
    assert "left out: <11" in words and "hidden" in words and "12,406" in words


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
    assert "<th scope=row>age_minimum</th><td>Youngest age</td><td>75</td><td>65</td></tr>" in page
    assert "<th scope=row>sites</th><td>Body sites</td><td>hip, wrist</td><td>none</td></tr>" in page
    assert "What differs" not in report_page(findings, {}, None)
