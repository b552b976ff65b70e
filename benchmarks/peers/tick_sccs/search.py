"""Find how early tick may stop and still reach an objective; runs in the environment of tick, and is not timed."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.inference_objective import objective, read_cases
from benchmarks.peers.tick_sccs.fit import learner, native
from benchmarks.peers.tick_sccs.stopping import loosest

MOST_EPOCHS, CONVERGED = 2000, 1e-12


def run(given: dict[str, Any]) -> dict[str, Any]:
    """Fit to convergence, epoch by epoch, and return where the run may stop so that it is as good as `target`.

    `tol` is the loosest power of ten by which the run does not end before `max_iter`; it ends fits of the bootstrap.
    The order of tick's random steps depends on its seed only, so that a timed run takes the same way.
    """
    cases = read_cases(Path(given["data"]))
    model = learner(cases, given, tol=CONVERGED, max_iter=MOST_EPOCHS, record_every=1, print_every=1)
    model.fit(*native(cases, cases.n_cases))
    told, curves = np.array(model._solver_obj.history.values["obj"]), model._solver_obj.history.values["x"]

    def reached(epoch: int) -> float:
        return objective(cases, curves[epoch - 1].reshape(cases.truth.shape), given["tv"], given["group"])

    limit = given["target"]
    near = [epoch for epoch, value in enumerate(told, 1) if value <= limit]
    enough = next((epoch for epoch in near if reached(epoch) <= limit), None)
    lowest = reached(len(told))
    if enough is None:
        return {"objective_converged": lowest}
    stopping = {"max_iter": enough, "tol": loosest(told[:enough])}
    return {"objective_converged": lowest, "objective": reached(enough), "stopping": stopping}


def main(settings: str, out: str) -> None:
    """Read the settings, write what was found, both as JSON."""
    Path(out).write_text(json.dumps(run(json.loads(Path(settings).read_text("utf-8")))), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
