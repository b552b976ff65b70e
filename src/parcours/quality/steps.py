"""How far a run of the gate is: its steps differ in size, by what a view asks for and by the rows of its product."""

import logging
import sys
from collections.abc import Iterable, Mapping

from parcours.quality.catalogue import Catalogue, View
from parcours.storage.progress import Tell

# Seconds as once measured, of which the ratios matter: the tables, the start of Great Expectations, a view, a row.
TABLES, RULES = 5.0, 19.0
OF_A_VIEW = {"rows": 3.0, "counts": 1.0, "profile": 2.0}
OF_A_ROW = {"rows": 1.3e-5, "counts": 1.5e-6, "profile": 0.0}

log = logging.getLogger(__name__)


class GateSteps:
    """Counts what is behind: the tables, the rules, then view after view; `rows` are those of each product."""

    def __init__(self, catalogues: Iterable[Catalogue], rows: Mapping[str, int], tell: Tell) -> None:
        views = [(view, rows.get(each.product or "", 0)) for each in catalogues for view in each.views]
        started = "great_expectations" in sys.modules
        self._work = {"tables": TABLES, "rules": 0.0 if started else RULES}
        self._work |= {view.name: _work(view, count) for view, count in views}
        self._all, self._behind, self._done, self._tell = sum(self._work.values()), 0.0, 0, tell
        tell(0, len(self._work), "reading the tables", 0.0, TABLES / self._all)

    def behind(self, name: str) -> None:
        """One more step is behind; the log hears `3/17 DCIR_rows`."""
        self._done += 1
        self._behind += self._work[name]
        log.info("%d/%d %s", self._done, len(self._work), name)
        soon = sum(list(self._work.values())[: self._done + 1])
        self._tell(self._done, len(self._work), name, self._behind / self._all, soon / self._all)


def _work(view: View, rows: int) -> float:
    return OF_A_VIEW[view.level] + rows * OF_A_ROW[view.level]
