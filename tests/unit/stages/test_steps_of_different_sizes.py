"""The gate and the report tell how far they are by the size of their steps, and end at all of it."""

from collections.abc import Callable

import pytest

from parcours.quality.catalogue import load_catalogue
from parcours.quality.steps import GateSteps
from parcours.stages.report_steps import ReportSteps

Told = list[tuple[int, int, float, float]]


def gate(rows: int) -> Callable[[Told], None]:
    def run(told: Told) -> None:
        catalogue = load_catalogue("DCIR")
        steps = GateSteps(
            [catalogue],
            {"DCIR": rows},
            lambda done, total, label, share=None, soon=None: told.append((done, total, share or 0.0, soon or 0.0)),
        )
        for name in ("tables", "rules", *(view.name for view in catalogue.views), "pages"):
            steps.behind(name)

    return run


def report(figures: int) -> Callable[[Told], None]:
    def run(told: Told) -> None:
        steps = ReportSteps(
            figures,
            lambda done, total, label, share=None, soon=None: told.append((done, total, share or 0.0, soon or 0.0)),
        )
        for number in range(figures):
            steps.behind(f"figure {number}")
        steps.behind("MLflow run")

    return run


@pytest.mark.parametrize(
    "work",
    [gate(0), gate(2_500_000), gate(10**10), report(9), report(40)],
    ids=["an empty gate", "the gate of the demo", "a national gate", "the report of the demo", "a long report"],
)
def test_what_is_behind_grows_to_all_of_it(work: Callable[[Told], None]) -> None:
    told: Told = []
    work(told)
    assert [done for done, *_ in told] == sorted({done for done, *_ in told})
    assert told[-1][:2] == (told[-1][1], told[-1][1]) and told[-1][2:] == pytest.approx((1.0, 1.0))
    # Each step announces what the next one has told when it came.
    announced, came = [soon for *_, soon in told[:-1]], [share for _, _, share, _ in told[1:]]
    assert announced == pytest.approx(came)


def test_the_rows_of_a_product_make_its_largest_view_most_of_the_gate() -> None:
    small: Told = []
    large: Told = []
    gate(1_000)(small)
    gate(10**9)(large)
    of_the_rows = [told[3][2] - told[2][2] for told in (small, large)]  # after nothing, the tables and the rules
    assert of_the_rows[0] < 0.3 and of_the_rows[1] > 0.5
