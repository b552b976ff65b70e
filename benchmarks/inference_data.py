"""Cases of a national study drawn from a known truth: many medicines, an age and a season trend, partial follow-up."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parcours.storage.fingerprint import fingerprint

DAYS = 1461  # four years
FIRST_DAY = 15_340  # 2012-01-01, in days since 1970-01-01
LAGS = 29  # days on which an exposure acts, that of its start included
EXPOSURES_PER_CASE = 15
RANK_OFFSET = 5  # exposures of the medicine of rank r are as 1 / (r + RANK_OFFSET): a few common, many rare
PLANTED = 20
PEAKS = (2.0, 1.5, 3.0, 0.5)  # relative incidences on the first day, in turn
DECAY_DAYS = 10.0  # of every second planted curve; the others are constant
AGES = (65.0, 95.0)  # years at the first day
AGE_GROWTH = 0.07  # of the log of the hazard, a year at 65
AGE_CURVATURE = 0.001  # more growth a year, for each year above 65
SEASON_WAVE = 0.15  # largest share by which a season moves the log of the hazard
CENSORED, TRUNCATED = 0.15, 0.10  # shares of cases who leave before the end, and who come after the start
LEAST_DAYS = 180  # of follow-up
CHUNK = 2000  # persons whose days are held at once
YEAR = 365.25


@dataclass(frozen=True)
class NationalCases:
    """Cases of one event each; days since 1970-01-01, ends inclusive, medicines by rank from the most common on."""

    start: np.ndarray  # (cases,)
    end: np.ndarray  # (cases,)
    birth: np.ndarray  # (cases,)
    event_day: np.ndarray  # (cases,)
    exposure_case: np.ndarray  # (exposures,) ascending
    exposure_drug: np.ndarray  # (exposures,)
    exposure_day: np.ndarray  # (exposures,) may lie before the follow-up
    truth: np.ndarray  # (drugs, LAGS) log relative incidence by day since the start of an exposure


def national_file(folder: Path, cases: int, drugs: int) -> Path:
    """The file of that many cases, drawn when it is not there yet; another generator gives another file."""
    path = folder / f"national-{cases}-{drugs}-{fingerprint([Path(__file__).read_text('utf-8')])}.npz"
    if not path.is_file():
        began = time.perf_counter()
        drawn = draw_national(cases, drugs, seed=cases)
        np.savez(path.with_suffix(".partial.npz"), **vars(drawn))
        path.with_suffix(".partial.npz").rename(path)
        sys.stderr.write(f"{cases} cases drawn in {time.perf_counter() - began:.1f} s\n")
    return path


def read_national(path: Path) -> NationalCases:
    """The cases of a file of `national_file`."""
    with np.load(path) as held:
        return NationalCases(**{name: held[name] for name in held.files})


def planted_curves(drugs: int) -> np.ndarray:
    """Log relative incidences, shape (drugs, LAGS): `PLANTED` medicines, spread over the ranks, have an effect."""
    truth, day = np.zeros((drugs, LAGS)), np.arange(LAGS)
    step = max(drugs // PLANTED, 1)
    for number, drug in enumerate(range(step // 2, drugs, step)):
        shape = np.exp(-day / DECAY_DAYS) if number % 2 else np.ones(LAGS)
        truth[drug] = np.log(PEAKS[number // 2 % len(PEAKS)]) * shape
    return truth


def draw_national(cases: int, drugs: int, seed: int) -> NationalCases:
    """Draw cases; events come from their exact law given the follow-up and the exposures of the case.

    Exposures do not depend on events: their days are uniform from `LAGS` days before the study to its end.
    """
    rng, truth = np.random.default_rng(seed), planted_curves(drugs)
    start, end = _follow_up(cases, rng)
    birth = FIRST_DAY - np.round(rng.uniform(*AGES, cases) * YEAR).astype(np.int64)
    case, drug, day = _exposures(cases, drugs, rng)
    chunks = [
        _event_days(slice(first, first + CHUNK), start, end, birth, (case, drug, day), truth, rng)
        for first in range(0, cases, CHUNK)
    ]
    return NationalCases(start, end, birth, np.concatenate(chunks), case, drug, day, truth)


def _follow_up(cases: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """First and last observed day, (cases,) each: the study, but for some who come late or leave early."""
    late, early = rng.random(cases) < TRUNCATED, rng.random(cases) < CENSORED
    start = np.where(late, rng.integers(0, DAYS // 2 - LEAST_DAYS, cases), 0)
    end = np.where(early, rng.integers(DAYS // 2, DAYS - 1, cases), DAYS - 1)
    return start + FIRST_DAY, end + FIRST_DAY


def _exposures(cases: int, drugs: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row of the case, of the medicine, and first day, (exposures,) each; no medicine starts twice on one day."""
    share = 1.0 / (np.arange(drugs) + 1 + RANK_OFFSET)
    case = np.repeat(np.arange(cases), rng.poisson(EXPOSURES_PER_CASE, cases))
    drug = np.searchsorted(np.cumsum(share / share.sum())[:-1], rng.random(len(case)), side="right")
    span = DAYS + LAGS
    key = np.unique((case * drugs + drug) * span + rng.integers(0, span, len(case)))
    return key // (drugs * span), key // span % drugs, key % span + FIRST_DAY - LAGS


def _event_days(
    held: slice,
    start: np.ndarray,
    end: np.ndarray,
    birth: np.ndarray,
    exposures: tuple[np.ndarray, np.ndarray, np.ndarray],
    truth: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Day of the event of each case in `held`: the probability of an observed day is as its hazard."""
    hazard = np.exp(_log_baseline(birth[held]) + _log_effects(held, len(start[held]), exposures, truth))
    day = FIRST_DAY + np.arange(DAYS)
    hazard[(day < start[held, None]) | (day > end[held, None])] = 0.0
    reached = np.cumsum(hazard, axis=1)
    point = rng.random(len(reached)) * reached[:, -1]
    return FIRST_DAY + (reached <= point[:, None]).sum(axis=1)


def _log_baseline(birth: np.ndarray) -> np.ndarray:
    """Log of the hazard by age and season, shape (persons, DAYS)."""
    day = FIRST_DAY + np.arange(DAYS)
    beyond = (day - birth[:, None]) / YEAR - AGES[0]
    return AGE_GROWTH * beyond + AGE_CURVATURE / 2 * beyond**2 + SEASON_WAVE * np.cos(2 * np.pi * day / YEAR)


def _log_effects(
    held: slice, persons: int, exposures: tuple[np.ndarray, np.ndarray, np.ndarray], truth: np.ndarray
) -> np.ndarray:
    """Sum of the curves of all exposures of the persons in `held`, shape (persons, DAYS)."""
    rows = slice(*np.searchsorted(exposures[0], [held.start, held.stop]))
    case, drug, day = (column[rows] for column in exposures)
    acts = truth[drug].any(axis=1)
    row, drug, at = case[acts] - held.start, drug[acts], day[acts] - FIRST_DAY + LAGS
    effects = np.zeros((persons, DAYS + 2 * LAGS))  # from LAGS days before the study to LAGS days after it
    for lag in range(LAGS):
        np.add.at(effects, (row, at + lag), truth[drug, lag])
    return effects[:, LAGS : LAGS + DAYS]
