"""MLflow's pages in a browser without a network: the run of a study, and nothing about language models."""

import re

import pytest
from headless import browser_without_network

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
        assert "held_out_likelihood" in page and "browsed · 65 and over · data to 2016-02" in page
        # The side bar of model training; that of language models has judges, datasets, prompts.
        links = set(re.findall(r'href="#/experiments/\d+/(\w[\w-]*)', page))
        assert links <= {"runs", "models", "traces"} and {"runs", "models"} <= links
        assert browser.asked == []


def test_the_saved_view_of_a_study_shows_what_differs_and_what_was_found(tracked, mlflow_server):
    experiment = re.search(r"/experiments/(\d+)/", tracked.url).group(1)
    with browser_without_network() as browser:
        page = browser.open(view_address(mlflow_server, experiment))
        # Columns out of the window are not in the page; an unknown view would be an error and the usual columns.
        assert NAME in page and "viewing a shared view" in page
        assert "DCIR, MCO · data to 2016-02" in page and ">Source<" not in page
        assert browser.asked == []


def test_the_assistant_neither_opens_nor_answers(mlflow_server, tracked):
    with browser_without_network() as browser:
        page = browser.open(f"{mlflow_server}/")
        assert "study/browsed" in page
        # MLflow draws its button on any local address: it stays hidden, and no conversation is open beside it.
        assert page.count("MLflow Assistant") == page.count('class="assistant-fab-label">MLflow Assistant<') <= 1
        assert re.search(r"\[data-assistant-ui\][^{]*{ display: none !important; }", page)
        assert browser.open(f"{mlflow_server}/ajax-api/3.0/mlflow/assistant/config").count("Switched off") == 1
        assert browser.asked == []
