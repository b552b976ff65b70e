"""The counts of a report as cells of the ledger, and the report with these counts as they may leave."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from parcours.leaving import WITHHELD, Published
from parcours.release.cells import LOST, PERSONS, Cell, Span
from parcours.release.definitions import (
    EVENTS,
    ages_of,
    cases_source,
    chain_cells,
    cut_cell,
    events_source,
    exposed_source,
    sexes_of,
)
from parcours.release.withhold import Name
from parcours.reporting.compile import CASES as COUNTED_CASES
from parcours.reporting.compile import EVENTS as COUNTED_EVENTS
from parcours.reporting.compile import Material, describe_cases, events_after
from parcours.reporting.findings import AttritionStep, Breakdown, Findings
from parcours.reporting.texts import ENGLISH, texts_in
from parcours.stages.releases import followed_step, persons_by_step
from parcours.storage.fingerprint import fingerprint

IN_THE_MODEL = "cases in the model"
EXPOSED, AFTER = "exposed cases", "events after exposure"
BAND = re.compile(r"(\d+)\D+(\d+)")
BY_AGE, BY_MONTHS, BY_SITE = "events by age", "cases by months followed", "events by site"
CELLS = texts_in(ENGLISH)  # the ledger names cells in one language, whatever that of a report


def cells_of_report(material: Material, findings: Findings) -> list[Cell]:
    """Every count that a report tells, with the exact number and the mark it has by itself."""
    run, cases = material.run, int(material.summary["cases"])
    cells = chain_cells(run, _chain(material))
    events = int(material.summary["events"])
    cells.append(cut_cell(run, PERSONS, EVENTS, events_source(run), events, findings.events))
    shown = {panel.title: panel for panel in findings.breakdowns}
    for title, counted, counts in describe_cases(material, CELLS):
        if title in shown:
            cells += _table_cells(run, counted, counts, shown[title].counts)
    return [*cells, *_exposed_cells(material, findings, cases)]


def _chain(material: Material) -> dict[str, int]:
    """The steps of the attrition, closed by the cases of the model where these are others."""
    chain, cases = persons_by_step(material.attrition), int(material.summary["cases"])
    return chain if chain and list(chain.values())[-1] == cases else {**chain, IN_THE_MODEL: cases}


def _table_cells(
    run: Mapping[str, Any], counted: str, counts: Mapping[str, int], shown: Sequence[Published]
) -> Iterator[Cell]:
    """The cells of a breakdown, which add up to the cases or to the events."""
    whole = {COUNTED_CASES: cases_source, COUNTED_EVENTS: events_source}[counted](run)
    bands = [_band(label) for label in counts]
    banded = all(bands)
    table = (BY_MONTHS if counted == COUNTED_CASES else BY_AGE) if banded else BY_SITE
    for (label, count), mark, band in zip(counts.items(), shown, bands, strict=True):
        source = fingerprint([whole, table, "" if banded else label])
        cell = Cell(table, label, count, mark, source, whole, True, ages_of(run), sexes_of(run))
        years = _years(run) if table == BY_AGE else None
        yield replace(cell, band=band, years=years) if banded else cell


def _band(label: str) -> Span | None:
    found = BAND.fullmatch(label)
    return (int(found[1]), int(found[2])) if found else None


def _years(run: Mapping[str, Any]) -> int:
    """How many years older than at study start a person can be at an event, at most."""
    population = run["study"]["population"]
    return int(str(population["study_end"])[:4]) - int(str(population["study_start"])[:4]) + 1


def _exposed_cells(material: Material, findings: Findings, cases: int) -> Iterator[Cell]:
    """Exposed cases of each medicine, and their events under its curve."""
    after = events_after(material, findings.bucket_days)
    drugs = material.summary.get("drugs") or {}
    for drug, shown in zip(findings.peaks["drug"], findings.peaks["exposed"], strict=True):
        count = int(drugs.get(drug, {}).get("exposed_cases", 0))
        source = exposed_source(material.run, str(drug))
        cell = cut_cell(material.run, EXPOSED, str(drug), source, count, shown)
        yield replace(cell, within=cases_source(material.run))
    for drug, shown in zip(findings.peaks["drug"], findings.peaks["events_after"], strict=True):
        source = fingerprint([exposed_source(material.run, str(drug)), AFTER])
        cell = cut_cell(material.run, AFTER, str(drug), source, after.get(str(drug), 0), shown)
        first = material.run["study"]["outcomes"]["outcome_events"] == "first"  # one event a case
        within = exposed_source(material.run, str(drug)) if first else events_source(material.run)
        yield replace(cell, within=within)


def findings_as_told(findings: Findings, told: Mapping[Name, Published], material: Material) -> Findings:
    """The findings with each count as it leaves; a note where one is withheld for the sake of an earlier report."""
    chain = _chain(material)
    attrition = [
        AttritionStep(step.description, told[PERSONS, name], told.get((LOST, name), step.lost))
        for step, name in zip(findings.attrition, chain, strict=True)
    ]
    cases, events = told[PERSONS, list(chain)[-1]], told[PERSONS, EVENTS]
    followed = told[PERSONS, followed_step(persons_by_step(material.attrition))]
    followed = findings.persons_followed if isinstance(followed, int) else followed
    breakdowns = _breakdowns(findings, told, material, {COUNTED_CASES: cases, COUNTED_EVENTS: events})
    exposed, after = ([told[table, str(drug)] for drug in findings.peaks["drug"]] for table in (EXPOSED, AFTER))
    counts = {"cases": cases, "events": events, "persons_followed": followed}
    metrics = {name: value for name, value in findings.metrics.items() if isinstance(counts.get(name, 0), int)}
    withheld = WITHHELD in (*told.values(),)
    return replace(
        findings,
        attrition=attrition,
        cases=cases,
        events=events,
        persons_followed=followed,
        breakdowns=breakdowns,
        peaks=findings.peaks.assign(exposed=exposed, events_after=after),
        metrics=metrics,
        notes=[*findings.notes, *([CELLS.say("withheld_note")] if withheld else [])],
    )


def with_counts_of(told: Findings, other: Findings) -> Findings:
    """The findings of another language, of the same run, with the counts as they are told in the first."""
    steps = [
        replace(step, persons=mine.persons, lost=mine.lost)
        for step, mine in zip(other.attrition, told.attrition, strict=True)
    ]
    panels = [
        replace(panel, counts=mine.counts, total=mine.total)
        for panel, mine in zip(other.breakdowns, told.breakdowns, strict=True)
    ]
    withheld = CELLS.say("withheld_note") in told.notes
    notes = [*other.notes, *([texts_in(other.language).say("withheld_note")] if withheld else [])]
    return replace(
        other,
        attrition=steps,
        breakdowns=panels,
        cases=told.cases,
        events=told.events,
        persons_followed=told.persons_followed,
        peaks=other.peaks.assign(**{name: list(told.peaks[name]) for name in ("exposed", "events_after")}),
        metrics=told.metrics,
        notes=notes,
    )


def _breakdowns(
    findings: Findings, told: Mapping[Name, Published], material: Material, totals: Mapping[str, Published]
) -> list[Breakdown]:
    described = {title: (counted, counts) for title, counted, counts in describe_cases(material, CELLS)}
    panels = []
    for panel in findings.breakdowns:
        counted, counts = described[panel.title]
        cells = _table_cells(material.run, counted, counts, panel.counts)
        shown = [told[cell.name] for cell in cells]
        total = panel.total if isinstance(totals[counted], int) else totals[counted]
        panels.append(replace(panel, counts=shown, total=total))
    return panels
