"""Ports on 127.0.0.1: the usual one, or the next one that nobody holds."""

import socket

from parcours.errors import RetryableFault

USUAL = {"airflow": 8080, "mlflow": 5000, "history": 18080, "docs": 8090}
SEARCHED = 200


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:port now."""
    with socket.socket() as listener:
        # As servers do: a connection of the one that just stopped, still in TIME_WAIT, does not count.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(1)
        except OSError:
            return False
    return not _is_answered(port)


def _is_answered(port: int) -> bool:
    """A server bound to all addresses does not stop us from binding, and would be shadowed."""
    with socket.socket() as client:
        client.settimeout(0.2)
        return client.connect_ex(("127.0.0.1", port)) == 0


def choose_ports(kept: dict[str, int], held: set[str]) -> dict[str, int]:
    """A port for each server: the kept one while our own process holds it, else the usual one, else the next free.

    Raises RetryableFault when no port is free.
    """
    chosen = {name: kept[name] for name in USUAL if name in held}
    for name, usual in USUAL.items():
        if name not in chosen:
            chosen[name] = _next_free(usual, set(chosen.values()))
    return chosen


def _next_free(wanted: int, taken: set[int]) -> int:
    for port in range(wanted, wanted + SEARCHED):
        if port not in taken and is_free(port):
            return port
    raise RetryableFault(
        f"No port from {wanted} to {wanted + SEARCHED - 1} is free; stop what holds them and try again."
    )
