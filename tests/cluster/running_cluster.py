"""The cluster that the tests run against, and what they ask of it."""

import json
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parents[2]
PAGES = {"airflow-api-server": "AIRFLOW", "mlflow": "MLFLOW", "history": "HISTORY", "docs": "DOCS"}


@dataclass(frozen=True)
class Cluster:
    """A running cluster: the environment that names it, and the ports of its pages."""

    environment: dict[str, str]
    secrets_file: Path
    ports: dict[str, int]

    def make(self, target: str) -> str:
        """Run a make target of the project; its output."""
        return run(["make", "--no-print-directory", target], self.environment)

    def compose(self, *arguments: str, stdin: str = "") -> str:
        """Run `docker compose`; its output."""
        return run(["docker", "compose", *arguments], self.environment, stdin)

    def python(self, service: str, program: str, *arguments: str) -> str:
        """Run a program with the Python of a service's container, inside the network; what it prints."""
        return self.compose("exec", "-T", service, "python3", "-", *arguments, stdin=program)

    def containers(self) -> list[dict[str, Any]]:
        """What Docker tells about each container, running or ended."""
        ids = self.compose("ps", "--all", "--quiet").split()
        return list(json.loads(run(["docker", "inspect", *ids], self.environment))) if ids else []

    def states(self) -> dict[str, str | int]:
        """Of each service: health while it runs, exit code when it has ended."""
        told = {}
        for container in self.containers():
            state = container["State"]
            told[service_of(container)] = state["Health"]["Status"] if state["Running"] else state["ExitCode"]
        return told

    def secrets(self) -> dict[str, str]:
        """Name and value of each secret."""
        lines = self.secrets_file.read_text("utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def page(self, service: str, path: str = "/") -> str:
        """Address of a published page."""
        return f"http://127.0.0.1:{self.ports[service]}{path}"


def service_of(container: dict[str, Any]) -> str:
    """Name of the service that a container is."""
    return str(container["Config"]["Labels"]["com.docker.compose.service"])


def run(command: list[str], environment: dict[str, str], stdin: str = "") -> str:
    """Output of a command; a failure shows what it said."""
    done = subprocess.run(command, cwd=HOME, env=environment, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
