"""The cluster that the tests run against, and what they ask of it."""

import json
import re
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from parcours.embedded.airflow_api import Airflow

HOME = Path(__file__).resolve().parents[2]
INSIDE = (Path(__file__).parent / "inside.py").read_text("utf-8")
PAGES = {"airflow-api-server": "AIRFLOW", "mlflow": "MLFLOW", "docs": "DOCS"}


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
        return run(["docker", "compose", "--env-file", str(self.secrets_file), *arguments], self.environment, stdin)

    def python(self, service: str, program: str, *arguments: str) -> str:
        """Run a program with the Python of a service's container, inside the network; what it prints."""
        return self.compose("exec", "-T", service, "python3", "-", *arguments, stdin=program)

    def inside(self, service: str, name: str, *arguments: str) -> dict[str, Any]:
        """What a program of inside.py answers from a service's container."""
        return dict(json.loads(self.python(service, INSIDE, name, *arguments)))

    def cut_network(self, service: str, seconds: int) -> None:
        """Take the network of a service away for a while, from a container that shares it and may do so."""
        shared = ("--network", f"container:{self.compose('ps', '--quiet', service).strip()}", "--cap-add", "NET_ADMIN")
        root = ("--user", "0", "--entrypoint", "python3", "parcours", "-", "cut_network", str(seconds))
        run(["docker", "run", "--rm", "--interactive", *shared, *root], self.environment, INSIDE)

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

    def airflow(self) -> Airflow:
        """A client of Airflow, logged in."""
        return Airflow(self.page("airflow-api-server", ""), "parcours", self.secrets()["PARCOURS_AIRFLOW_PASSWORD"])

    def put(self, folder: Path, target: str) -> None:
        """Copy a folder of this machine to HDFS, as docs/how-to/cluster.md says."""
        run(["chmod", "-R", "a+rX", str(folder)], self.environment)
        self.hdfs(folder, "ro", "-put", "/exchange", target)

    def get(self, source: str, folder: Path) -> Path:
        """Copy a folder of HDFS to this machine, into a folder that is made."""
        folder.mkdir(mode=0o777)
        folder.chmod(0o777)
        self.hdfs(folder, "rw", "-get", source, "/exchange")
        return folder / Path(source).name

    def hdfs(self, folder: Path, mode: str, *command: str) -> None:
        """The HDFS client, with a folder of this machine at /exchange."""
        self.compose("run", "--rm", "--no-deps", "--volume", f"{folder}:/exchange:{mode}", "hdfs", "hdfs", *command)

    def page(self, service: str, path: str = "/") -> str:
        """Address of a published page."""
        return f"http://127.0.0.1:{self.ports[service]}{path}"


def tables(root: Path, *kinds: str) -> dict[str, pa.Table]:
    """Of each Parquet file its rows in one order; the parts that Spark's tasks wrote are one table."""
    found: dict[str, list[pa.Table]] = {}
    for file in sorted(file for kind in kinds for file in (root / kind).rglob("*.parquet")):
        name = re.sub(r"part-.*", "part", file.relative_to(root).as_posix())
        found.setdefault(name, []).append(pq.read_table(file, partitioning=None))
    return {name: in_order(pa.concat_tables(parts)) for name, parts in found.items()}


def in_order(table: pa.Table) -> pa.Table:
    """Rows sorted by all columns that have an order."""
    keys = [(field.name, "ascending") for field in table.schema if not pa.types.is_nested(field.type)]
    return table.sort_by(keys).combine_chunks()


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
