"""Information (Hessian of the summed loss) of any tying of lags to columns, in one pass over the persons."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from parcours.models.likelihood import Likelihood, fill_days, fitted_of, given_of, kernel, largest, part, piece_end


def information(likelihood: Likelihood, coefficients: np.ndarray, column: np.ndarray, n_columns: int) -> np.ndarray:
    """Information of tied curves and of the baseline, in events, shape (n_columns + parameters,) twice.

    column: (drugs * width,) the column that each lag is tied to, -1 for one that is held. The baseline's parameters
    come after the columns.
    """
    design = likelihood.design.design
    size = n_columns + design.shape[1]
    out, crossed, by_cell = np.zeros((size, size)), np.zeros((n_columns, len(design))), np.zeros(len(design))
    runs = _runs(column.reshape(-1, likelihood.days.axis.width), likelihood.days.axis.bucket)
    fitted = fitted_of(likelihood, coefficients)
    _information(given_of(likelihood.days), fitted, likelihood.weights, runs, design, out, crossed, by_cell)
    cross = crossed @ design
    out[:n_columns, n_columns:] += cross
    out[n_columns:, :n_columns] += cross.T
    out[n_columns:, n_columns:] += (design * by_cell[:, None]).T @ design
    return out


class Runs(NamedTuple):
    """Runs of days of each curve with one column, drug by drug: days low..high-1 of the curve."""

    ptr: np.ndarray  # (drugs + 1,)
    low: np.ndarray
    high: np.ndarray
    column: np.ndarray


class Intervals(NamedTuple):
    """The runs of one person's exposures on the person's days low..high-1; `opening` is the exposure's first day."""

    low: np.ndarray
    high: np.ndarray
    column: np.ndarray
    opening: np.ndarray
    scale: np.ndarray


def _runs(column: np.ndarray, bucket: int) -> Runs:
    ptr, low, high, owner = [0], [], [], []
    for lags in column:
        opens = np.flatnonzero(np.append(True, np.diff(lags) != 0))
        closes = np.append(opens[1:], len(lags))
        kept = lags[opens] >= 0
        low += list(opens[kept] * bucket)
        high += list(closes[kept] * bucket)
        owner += list(lags[opens[kept]])
        ptr.append(len(low))
    return Runs(*(np.array(values, dtype=np.int64) for values in (ptr, low, high, owner)))


@part
def _list_intervals(given, runs, person, into):
    """Put the person's intervals into `into`, exposure by exposure in the order of their days; return their number."""
    number = 0
    for row in range(given.ptr[person], given.ptr[person + 1]):
        for run in range(runs.ptr[given.drug[row]], runs.ptr[given.drug[row] + 1]):
            begin = max(runs.low[run] - given.first[row], 0)
            until = min(runs.high[run] - given.first[row], given.days[row])
            if begin < until:
                into.low[number], into.high[number] = given.at[row] + begin, given.at[row] + until
                into.column[number], into.opening[number] = runs.column[run], given.at[row]
                into.scale[number] = given.dose[row] if len(given.dose) else 1.0
                number += 1
    return number


@part
def _running_sums(given, person, day, running):
    """Running sums of the days that exposures cover, each stretch from 0."""
    summed = -1
    for row in range(given.ptr[person], given.ptr[person + 1]):
        if given.at[row] > summed:
            running[given.at[row]] = 0.0
            summed = given.at[row]
        while summed < given.at[row] + given.days[row]:
            running[summed + 1] = running[summed] + day[summed]
            summed += 1


@part
def _add_baseline(given, person, held, total, mass, design, first_column, mean, by_cell):
    """Add the person's expected events by combination, and the means of the baseline's columns."""
    first = given.piece_ptr[person]
    for row in range(first, given.piece_ptr[person + 1]):
        cell = given.piece_cell[row]
        if cell >= 0:
            by_cell[cell] += held * mass[row - first] / total
            for parameter in range(design.shape[1]):
                mean[first_column + parameter] += mass[row - first] / total * design[cell, parameter]


@part
def _add_crossed(given, person, weight, low, high, running, crossed):
    """Add one interval's expected events by combination of the baseline to its row `crossed`."""
    first = given.piece_ptr[person]
    pieces = given.piece_ptr[person + 1] - first
    piece = np.searchsorted(given.piece_at[first : first + pieces], low, side="right") - 1
    while low < high:
        until = min(high, piece_end(given, person, piece))
        cell = given.piece_cell[first + piece]
        if cell >= 0:
            crossed[cell] += weight * (running[until] - running[low])
        low, piece = until, piece + 1


@part
def _add_pairs(intervals, number, weight, running, out):
    """Add the expected events of each interval, and twice those that two of them share."""
    for one in range(number):
        column, scaled = intervals.column[one], weight * intervals.scale[one]
        own = scaled * intervals.scale[one] * (running[intervals.high[one]] - running[intervals.low[one]])
        out[column, column] += own
        # What follows can only meet this interval as long as its exposure begins before the interval ends.
        for other in range(one + 1, number):
            if intervals.opening[other] >= intervals.high[one]:
                break
            low = max(intervals.low[one], intervals.low[other])
            high = min(intervals.high[one], intervals.high[other])
            if low < high:
                joint = scaled * intervals.scale[other] * (running[high] - running[low])
                out[column, intervals.column[other]] += joint
                out[intervals.column[other], column] += joint


@part
def _subtract_means(mean, marked, seen, touched, held, out):
    """Take the product of the means off, and set what was touched back to zero."""
    for one in range(touched):
        weighted = held * mean[seen[one]]
        for other in range(touched):
            out[seen[one], seen[other]] -= weighted * mean[seen[other]]
    for one in range(touched):
        mean[seen[one]] = 0.0
        marked[seen[one]] = False


@kernel
def _information(given, fitted, weights, runs, design, out, crossed, by_cell):
    """Add n_i * (mean of x x' - mean of x * mean of x') of each person to the columns, see `information`."""
    longest, columns = given.length.max(), out.shape[0] - design.shape[1]
    day, running, mass = np.empty(longest), np.empty(longest + 1), np.empty(largest(given.piece_ptr))
    most = largest(given.ptr) * largest(runs.ptr) + 1
    low, high = np.empty(most, np.int64), np.empty(most, np.int64)
    column, opening = np.empty(most, np.int64), np.empty(most, np.int64)
    intervals = Intervals(low, high, column, opening, np.empty(most))
    mean, seen, marked = np.zeros(out.shape[0]), np.empty(out.shape[0], np.int64), np.zeros(out.shape[0], np.bool_)
    for person in range(len(given.length)):
        held = weights[person] * given.events[person]
        if held == 0.0:
            continue
        total = fill_days(given, fitted, person, day, mass)
        _add_baseline(given, person, held, total, mass, design, columns, mean, by_cell)
        _running_sums(given, person, day, running)
        number, touched = _list_intervals(given, runs, person, intervals), 0
        for parameter in range(columns, len(mean)):
            if mean[parameter] != 0.0:
                marked[parameter] = True
                seen[touched] = parameter
                touched += 1
        for one in range(number):
            target = column[one]
            if not marked[target]:
                marked[target] = True
                seen[touched] = target
                touched += 1
            mean[target] += intervals.scale[one] * (running[high[one]] - running[low[one]]) / total
            _add_crossed(
                given, person, held * intervals.scale[one] / total, low[one], high[one], running, crossed[target]
            )
        _add_pairs(intervals, number, held / total, running, out)
        _subtract_means(mean, marked, seen, touched, held, out)
