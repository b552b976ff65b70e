"""How far a run of the gate is: its steps differ in size, by what a view asks for and by the rows of its product."""

import logging
import sys
from collections.abc import Iterable, Mapping

from parcours.quality.catalogue import Catalogue, View
from parcours.storage.progress import Tell

# Seconds as once measured, of which the ratios matter: the tables, the start of Great Expectations, what Spark compiles
# for the first view, a view, a row of it, and the pages.
TABLES, RULES, FIRST_VIEW, PAGES = 2.5, 3.0, 3.5, 2.5
OF_A_VIEW = {"rows": 1.0, "counts": 0.7, "profile": 0.6}
OF_A_ROW = {"rows": 5e-6, "counts": 1e-6, "profile": 5e-7}

log = logging.getLogger(__name__)


class GateSteps:
    """Counts what is behind: tables, rules, view after view, pages; `rows` are those of each product."""

    def __init__(self, catalogues: Iterable[Catalogue], rows: Mapping[str, int], tell: Tell) -> None:
        views = [(view, rows.get(each.product or "", 0)) for each in catalogues for view in each.views]
        started = "great_expectations" in sys.modules
        self._work = {"tables": TABLES, "rules": 0.0 if started else RULES}
        self._work |= {view.name: _work(view, count) for view, count in views}
        if views and not started:
            self._work[views[0][0].name] += FIRST_VIEW
        self._work["pages"] = PAGES
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
