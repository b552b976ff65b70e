"""Ports: the usual one, the one we hold, or the next that nobody holds."""

import socket
from collections.abc import Iterator

import pytest

from parcours.embedded import ports
from parcours.errors import RetryableFault


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_port_of_somebody_else_is_passed_over(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "USUAL", {"airflow": taken})
    chosen = ports.choose_ports({}, held=set())
    assert taken < chosen["airflow"] < taken + ports.SEARCHED


def test_a_server_bound_to_every_address_counts_as_taken() -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("0.0.0.0", 0))
        other.listen()
        assert not ports.is_free(other.getsockname()[1])


def test_the_port_that_our_own_server_holds_is_kept(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "USUAL", {"airflow": 1})
    assert ports.choose_ports({"airflow": taken}, held={"airflow"}) == {"airflow": taken}


def test_two_servers_never_get_the_same_port(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    monkeypatch.setattr(ports, "USUAL", {"airflow": free, "mlflow": free})
    chosen = ports.choose_ports({}, held=set())
    assert len(set(chosen.values())) == 2


def test_no_free_port_is_a_sentence(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "USUAL", {"airflow": taken})
    monkeypatch.setattr(ports, "SEARCHED", 1)
    with pytest.raises(RetryableFault, match=f"No port from {taken}"):
        ports.choose_ports({}, held=set())
