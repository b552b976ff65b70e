"""Texts of reports: the same keys in each language, numbers as the language writes them, and French without English."""

import math
import re
import string
from dataclasses import fields, replace
from html import unescape
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.text import Text

from parcours.cohort.parameters import parameter_table
from parcours.cohort.study import LANGUAGES, Population
from parcours.events.codelists import read_codelist
from parcours.reporting.page import report_page
from parcours.reporting.report import draw
from parcours.reporting.texts import FRENCH, languages, texts_in
from parcours.reporting.wording import step_text, subtitle_of, title_of
from tests.unit.reporting.english_rest import EN, FALL, FR, SHARED, english_words, every_step, has

HOME = Path(__file__).resolve().parents[3]


def placeholders(text):
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name)


def test_a_study_may_ask_for_the_languages_that_there_are_texts_for():
    assert languages() == LANGUAGES


@pytest.mark.parametrize("section", SHARED)
def test_both_languages_have_the_same_texts_with_the_same_placeholders(section):
    english, french = EN.sections[section], FR.sections[section]
    assert list(english) == list(french)
    assert {key: placeholders(text) for key, text in english.items()} == {
        key: placeholders(text) for key, text in french.items()
    }


def test_french_names_every_parameter_and_every_site_of_the_code_lists():
    assert list(FR.sections["parameters"]) == list(parameter_table())
    sites = read_codelist(HOME / "codelists" / "fracture_sites.csv")
    named = {row[column] for row in sites for column in ("site", "site_group")} | {"other"}
    assert set(FR.sections["sites"]) == named
    assert len(set(FR.sections["sites"].values())) == len(named)  # two sites of one name would be counted as one


@pytest.mark.parametrize(
    ("language", "value", "text"),
    [
        ("en", 2.312, "2.31"),
        ("fr", 2.312, "2,31"),
        ("en", 0.0, "0"),
        ("fr", 8e-7, "0"),
        ("fr", math.inf, "∞"),
        ("en", math.exp(14), "∞"),
        ("fr", 120.4, "120"),
        ("en", math.nan, "–"),
    ],
)
def test_relative_incidences(language, value, text):
    assert texts_in(language).ratio(value) == text


@pytest.mark.parametrize(
    ("told", "english", "french"),
    [
        (lambda t: t.count(1234567), "1,234,567", "1\u202f234\u202f567"),
        (lambda t: t.count("hidden"), "hidden", "masqué"),
        (lambda t: t.count("<11"), "<11", "<11"),
        (lambda t: t.interval(0.5, 2), "0.50 to 2.00", "0,50 à 2,00"),
        (lambda t: t.interval(math.nan, 2), "–", "–"),
        (lambda t: t.share(0.85), "85%", "85\u00a0%"),
        (lambda t: t.share(0.012, 1), "1.2%", "1,2\u00a0%"),
        (lambda t: t.p_value(0.34), "0.34", "0,34"),
        (lambda t: t.p_value(0.0123), "0.012", "0,012"),
        (lambda t: t.p_value(1e-9), "<0.001", "<0,001"),
        (lambda t: t.p_value(math.nan), "–", "–"),
        (lambda t: t.value("2017-12-31"), "2017-12-31", "31/12/2017"),
        (lambda t: t.value([0.5, 1]), "0.5, 1", "0,5\u00a0; 1"),
        (lambda t: t.value(True), "yes", "oui"),
        (lambda t: t.value([]), "none", "aucun"),
    ],
)
def test_numbers_dates_and_values(told, english, french):
    assert (told(EN), told(FR)) == (english, french)


def run_of(study, **population):
    declared = study.as_dict()
    declared["population"] |= population
    run = {"cohort": "fall", "title": "Falls: 65 and over", "subtitle": "All medicines", "titles": dict(study.titles)}
    return {**run, "study": declared, "data": {"DCIR": {"2018-06": "a"}}}


@pytest.mark.parametrize(
    ("changed", "title"),
    [
        ({}, "65 ans et plus, 2014 à 2017"),
        ({"sex": "women", "age_maximum": 79}, "femmes, 65 à 79 ans, 2014 à 2017"),
        ({"age_minimum": 0, "study_end": "2017-06-30"}, "tous les âges, du 01/01/2014 au 30/06/2017"),
    ],
)
def test_the_title_of_a_french_report_is_made_from_the_parameters(changed, title):
    run = run_of(FALL, **changed)
    assert title_of(run, FR) == f"Médicaments et fractures après une chute\u00a0: {title}"
    assert title_of(run, EN) == "Falls: 65 and over"  # as the plan wrote it


def test_the_subtitle_of_a_french_report_is_made_from_the_parameters():
    told = "Tous les médicaments, par substance\u00a0; fractures\u00a0: tous les sites"
    assert subtitle_of(run_of(FALL), FR) == f"{told}\u00a0; suivi du 01/01/2015 au 31/12/2017"


def test_every_step_of_the_attrition_has_its_french():
    population, steps = every_step()
    declared = {"population": {field.name: getattr(population, field.name) for field in fields(Population)}}
    declared["population"] |= {"study_start": "2014-01-01", "study_end": "2017-12-31"}
    told = {step.name: step_text({"step": step.name, "description": step.description}, declared, FR) for step in steps}
    assert set(FR.sections["attrition"]) == {*told, "persons", "cases"}
    assert all(told[step.name] != step.description for step in steps)
    assert told["age"] == "âgées de 65 à 120 ans au 01/01/2014"
    assert step_text({"step": "own", "description": "as it is"}, declared, FR) == "as it is"


def french(findings):
    """The findings as a French study's report has them."""
    sites = [FR.of("sites", site) for site in ("hip", "wrist", "spine", "ribs")]
    panels = [replace(findings.breakdowns[0], title=FR.say("events_by_site"), labels=sites)]
    steps = [replace(step, description="étape") for step in findings.attrition]
    run = run_of(FALL)
    return replace(
        findings,
        language=FRENCH,
        title=title_of(run, FR),
        subtitle=subtitle_of(run, FR),
        source="Source\u00a0: SNDS.",
        breakdowns=panels,
        attrition=steps,
        settings=FALL.as_dict(),
        changes={"age_minimum": {"file": 65, "run": 75}},
    )


def visible(page):
    """The text of a page, that of its pictures and labels too, without the names that are code."""
    page = re.sub(r"<style>.*?</style>|base64,[^\"]+", "", page, flags=re.DOTALL)
    spoken = re.findall(r'(?:alt|aria-label)="([^"]*)"', page)
    coded = r"<th scope=row>[a-z_]+\.?[a-z_0-9]*</th>(?:<td>[^<]*</td>){2}"  # name, title, value: words of study files
    return unescape(" ".join([re.sub(r"<[^>]+>", "\n", re.sub(coded, "", page)), *spoken]))


def test_a_french_report_has_no_english_rest(findings):
    quiet = findings.peaks.assign(flag="none", before="none")
    for told in (french(findings), replace(french(findings), peaks=quiet)):
        page = visible(report_page(told, {"forest": b"", "flowchart": b"", "breakdowns": b"", "curves-01": b""}, None))
        figures = [text.get_text() for figure in draw(told).values() for text in figure.findobj(Text)]
        rest = [words for words in english_words() if has(page, words) or has("\n".join(figures), words)]
        assert rest == []
        assert "Ce qui ressort" in page and not re.search(r"\d\.\d", "\n".join(figures))
    # Were a text forgotten, it would be found.
    assert has(visible(report_page(findings, {}, None)), "What stands out") and "What stands out" in english_words()


def test_a_french_page_says_so(findings):
    assert '<html lang="fr">' in report_page(french(findings), {}, None)
    assert '<html lang="en">' in report_page(findings, {}, None)


def test_figures_of_no_flag_and_of_many_medicines_are_drawn(findings):
    many = pd.concat([findings.peaks] * 5, ignore_index=True).assign(flag="none", before="none")
    told = replace(findings, peaks=many)
    forest = draw(told)["forest"]
    words = [text.get_text() for text in forest.findobj(Text)]
    assert "not flagged (40)" in words and any("40 of 70 medicines" in word for word in words)
