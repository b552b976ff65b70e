"""MLflow's pages in a browser without a network: the run of a study, and nothing about language models."""

import re

import pytest
from headless import browser_without_network
from playwright.sync_api import expect

from parcours.tracking.runs import track
from parcours.tracking.view import NAME, view_address

pytestmark = pytest.mark.browser


@pytest.fixture
def tracked(mlflow_server, monkeypatch, tmp_path, record):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    return track(tmp_path, record("browsed"))


def test_the_link_of_a_run_opens_its_model_training_page(tracked):
    with browser_without_network() as browser:
        page = browser.open(tracked.url)
        expect(page.get_by_text("held_out_likelihood").first).to_be_visible()
        expect(page.get_by_text("browsed · 65 and over · data to 2016-02").first).to_be_visible()
        # The side bar of model training; that of language models has judges, datasets, prompts.
        links = set(re.findall(r'href="#/experiments/\d+/(\w[\w-]*)', page.content()))
        assert links <= {"runs", "models", "traces"} and {"runs", "models"} <= links
        assert browser.asked == []


def test_the_saved_view_of_a_study_shows_what_differs_and_what_was_found(tracked, mlflow_server):
    experiment = re.search(r"/experiments/(\d+)/", tracked.url).group(1)
    with browser_without_network() as browser:
        page = browser.open(view_address(mlflow_server, experiment))
        # An unknown view would be an error and the usual columns.
        expect(page.get_by_text(NAME).first).to_be_visible()
        expect(page.get_by_text("viewing a shared view").first).to_be_visible()
        expect(page.get_by_text("DCIR, MCO · data to 2016-02").first).to_be_visible()
        expect(page.get_by_text("Source", exact=True)).to_have_count(0)
        assert browser.asked == []


def test_the_assistant_neither_opens_nor_answers(mlflow_server, tracked):
    with browser_without_network() as browser:
        page = browser.open(f"{mlflow_server}/")
        expect(page.get_by_text("study/browsed").first).to_be_visible()
        # MLflow has its button on any local address: it stays hidden, and no conversation is open beside it.
        expect(page.get_by_text("MLflow Assistant").filter(visible=True)).to_have_count(0)
        expect(page.locator("[data-assistant-ui]").filter(visible=True)).to_have_count(0)
        answer = browser.open(f"{mlflow_server}/ajax-api/3.0/mlflow/assistant/config")
        assert answer.inner_text("body").startswith("Switched off")
        assert browser.asked == []
