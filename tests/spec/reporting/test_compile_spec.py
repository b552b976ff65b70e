"""From the stages' tables to what a report may tell."""

import math

import pandas as pd
import pytest

from parcours.reporting import compile as compiling
from parcours.reporting.compile import Material, described_steps, events_after
from parcours.reporting.texts import texts_in

RUN = {
    "cohort": "fall",
    "title": "Falls",
    "fingerprint": "0123456789abcdef",
    "study": {
        "model": {"bucket_days": 14, "lags": 5},
        "population": {"study_start": "2014-01-01", "study_end": "2017-12-31"},
    },
    "data": {"DCIR": {}, "MCO": {}, "IR_PHA_R": {}},
    "code_version": "0.1.0",
}
VERSIONS = "run 01234567, data 7b7058bc, code 0.1.0"


def compile_findings(found, language="en"):
    return compiling.compile_findings(found, language)


def peak(drug, selected, lags, interval, flag, before=""):
    """A row as the model gives it."""
    names = ("log_ri", "lower", "upper")
    return {
        "drug": drug,
        "selected": selected,
        "selected_share": 0.9,
        "first_lag": lags[0],
        "last_lag": lags[1],
        "peak_lag": sum(lags) // 2,
        **dict(zip(names, interval, strict=True)),
        "p_value": 0.01,
        "flag": flag,
        "before": before,
        **{f"before_{name}": 0.1 for name in names},
        "before_p_value": 0.2,
    }


def material(**changes):
    """120 cases of one fracture each: 100 of the hip, 14 of the wrist, 6 of the spine."""
    persons = range(120)
    site = ["hip"] * 100 + ["wrist"] * 14 + ["spine"] * 6
    log2, log3 = math.log(2), math.log(3)
    tables = {
        "run": RUN,
        "peaks": pd.DataFrame(
            [
                peak("A", False, (0, 3), (0.0, -0.1, 0.1), ""),
                peak("B", True, (2, 5), (log2, 0.3, 1.0), "raised"),
                peak("C", True, (1, 1), (-log3, -math.inf, -0.4), "lowered"),
                peak("D", True, (0, 0), (log3, 0.8, 1.4), "raised"),
                peak("E", True, (0, 0), (log3, 0.8, 1.4), "rise before exposure", before="raised"),
                peak("F", False, (0, 0), (math.nan, math.nan, math.nan), ""),
            ]
        ),
        "curves": pd.DataFrame(
            [("B", -1, 0.0, -0.1, 0.1, -0.2, 0.2, 0.0), ("B", 0, log2, 0.3, 1.0, -math.inf, 1.2, 0.5)],
            columns=["drug", "lag", "log_ri", "lower", "upper", "band_lower", "band_upper", "penalised"],
        ),
        "metrics": {"held_out_likelihood": -3.5, "cases": 120, "events": 120},
        "summary": {
            "cases": 120,
            "events": 120,
            "persons_followed": 5000,
            "drugs": {"A": {"exposed_cases": 60}, "B": {"exposed_cases": 7}, "C": {"exposed_cases": 115}},
        },
        "attrition": [
            {"step": "all", "description": "everybody", "persons": 9000, "lost": 0},
            {"step": "age", "description": "65 or older", "persons": 5003, "lost": 3997},
            {"step": "followed", "description": "followed", "persons": 5000, "lost": 3},
        ],
        "persons": pd.DataFrame({"person_id": persons, "start": 16436, "end": 16436 + 364, "birth": -9000}),
        "events": pd.DataFrame({"person_id": persons, "day": 16500}),
        "exposures": pd.DataFrame(
            # 30 cases bought A two weeks before their event, 12 a year before; 20 bought B after it
            {"person_id": range(62), "drug": ["A"] * 42 + ["B"] * 20}
            | {"start": [16486] * 30 + [16135] * 12 + [16501] * 20, "end": 16800}
        ),
        "outcomes": pd.DataFrame({"person_id": persons, "site": site, "date": pd.Timestamp("2015-03-06")}),
        "names": {"B": "Zolpidem"},
        "missing_care": {"measured": True, "study": 0.012, "last_month": 0.31, "months": {}},
    }
    return Material(**(tables | changes))


def test_peaks_read_from_what_raises_to_what_lowers_to_what_rises_before_to_the_rest():
    peaks = compile_findings(material()).peaks
    assert peaks[["drug", "flag"]].values.tolist() == [
        ["D", "raised"],
        ["B", "raised"],
        ["C", "lowered"],
        ["E", "rise before exposure"],
        ["A", "none"],
        ["F", "none"],
    ]


def test_a_peak_is_a_relative_incidence_of_a_window_of_days_of_a_named_medicine():
    peak = compile_findings(material()).peaks.set_index("drug").loc["B"]
    assert (peak["name"], peak["peak_day"]) == ("Zolpidem", 42)
    assert (peak["first_day"], peak["last_day"]) == (28, 83)
    assert peak["ri"] == pytest.approx(2.0)
    assert (peak["lower"], peak["upper"]) == pytest.approx((math.exp(0.3), math.exp(1.0)))


def test_an_infinite_bound_is_no_incidence_and_what_is_not_tested_has_none():
    peaks = compile_findings(material()).peaks.set_index("drug")
    assert peaks.loc["C", "lower"] == 0
    assert math.isnan(peaks.loc["F", "ri"])
    assert peaks.loc["E", "before_ri"] == pytest.approx(math.exp(0.1))
    assert peaks["before"].tolist() == ["none", "none", "none", "raised", "none", "none"]


def test_a_curve_has_days_on_both_sides_of_the_purchase():
    findings = compile_findings(material())
    assert findings.curves["day"].tolist() == [-14, 0]
    assert (findings.first_day, findings.last_day) == (-14, 14)
    assert findings.curves["penalised_ri"].tolist() == pytest.approx([1.0, math.exp(0.5)])
    assert findings.curves["band_lower"].tolist() == pytest.approx([math.exp(-0.2), 0.0])


def test_a_medicine_without_a_name_keeps_its_code():
    assert compile_findings(material()).peaks.set_index("drug").loc["C", "name"] == "C"


def test_exposed_cases_are_withheld_when_they_or_the_unexposed_are_few():
    #  A: 60 of 120    B: 7 of 120    C: 115 of 120, so 5 unexposed    D: not exposed
    exposed = compile_findings(material()).peaks.set_index("drug")["exposed"].to_dict()
    assert exposed == {"A": 60, "B": "<11", "C": "hidden", "D": 0, "E": 0, "F": 0}


def test_the_attrition_closes_with_the_cases_of_the_model():
    steps = compile_findings(material()).attrition
    assert [(step.description, step.persons, step.lost) for step in steps] == [
        ("everybody", 9000, 0),
        ("65 or older", "hidden", "hidden"),
        ("followed", 5000, "<11"),
        ("Cases in the model", 120, 4880),
    ]


def test_cases_that_are_the_last_step_already_are_not_told_twice():
    chain = [{"description": "everybody", "persons": 900}, {"description": "cases", "persons": 120}]
    assert [text for text, _ in described_steps(material(attrition=chain), texts_in("en"))] == ["everybody", "cases"]


@pytest.mark.parametrize(
    ("starts", "end", "counted"),
    [
        ([16486], 16800, 1),  # two weeks before the event
        ([16417], 16800, 1),  # its last day in the 84 of the curve
        ([16416], 16800, 0),  # a day too early
        ([16501], 16800, 0),  # after the event
        ([16486], 16499, 0),  # ended before it
        ([16450, 16486], 16800, 1),  # bought twice: one event
    ],
)
def test_events_after_are_those_of_the_days_of_the_curve_from_the_purchase_on(starts, end, counted):
    bought = pd.DataFrame({"person_id": 1, "drug": "A", "start": starts, "end": end})
    assert events_after(material(exposures=bought), 14).get("A", 0) == counted


def test_events_after_are_withheld_when_they_or_the_other_exposed_cases_are_few():
    #  A: 60 exposed cases, 30 events after    with 55 after: 5 exposed cases have none
    after = compile_findings(material()).peaks.set_index("drug")["events_after"]
    assert (after["A"], after["B"]) == (30, 0)
    many = material().exposures.assign(drug="A", start=16486).head(55)
    assert compile_findings(material(exposures=many)).peaks.set_index("drug")["events_after"]["A"] == "hidden"
    few = material().exposures.assign(start=16486).head(7)
    assert compile_findings(material(exposures=few)).peaks.set_index("drug")["events_after"]["A"] == "<11"


def test_sites_are_counted_once_an_event_and_few_take_the_next_with_them():
    #  wrist 14 and spine 6 alone would be 20: of 11 or more and 1 to 10 that leaves nine values to the spine
    sites = compile_findings(material()).breakdowns[0]
    assert dict(zip(sites.labels, sites.counts, strict=True)) == {"hip": "hidden", "wrist": "hidden", "spine": "<11"}
    assert sites.total == 120


def test_an_event_with_two_sites_is_one_event():
    twice = material().outcomes
    twice = pd.concat([twice, twice.head(20).assign(site="wrist")])
    sites = compile_findings(material(outcomes=twice)).breakdowns[0]
    assert sum(count for count in sites.counts if isinstance(count, int)) <= 120 == sites.total
    assert "several sites" in sites.labels


def test_ages_and_follow_up_are_in_bands():
    panels = {panel.title: panel for panel in compile_findings(material()).breakdowns}
    assert panels["Events by age"].labels == ["65 to 69"]
    assert panels["Cases by months followed"].labels == ["6 to 11"]


def test_a_study_of_few_cases_publishes_neither_their_number_nor_their_breakdowns():
    few = material(
        persons=material().persons.head(8),
        events=material().events.head(8),
        summary=material().summary | {"cases": 8, "events": 8},
    )
    findings = compile_findings(few)
    assert (findings.cases, findings.events) == ("<11", "<11")
    assert findings.breakdowns == []
    assert "cases" not in findings.metrics and "events" not in findings.metrics
    assert findings.notes[0] == "Events by site: not shown, too few persons."


def test_breakdowns_of_events_do_not_give_back_the_few_that_exceed_the_cases():
    #  126 events of 120 cases: the number of events is hidden, and so is what sums up to it
    again = pd.concat([material().events, material().events.head(6).assign(day=16600)])
    findings = compile_findings(material(events=again, summary=material().summary | {"events": 126}))
    assert (findings.cases, findings.events) == (120, "hidden")
    assert [panel.title for panel in findings.breakdowns] == ["Cases by months followed"]


@pytest.mark.parametrize(("last_month", "told"), [(0.31, True), (0.019, False)])
def test_care_that_is_still_to_come_is_told_although_no_month_is_missing_that_the_study_asks_for(last_month, told):
    care = {"measured": True, "study": 0.012, "last_month": last_month, "months": {}}
    notes = compile_findings(material(missing_care=care)).notes
    assert any(note.startswith("Late flux: 1.2% of the care") for note in notes) is told


def test_the_report_says_which_sources_of_deaths_were_not_there():
    missed = "Deaths that only these tell are missed, as they are not published: IR_BEN_R_ARC, KI_CCI_R, SSR, RIP."
    assert missed in compile_findings(material(run={**RUN, "data": {**RUN["data"], "HAD": {}}})).notes
    everything = {product: {} for product in ("DCIR", "MCO", "IR_BEN_R_ARC", "KI_CCI_R", "SSR", "HAD", "RIP")}
    complete = {"measured": True, "study": 0.0, "last_month": 0.0, "months": {}}
    assert compile_findings(material(run={**RUN, "data": everything}, missing_care=complete)).notes == []


def test_second_events_of_few_persons_are_not_given_away_by_the_number_of_events():
    findings = compile_findings(material(summary=material().summary | {"events": 124}))
    assert (findings.cases, findings.events) == (120, "hidden")


def test_a_delivery_of_too_few_months_cannot_tell_which_care_is_still_to_come():
    run = RUN | {"missing_periods": {"DCIR": ["2018-01"]}}
    notes = compile_findings(material(run=run, missing_care={"measured": False})).notes
    assert any("too few flux months to tell" in note for note in notes)


def test_metrics_compare_across_runs():
    metrics = compile_findings(material()).metrics
    assert metrics.pop("care_still_to_come") == 0.012
    assert metrics == {"held_out_likelihood": -3.5, "cases": 120.0, "events": 120.0, "persons_followed": 5000.0}


def test_the_source_names_products_years_study_run_and_the_versions_of_data_and_code():
    assert compile_findings(material()).source == f"Source: SNDS (DCIR, MCO) 2014 to 2017; study fall, {VERSIONS}."


def test_a_study_without_its_late_flux_says_which_share_of_the_care_is_missing():
    notes = compile_findings(material(run=RUN | {"missing_periods": {"DCIR": ["2018-01", "2018-02"]}})).notes
    assert "DCIR: 2 periods that the study needs are not published." in notes
    assert any("1.2% of the care of the study is expected to be missing, 31.0% of that of its last" in n for n in notes)
    assert compile_findings(material()).metrics["care_still_to_come"] == 0.012


def test_the_source_of_made_up_persons_is_not_the_snds():
    source = compile_findings(material(run=RUN | {"synthetic": True})).source
    assert source == f"Source: SYNTHETIC data (DCIR, MCO) 2014 to 2017; study fall, {VERSIONS}."


def test_the_source_of_a_what_if_run_says_what_was_changed_or_how_much():
    age = {"age_minimum": {"file": 65, "run": 75}}
    more = {name: {"file": 1, "run": 2} for name in ("lags", "seed", "cv_folds")}
    named, counted = (compile_findings(material(run=RUN | {"changes": each})).source for each in (age, more))
    assert named.endswith(f"{VERSIONS}; what-if: youngest age 75, was 65.")
    assert counted.endswith(f"{VERSIONS}; what-if: 3 parameters differ from the study file.")
