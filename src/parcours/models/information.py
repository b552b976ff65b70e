"""Information (Hessian of the summed loss) of any tying of lags to columns, in one pass over the persons."""

from __future__ import annotations

import numpy as np

from parcours.models.likelihood import Likelihood, _arrays, _largest, fill_days, kernel


def information(likelihood: Likelihood, coefficients: np.ndarray, column: np.ndarray, n_columns: int) -> np.ndarray:
    """Information of tied curves and of the baseline, in events, shape (n_columns + parameters,) twice.

    column: (drugs * width,) the column that each lag is tied to, -1 for one that is held. The baseline's parameters
    come after the columns.
    """
    curves, parameters = np.split(coefficients, [likelihood.n_curves])
    design = likelihood.design.design
    bucket = likelihood.days.axis.bucket
    effect = np.repeat(curves, bucket)
    size = n_columns + design.shape[1]
    out, crossed, by_cell = np.zeros((size, size)), np.zeros((n_columns, len(design))), np.zeros(len(design))
    runs = _runs(column.reshape(-1, likelihood.days.axis.width), bucket)
    _information(
        *_arrays(likelihood.days),
        likelihood.weights,
        np.exp(design @ parameters),
        effect,
        np.exp(effect),
        *runs,
        n_columns,
        design,
        out,
        crossed,
        by_cell,
    )
    cross = crossed @ design
    out[:n_columns, n_columns:] += cross
    out[n_columns:, :n_columns] += cross.T
    out[n_columns:, n_columns:] += (design * by_cell[:, None]).T @ design
    return out


def _runs(column: np.ndarray, bucket: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Runs of days of each curve with one column: ptr (drugs + 1,), first day, day after the last, column."""
    ptr, low, high, owner = [0], [], [], []
    for lags in column:
        opens = np.flatnonzero(np.append(True, np.diff(lags) != 0))
        closes = np.append(opens[1:], len(lags))
        kept = lags[opens] >= 0
        low += list(opens[kept] * bucket)
        high += list(closes[kept] * bucket)
        owner += list(lags[opens[kept]])
        ptr.append(len(low))
    return tuple(np.array(values, dtype=np.int64) for values in (ptr, low, high, owner))  # type: ignore[return-value]


@kernel
def _information(
    curve_days,
    length,
    events,
    piece_ptr,
    piece_at,
    piece_cell,
    ptr,
    drug,
    at,
    first,
    days,
    dose,
    weights,
    base,
    effect,
    factor,
    run_ptr,
    run_low,
    run_high,
    run_column,
    n_columns,
    design,
    out,
    crossed,
    by_cell,
):
    """Add n_i * (mean of x x' - mean of x * mean of x') of each person to the columns, see `information`."""
    longest = length.max()
    day, running = np.empty(longest), np.empty(longest + 1)
    mass = np.empty(_largest(piece_ptr))
    most = _largest(ptr) * (_largest(run_ptr) if len(run_ptr) > 1 else 1) + 1
    low, high, column, scale = (
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.empty(most, np.int64),
        np.empty(most),
    )
    opening = np.empty(most, np.int64)
    mean, seen = np.zeros(out.shape[0]), np.empty(out.shape[0], np.int64)
    marked = np.zeros(out.shape[0], np.bool_)
    for person in range(len(length)):
        held = weights[person] * events[person]
        if held == 0.0:
            continue
        pieces = fill_days(
            person,
            curve_days,
            length,
            piece_ptr,
            piece_at,
            piece_cell,
            ptr,
            drug,
            at,
            first,
            days,
            dose,
            base,
            effect,
            factor,
            day,
            mass,
        )
        total = 0.0
        for piece in range(pieces):
            total += mass[piece]
        touched = 0
        opened = piece_ptr[person]
        for piece in range(pieces):
            cell = piece_cell[opened + piece]
            if cell >= 0:
                share = mass[piece] / total
                by_cell[cell] += held * share
                for parameter in range(design.shape[1]):
                    if design[cell, parameter] != 0.0:
                        target = n_columns + parameter
                        if not marked[target]:
                            marked[target] = True
                            seen[touched] = target
                            touched += 1
                        mean[target] += share
        intervals = 0
        summed = -1
        for row in range(ptr[person], ptr[person + 1]):
            for run in range(run_ptr[drug[row]], run_ptr[drug[row] + 1]):
                begin = max(run_low[run] - first[row], 0)
                until = min(run_high[run] - first[row], days[row])
                if begin < until:
                    low[intervals], high[intervals] = at[row] + begin, at[row] + until
                    column[intervals], opening[intervals] = run_column[run], at[row]
                    scale[intervals] = dose[row] if len(dose) else 1.0
                    intervals += 1
        # Running sums of the days that exposures cover; exposures come by their first day.
        for row in range(ptr[person], ptr[person + 1]):
            if at[row] > summed:
                running[at[row]] = 0.0
                summed = at[row]
            while summed < at[row] + days[row]:
                running[summed + 1] = running[summed] + day[summed]
                summed += 1
        for interval in range(intervals):
            target = column[interval]
            if not marked[target]:
                marked[target] = True
                seen[touched] = target
                touched += 1
            share = (running[high[interval]] - running[low[interval]]) / total * scale[interval]
            mean[target] += share
            piece = np.searchsorted(piece_at[opened : opened + pieces], low[interval], side="right") - 1
            begin = low[interval]
            while begin < high[interval]:
                until = min(high[interval], piece_at[opened + piece + 1]) if piece + 1 < pieces else high[interval]
                cell = piece_cell[opened + piece]
                if cell >= 0:
                    crossed[target, cell] += held * scale[interval] * (running[until] - running[begin]) / total
                begin = until
                piece += 1
            # Intervals come exposure by exposure in the order of their days: what follows can only meet this one as
            # long as its exposure begins before this interval ends. Each pair is met once.
            joint = (running[high[interval]] - running[low[interval]]) / total
            out[target, target] += held * joint * scale[interval] * scale[interval]
            for other in range(interval + 1, intervals):
                if opening[other] >= high[interval]:
                    break
                begin, until = max(low[interval], low[other]), min(high[interval], high[other])
                if begin < until:
                    joint = held * (running[until] - running[begin]) / total * scale[interval] * scale[other]
                    out[target, column[other]] += joint
                    out[column[other], target] += joint
        for m in range(touched):
            weighted = held * mean[seen[m]]
            for other in range(touched):
                out[seen[m], seen[other]] -= weighted * mean[seen[other]]
        for m in range(touched):
            mean[seen[m]] = 0.0
            marked[seen[m]] = False
