"""The three uses of the platform by a person with a browser: ask what would be if, compare, approve; then every page.

The tests run in order on one fresh demo, and the person keeps pictures of what is seen. The network is cut.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fresh_demo import Demo
from headless import NARROW, WIDE, Browser, row_about, widths_of_pictures
from playwright.sync_api import Locator, Page, expect
from whole_page import all_that_is_said, grave_faults, keep_picture, keyboard_faults, width_faults

from parcours.embedded import http
from parcours.embedded.demo import STUDY
from tests.unit.reporting.english_rest import english_words, has

# The first test carries the start of the platform and the whole chain.
pytestmark = [pytest.mark.browser, pytest.mark.timeout(1800)]

FIRST, ASKED = "65 and over", "67 and over"
RATIO = re.compile(r"\d+\.\d\d \(\d+\.\d\d to (\d+\.\d\d|∞)\)")
KINDS = {
    "home": r"/$",
    "home in Airflow": r"^/\?in=airflow&dag=study__fall$",
    "how to compare": r"^/how-to-compare\?",
    "no report": r"^/report\?",
    "report": r"/report/report\.html$",
    "comparison": r"/comparison\.html$",
    "gate of the data": r"^/quality/[^/]+/data_docs/index\.html$",
    "gate of a study": r"^/studies/.+/data_docs/index\.html$",
    "rules of a table": r"/data_docs/validations/.+\.html$",
}


@pytest.fixture(scope="module")
def page(browser: Browser, demo: Demo) -> Iterator[Page]:
    """The person's one window, logged in to Airflow."""
    window = browser.page()
    window.goto(demo.platform.urls["airflow"])
    window.locator("input[name=username]").fill(demo.platform.user)
    window.locator("input[name=password]").fill(demo.platform.password)
    window.keyboard.press("Enter")
    expect(window.get_by_role("link", name="Dags").first).to_be_visible()
    yield window
    window.context.close()
    assert browser.asked == []


def run_named(page: Page, name: str) -> Locator:
    """The row of a run on home."""
    return page.locator("table.runs tr").filter(has=page.locator("th", has_text=name))


def heading(page: Page, words: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_contain_text(words)


def test_a_what_if_is_asked_for_in_airflows_form(page: Page, demo: Demo) -> None:
    page.goto(demo.home)
    keep_picture(page, "home-first-run")
    run_named(page, FIRST).get_by_role("link", name="Airflow").click()
    page.get_by_role("button", name="Trigger").click()
    page.get_by_role("menuitem", name="Trigger again with this config").click()
    page.get_by_role("button", name="Who is followed, and when").click()
    page.get_by_label("Youngest age").fill("67")
    keep_picture(page, "trigger-form")
    page.get_by_role("dialog").get_by_role("button", name="Trigger").click()
    expect(page.get_by_text("Dag Run Triggered").first).to_be_visible()


def test_its_progress_and_its_name_are_seen(page: Page, demo: Demo) -> None:
    page.goto(demo.home)
    in_airflow = page.get_by_role("table", name="Runs in Airflow")
    expect(in_airflow).to_contain_text("Fall: Medicines and fractures after a fall")
    expect(page.get_by_role("progressbar").first).to_be_visible(timeout=120_000)
    expect(in_airflow).to_contain_text(ASKED)
    keep_picture(page, "home-running")
    page.reload()
    expect(run_named(page, ASKED)).to_contain_text("youngest age 67, was 65")
    demo.follow(STUDY, demo.newest(STUDY))
    page.reload()
    expect(run_named(page, ASKED)).to_contain_text("reported")


def test_its_report_is_one_click_from_home(page: Page, demo: Demo) -> None:
    page.goto(demo.home)
    run_named(page, ASKED).get_by_role("link", name="Report").click()
    heading(page, ASKED)
    keep_picture(page, "report")


def test_its_report_is_one_click_from_the_dag_and_from_its_run_in_airflow(page: Page, demo: Demo) -> None:
    for address in (demo.airflow_page(), demo.airflow_page("runs", demo.newest(STUDY))):
        page.goto(address)
        page.get_by_role("link", name="Report", exact=True).click()
        frame = page.frame_locator("iframe[title=Report]")
        expect(frame.get_by_role("heading", level=1)).to_contain_text(ASKED)
    keep_picture(page, "airflow-report")


def test_its_report_is_one_click_from_mlflow(page: Page, demo: Demo) -> None:
    page.goto(demo.home)
    run_named(page, ASKED).get_by_role("link", name="MLflow").click()
    expect(page.get_by_role("link", name="Report", exact=True)).to_be_visible()
    keep_picture(page, "mlflow-run")
    with page.expect_popup() as opened:
        page.get_by_role("link", name="Report", exact=True).click()
    heading(opened.value, ASKED)
    opened.value.close()


def test_it_is_compared_with_the_first_run(page: Page, demo: Demo) -> None:
    page.goto(demo.home)
    run_named(page, ASKED).get_by_role("link", name="Compare").click()
    told = demo.command(page.locator("pre").inner_text())
    assert "67 and over instead of 65 and over" in told
    page.get_by_role("link", name="Back to home").click()
    run_named(page, ASKED).get_by_role("link", name="Compare").click()
    heading(page, f"{ASKED} compared with {FIRST}")
    keep_picture(page, "comparison")
    assert row_about(page, "^Youngest age$") == ["Youngest age", "65", "67"]
    page.get_by_text("Table of all medicines").click()
    both = [row_about(page, f"^{name}$")[1:3] for name in estimated(demo)]
    assert any(RATIO.fullmatch(first) and RATIO.fullmatch(second) for first, second in both)


def estimated(demo: Demo) -> list[str]:
    """The medicines of which the first run tells a relative incidence."""
    rows = demo.result["screened"]["rows"]
    return [row["numbers"]["name"] for row in rows if row["numbers"]["ri"] is not None]


def test_it_is_approved_and_mlflow_says_so(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.platform.urls['airflow']}/required_actions")
    keep_picture(page, "required-actions")
    page.get_by_text(ASKED).first.click()
    page.get_by_role("textbox").fill("all controls are flat")
    expect(page.get_by_role("button", name="approved")).to_be_enabled()
    keep_picture(page, "sign-off")
    page.get_by_role("button", name="approved").click()
    demo.follow("sign_off", demo.newest("sign_off"))
    page.goto(f"{demo.platform.urls['mlflow']}/#/models/study-fall")
    expect(page.get_by_text("@ approved")).to_be_visible()
    keep_picture(page, "mlflow-approved")


@pytest.fixture(scope="module")
def pages(browser: Browser, demo: Demo) -> dict[str, str]:
    """One address of each kind of page, found by following every link from those opened first; all load whole."""
    browser.complaints.clear()
    first = ("", f"?in=airflow&dag={STUDY}", "how-to-compare?study=fall&later=a&earlier=b", "report?dag=snds_flatten")
    left, seen = [f"{demo.home}/{page}" for page in first], set[str]()
    while left:
        address = left.pop()
        if address in seen:
            continue
        seen.add(address)
        opened = browser.open(address)
        assert all(width > 0 for width in widths_of_pictures(opened)), address
        links: list[str] = opened.locator("a[href]").evaluate_all("links => links.map(link => link.href.split('#')[0])")
        left += [link for link in links if link.startswith(f"{demo.home}/")]
        opened.context.close()
    assert browser.asked == [] and browser.complaints == []
    paths = sorted(address.removeprefix(demo.home) for address in seen)
    found = {kind: next(path for path in paths if re.search(pattern, path)) for kind, pattern in KINDS.items()}
    return {kind: f"{demo.home}{path}" for kind, path in found.items()}


@pytest.mark.parametrize("kind", KINDS)
def test_every_page_is_reached_by_keyboard(browser: Browser, pages: dict[str, str], kind: str) -> None:
    assert keyboard_faults(browser, pages[kind]) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_every_page_is_right_on_a_telephone_and_on_a_screen(
    browser: Browser, pages: dict[str, str], kind: str, width: int
) -> None:
    assert width_faults(browser, pages[kind], width) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("width", "colours"), [(WIDE, "light"), (NARROW, "dark")])
def test_no_page_has_a_grave_fault(
    browser: Browser, pages: dict[str, str], kind: str, width: int, colours: str
) -> None:
    assert grave_faults(browser, pages[kind], width, colours) == []


def test_a_french_report_has_no_english_rest(browser: Browser, pages: dict[str, str], demo: Demo) -> None:
    assert has(all_that_is_said(browser.open(pages["report"])), "relative incidence of the window (log scale)")
    run_json = Path(demo.platform.layout.root, *pages["report"].split("/")[3:6], "run.json")
    run_json.write_text(json.dumps({**json.loads(run_json.read_text("utf-8")), "language": "fr"}), "utf-8")
    demo.job("inference.py", "--run", str(run_json), "--stage", "report")
    page = browser.open(pages["report"])
    said = all_that_is_said(page)
    assert page.locator("html").get_attribute("lang") == "fr" and has(said, "incidence relative de la fenêtre")
    assert [words for words in english_words() if has(said, words)] == []


def test_the_approval_is_mlflows_alias(demo: Demo) -> None:
    asked = f"{demo.platform.urls['mlflow']}/api/2.0/mlflow/registered-models/alias?name=study-fall&alias=approved"
    run = http.call(asked)["model_version"]["run_id"]
    told = http.call(f"{demo.platform.urls['mlflow']}/api/2.0/mlflow/runs/get?run_id={run}")["run"]["info"]["run_name"]
    assert ASKED in told
