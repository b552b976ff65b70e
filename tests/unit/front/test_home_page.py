"""What a viewer reads on home, and where its links lead."""

import re
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from parcours.embedded import http
from parcours.embedded.docs_pages import LocalPages
from parcours.embedded.docs_server import serve
from parcours.front.addresses import Addresses
from parcours.front.airflow_facts import NO_ANSWER, AirflowFacts, Dag, DagRun
from parcours.front.home import Asked, home_page, read_root
from parcours.front.pages import Remembered
from parcours.front.study_part import Around

sys.path.insert(0, str(Path(__file__).parent))
from hand_made_root import FALL, OLDER, REFUSED, hand_made_root, write

ELSEWHERE = {"PARCOURS_AIRFLOW_URL": "http://127.0.0.1:18080", "PARCOURS_MLFLOW_URL": "http://127.0.0.1:15000"}
EMPTY = {"area", "base", "br", "col", "circle", "hr", "img", "input", "line", "link", "meta", "path", "rect"}


@dataclass
class Read(HTMLParser):
    """What is on a page: its texts, links, headings, ids, and whether its elements close."""

    links: dict[str, str] = field(default_factory=dict)
    loaded: list[str] = field(default_factory=list)
    headings: list[int] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    landmarks: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    written: str = ""
    open: list[str] = field(default_factory=list)
    _link: str | None = None

    def __post_init__(self) -> None:
        super().__init__()

    @property
    def text(self) -> str:
        return " ".join(self.written.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag not in EMPTY:
            self.open.append(tag)
        self.loaded += [told[name] or "" for name in ("src", "data") if name in told]
        self.loaded += [told["href"] or ""] if tag == "link" else []
        self.ids += [told["id"] or ""] if "id" in told else []
        self.headings += [int(tag[1])] if re.fullmatch("h[1-6]", tag) else []
        self.landmarks += [tag] if tag in ("header", "nav", "main", "footer") else []
        self.rows += [""] if tag == "tr" else []
        if tag == "a":
            self._link = told["href"] or ""
            self.links[self._link] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY:
            assert self.open.pop() == tag
        self._link = None if tag == "a" else self._link

    def handle_data(self, data: str) -> None:
        self.written += f"{data} "
        if "tr" in self.open:
            self.rows[-1] += f"{data} "
        if self._link is not None:
            self.links[self._link] += data


def read(page: str) -> Read:
    """A page, read; every element that it opens is closed, in order."""
    found = Read()
    found.feed(page)
    assert found.open == []
    return found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return hand_made_root(tmp_path / "root")


@pytest.fixture
def cohorts() -> Path:
    return Path(__file__).resolve().parents[3] / "cohorts"


def page_of(root: Path, cohorts: Path, asked: Asked | None = None, airflow: AirflowFacts = NO_ANSWER) -> Read:
    around = Around(
        Addresses("http://127.0.0.1:18080", "http://127.0.0.1:15000"), airflow, bool(asked and asked.framed)
    )
    return read(home_page(read_root(Remembered(LocalPages(root)), cohorts), asked or Asked(), around))


def row_of(page: Read, beginning: str) -> str:
    return next(" ".join(row.split()) for row in page.rows if " ".join(row.split()).startswith(beginning))


def test_a_study_tells_its_question_its_signals_and_its_runs_the_newest_first(root: Path, cohorts: Path) -> None:
    page = page_of(root, cohorts)
    assert "Medicines and fractures after a fall" in page.text
    assert row_of(page, "Escitalopram") == "Escitalopram raises 4.04 (2.39 to 6.55) 70 to 125"
    assert row_of(page, "Pravastatine") == "Pravastatine lowers 0.05 (0.00 to 0.46) 0 to 55"
    assert row_of(page, "Tramadol") == "Tramadol rises before the purchase 9.50 (3.10 to 22.00) 0 to 27"
    assert "Omeprazole" not in page.text
    newest, older = page.text.index(f"75 and over · data to 2016-04 {FALL}"), page.text.index(f"2016-02 {OLDER}")
    assert newest < older
    # The signals are those of the study as its file says, not of a run that changed it.
    assert "What stands out in fall · 65 and over" in page.text
    assert "75" in row_of(page, "fall · 75") and "65" in row_of(page, "fall · 75")
    assert "nothing: the study as its file says" in row_of(page, "fall · 65")


def test_a_refused_run_says_why_and_has_no_report(root: Path, cohorts: Path) -> None:
    page = page_of(root, cohorts)
    assert "refused by the gate" in row_of(page, "hip")
    assert "Rows lack a key column: fewer than 11 rows in 2016-01" in page.text and "/data/f" not in page.text
    # Its study file is gone, and its DAG with it.
    assert "none: it has no study file" in page.text
    assert not any("study__hip" in link for link in page.links)
    assert f"/studies/hip/{REFUSED}/quality/data_docs/index.html" in page.links
    assert f"/studies/hip/{REFUSED}/report/report.html" not in page.links


def test_flattening_tells_what_is_published_what_waits_and_what_is_missing(root: Path, cohorts: Path) -> None:
    page = page_of(root, cohorts)
    assert row_of(page, "DCIR 2016-01") == "DCIR 2016-01 2016-04 3 1 not published, 1 missing 2026-11-02 13:00"
    assert "/delivery/raw" in page.text
    assert "/quality/first/data_docs/index.html" in page.links  # the last refusal
    around = Around(Addresses(), NO_ANSWER, framed=False)
    written = home_page(read_root(Remembered(LocalPages(root)), cohorts), Asked(), around)
    assert 'aria-label="2 months published; committed, not published: 04; missing: 03"' in written
    assert [written.count(f'rect class="{state}"') for state in ("published", "committed", "missing")] == [2, 1, 1]


@pytest.fixture
def served(root: Path, cohorts: Path) -> Iterator[str]:
    server = serve(LocalPages(root), 0, cohorts=cohorts, environment=ELSEWHERE)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_every_link_leads_somewhere(served: str) -> None:
    page = read(http.call(f"{served}/"))
    inside = [link for link in page.links if link.startswith("/")]
    assert len(inside) >= 7
    for link in inside:
        assert http.call(f"{served}{link}"), link
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    outside = [link for link in page.links if link.startswith("http")]
    assert f"http://127.0.0.1:15000/#/experiments/1/runs/{FALL}" in outside
    assert {"http://127.0.0.1:18080/dags/study__fall", "http://127.0.0.1:18080/dags/snds_flatten"} <= set(outside)
    assert "http://127.0.0.1:18080/dags/study__fall/runs/manual__1" in outside
    assert all(link.startswith(tuple(ELSEWHERE.values())) for link in outside)
    assert page.links[f"/studies/fall/{FALL}/comparisons/{OLDER}/comparison.html"].startswith("Compare")


def test_an_address_that_is_not_configured_has_no_link(root: Path, cohorts: Path) -> None:
    around = Around(Addresses(), NO_ANSWER, framed=False)
    page = read(home_page(read_root(Remembered(LocalPages(root)), cohorts), Asked(), around))
    assert all(link.startswith(("/", "#")) for link in page.links)


def test_nothing_is_loaded_from_elsewhere_and_only_airflow_may_frame_the_page(served: str) -> None:
    import urllib.request

    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{served}/", timeout=10) as answer:
        policy, page = answer.headers["Content-Security-Policy"], read(answer.read().decode())
    assert page.loaded and all(source.startswith(("/", "data:")) for source in page.loaded)
    assert all(http.call(f"{served}{source}") for source in page.loaded if source.startswith("/"))
    assert "frame-ancestors http://127.0.0.1:18080 'self'" in policy and "default-src 'self'" in policy
    assert "<script>" not in str(page) and "http" not in http.call(f"{served}/home.css")


def test_in_a_frame_no_link_leads_where_a_frame_may_not_go(root: Path, cohorts: Path) -> None:
    page = page_of(root, cohorts, Asked(framed=True))
    assert all(link.startswith(("/", "#")) for link in page.links)


@pytest.mark.parametrize(
    ("asked", "told", "not_told"),
    [
        (Asked("study__fall"), ["fall · 65 and over", "fall · 75 and over"], ["DCIR", "hip"]),
        (Asked("study__fall", "manual__1"), [f"2016-04 {FALL}"], ["DCIR", f"2016-02 {OLDER}"]),
        (Asked("study__fall", "manual__2"), [f"2016-04 {FALL}", f"2016-02 {OLDER}"], ["DCIR"]),
        (Asked("snds_flatten"), ["DCIR"], ["fall · 65 and over", "Studies"]),
    ],
)
def test_airflow_shows_the_part_of_a_dag_or_of_a_run(
    root: Path, cohorts: Path, asked: Asked, told: list[str], not_told: list[str]
) -> None:
    page = page_of(root, cohorts, asked)
    assert all(words in page.text for words in told) and not any(words in page.text for words in not_told)


def test_airflow_tells_the_next_run_and_what_runs_and_its_silence_breaks_nothing(root: Path, cohorts: Path) -> None:
    facts = AirflowFacts(
        asked=True,
        answers=True,
        dags={"study__fall": Dag(False, "2026-12-01T06:00:00Z"), "snds_flatten": Dag(True, "")},
        running=(
            DagRun(
                "study__fall", "manual__9", "running", "2026-11-30T12:00:00Z", "Fall: fractures", "fall · 75 and over"
            ),
            DagRun("snds_flatten", "scheduled__1", "queued", ""),
        ),
    )
    page = page_of(root, cohorts, airflow=facts)
    assert "2026-12-01 06:00" in page.text and "paused in Airflow" in page.text
    assert "fall · 75 and over" in page.links["http://127.0.0.1:18080/dags/study__fall/runs/manual__9"]
    assert row_of(page, "Fall: fractures") and row_of(page, "snds_flatten").startswith("snds_flatten scheduled__1")
    silent = page_of(root, cohorts)
    assert "Airflow does not answer" in silent.text and "Escitalopram" in silent.text


def test_the_page_is_in_order_for_who_hears_it(root: Path, cohorts: Path) -> None:
    page = page_of(root, cohorts)
    assert page.landmarks == ["header", "nav", "main", "footer"]
    assert page.headings[0] == 1 and page.headings.count(1) == 1
    steps = zip(page.headings, page.headings[1:], strict=False)
    assert all(after <= before + 1 for before, after in steps)
    assert len(page.ids) == len(set(page.ids))
    assert all(words.strip() for words in page.links.values())


def test_nothing_small_and_nobody_is_on_the_page(root: Path, cohorts: Path, tmp_path: Path) -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "e2e"))
    from what_left import leaks

    around = Around(Addresses(), NO_ANSWER, framed=False)
    written = home_page(read_root(Remembered(LocalPages(root)), cohorts), Asked(), around)
    write(tmp_path / "left" / "home.html", written)
    assert leaks([tmp_path / "left"], frozenset({"RXGI488FS2ZBC8W87"})) == []
    assert not re.search(r"\b7 (?:rows|cases)", written)


def test_the_page_tells_what_is_new_at_once(root: Path, cohorts: Path) -> None:
    remembered = Remembered(LocalPages(root))
    around = Around(Addresses(), NO_ANSWER, framed=False)

    def shown() -> str:
        return home_page(read_root(remembered, cohorts), Asked(), around)

    before = shown()
    assert shown() == before
    write(root / "published/DCIR.json", {"periods": {"2016-04": "2016-04 flattened again"}})
    assert "2 not published" in shown()
    write(root / f"studies/hip/{REFUSED}/run.json", {"cohort": "hip", "fingerprint": REFUSED, "name": "hip · anew"})
    assert "hip · anew" in shown()


@pytest.mark.parametrize("there", ["nothing", "a run that was only planned", "a study file with a mistake"])
def test_a_root_of_which_little_is_there_has_a_page(there: str, tmp_path: Path) -> None:
    root, cohorts = tmp_path / "root", tmp_path / "cohorts"
    root.mkdir()
    cohorts.mkdir()
    told: dict[str, Any] = {"nothing": "No study yet"}
    if there == "a run that was only planned":
        write(root / f"studies/fall/{FALL}/run.json", {"cohort": "fall", "fingerprint": FALL})
        told[there] = "planned"
    if there == "a study file with a mistake":
        write(cohorts / "fall.yaml", "cohort: fall\ntitel: x\n")
        told[there] = "The study file has a mistake"
    assert told[there] in page_of(root, cohorts).text


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"cohort": "hip", "fingerprint": "1", "changes": 3}'])
def test_a_run_whose_file_is_damaged_is_told_beside_the_others(content: str, root: Path, cohorts: Path) -> None:
    write(root / f"studies/hip/{REFUSED}/run.json", content)
    page = page_of(root, cohorts)
    assert "a file of this run cannot be read" in row_of(page, "hip")
    assert row_of(page, "Escitalopram")


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("dag=study__fall&run=manual__1", f"report of {FALL}"),
        ("dag=study__fall", f"report of {OLDER}"),  # the newest of the study as its file says it
        (f"dag=sign_off&run=fall__{OLDER}", f"report of {OLDER}"),
        ("dag=study__fall&run=manual__2", "No report yet"),
        (f"dag=study__hip&run={REFUSED}", "No report yet"),
        ("dag=snds_flatten", "No report yet"),
    ],
)
def test_a_page_of_airflow_shows_its_report_at_once(root: Path, cohorts: Path, question: str, told: str) -> None:
    for mark in (FALL, OLDER):
        write(root / f"studies/fall/{mark}/report/report.html", f"report of {mark}")
    server = serve(LocalPages(root), 0, cohorts=cohorts, environment={})
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert told in http.call(f"http://127.0.0.1:{server.server_address[1]}/report?in=airflow&{question}")
    finally:
        server.shutdown()
        server.server_close()
