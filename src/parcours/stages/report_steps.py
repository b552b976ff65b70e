"""How far a report is: reading, figure after figure, the run in MLflow; steps differ in size."""

import logging

from parcours.storage.progress import Tell

READ = "reading the model"
# Of the work of a page of curves, as once measured; with the first figure, matplotlib starts.
WORK = {READ: 0.1, "forest": 3.0, "flowchart": 0.6, "breakdowns": 0.5}
TRACKING = 4.0

log = logging.getLogger(__name__)


class ReportSteps:
    """Counts what is behind of a report of so many figures; reading is, when it is made."""

    def __init__(self, figures: int, tell: Tell) -> None:
        pages = max(0, figures + 1 - len(WORK))
        self._steps = [*WORK.values(), *[1.0] * pages, TRACKING]
        self._tell, self._done = tell, 0
        self.behind(READ)

    def behind(self, name: str) -> None:
        """One more step is behind; the log hears `3/11 curves-02`."""
        self._done += 1
        share, soon = (sum(self._steps[: self._done + more]) / sum(self._steps) for more in (0, 1))
        log.info("%d/%d %s", self._done, len(self._steps), name)
        self._tell(self._done, len(self._steps), name, share, soon)
