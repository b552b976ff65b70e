"""The whole cluster, built and started for real by `make up` under a name, ports and secrets of its own."""

import os
import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from running_cluster import PAGES, Cluster, free_ports, run


@pytest.fixture(scope="session")
def starting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Future[Cluster]]:
    """Begins to build and start it, once for all tests: what one machine makes is made meanwhile.

    Taken down with its volumes at the end, whatever happened; what a run that was killed has left goes first.
    """
    secrets_file = tmp_path_factory.mktemp("cluster") / "secrets" / "cluster.env"
    ports = dict(zip(PAGES, free_ports(len(PAGES)), strict=True))
    environment = {
        **os.environ,
        "COMPOSE_PROJECT_NAME": "parcours-test",
        "PARCOURS_SECRETS": str(secrets_file),
        "PARCOURS_SCAN_HERE_GB": "0",  # the first reading is a job of its own, as of a large delivery
        **{f"PARCOURS_{name}_PORT": str(ports[service]) for service, name in PAGES.items()},
    }
    cluster = Cluster(environment, secrets_file, ports)

    def start() -> Cluster:
        cluster.make("down-volumes")
        _a_password_that_starts_with_a_dash(secrets_file, environment)
        cluster.make("up")
        return cluster

    try:
        with ThreadPoolExecutor(1) as thread:  # left when the start has ended: nothing starts while it is taken down
            yield thread.submit(start)
    finally:
        cluster.make("down-volumes")


def _a_password_that_starts_with_a_dash(secrets_file: Path, environment: dict[str, str]) -> None:
    """One in 64 does, and a command takes it for an option when it is given as a word of its own."""
    run(["scripts/cluster-secrets"], environment)
    secrets = secrets_file.read_text("utf-8")
    secrets_file.write_text(
        re.sub(r"^(PARCOURS_AIRFLOW_PASSWORD|PARCOURS_MLFLOW_PASSWORD)=.", r"\1=-", secrets, flags=re.M), "utf-8"
    )


@pytest.fixture(scope="session")
def cluster(starting: Future[Cluster]) -> Cluster:
    """The cluster, ready."""
    return starting.result()
