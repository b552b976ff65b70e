"""A real Spark master with a worker, for each module of tests."""

from collections.abc import Iterator

import pytest
from standalone_cluster import Stack


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Started without Airflow; every process of it ends with the module."""
    made = Stack(tmp_path_factory.mktemp("home"))
    try:
        made.start_cluster()
        yield made
    finally:
        made.stop()
