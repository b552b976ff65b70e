"""One fresh demo for all tests here, and a browser for each file of them."""

from collections.abc import Iterator

import pytest
from fresh_demo import Demo, fresh_demo
from headless import Browser, browser_without_network


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with fresh_demo(tmp_path_factory.mktemp("home")) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browser_without_network() as opened:
        yield opened
