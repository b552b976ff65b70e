"""The whole cluster, built and started for real by `make up` under a name, ports and secrets of its own."""

import os
from collections.abc import Iterator

import pytest
from running_cluster import PAGES, Cluster, free_ports


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Started once for all tests, and taken down with its volumes at the end, whatever happened."""
    secrets_file = tmp_path_factory.mktemp("cluster") / "secrets" / "cluster.env"
    ports = dict(zip(PAGES, free_ports(len(PAGES)), strict=True))
    environment = {
        **os.environ,
        "COMPOSE_PROJECT_NAME": "parcours-test",
        "PARCOURS_SECRETS": str(secrets_file),
        "PARCOURS_SCAN_HERE_GB": "0",  # the first reading is a job of its own, as of a large delivery
        **{f"PARCOURS_{name}_PORT": str(ports[service]) for service, name in PAGES.items()},
    }
    started = Cluster(environment, secrets_file, ports)
    try:
        started.make("up")
        yield started
    finally:
        started.make("down-volumes")
