import json

from benchmarks.results import HOME, RESULTS
from benchmarks.schedule import table


def test_the_how_to_shows_the_hours_of_the_result_file() -> None:
    result = json.loads((RESULTS / "schedule.json").read_text("utf-8"))
    text = (HOME / "docs" / "how-to" / "size-a-cluster.md").read_text("utf-8")
    assert table(result) in text
