"""Start and stop of the embedded platform."""

import contextlib
import fcntl
import hashlib
import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from parcours.embedded import ports as port_choice
from parcours.embedded.environment import service_environment, urls, write_spark_conf
from parcours.embedded.layout import USER, Layout, Secrets, keep_secrets
from parcours.embedded.processes import Record, is_alive, log_tail, start, stop_all, stop_one
from parcours.embedded.services import Service, airflow_services, migration, tracking_services
from parcours.errors import RetryableFault
from parcours.home import project_home

PATIENCE_SECONDS = 180.0


@dataclass(frozen=True)
class Platform:
    """A running platform: addresses (airflow, mlflow, history, docs), and who may log in."""

    layout: Layout
    urls: dict[str, str]
    user: str
    password: str
    password_file: Path
    started: tuple[str, ...]


def start_platform(home: Path, checkout: Path | None = None) -> Platform:
    """Start what does not run yet, wait until everything is ready, and say where it is.

    `home` holds the state (`.parcours`), `checkout` the DAGs and jobs (default: the project's home).
    Services that run already with the same settings stay as they are. Raises RetryableFault, with the end of
    its log, when a service dies or is not ready in time.
    """
    layout = Layout(home.resolve(), (checkout or project_home()).resolve())
    layout.make()
    with _locked(layout):
        records, kept_ports = _read(layout)
        secrets = keep_secrets(layout)
        ports = port_choice.choose_ports(kept_ports, _holders(records))
        _write_configuration(layout, ports)
        env = service_environment(layout, secrets, ports, os.environ)
        run = _Start(layout, env, ports, records)
        run.launch(tracking_services(layout, ports))
        _migrate(layout, env)
        run.launch(airflow_services(ports))
        run.wait()
    return _platform(layout, secrets, ports, tuple(run.launched))


def stop_platform(home: Path) -> list[str]:
    """Stop every process of the platform and no other; the names of the services that ran."""
    layout = Layout(home.resolve(), home.resolve())
    if not layout.state.is_dir():
        return []
    with _locked(layout):
        records, ports = _read(layout)
        running = [name for name, record in records.items() if is_alive(record)]
        stop_all(records.values(), str(layout.state))
        if layout.records.is_file():
            _write(layout, {}, ports)
    return running


def platform_status(home: Path) -> dict[str, Any]:
    """Which services run, and where."""
    layout = Layout(home.resolve(), home.resolve())
    records, ports = _read(layout)
    services = {name: {"pid": record.pid, "running": is_alive(record)} for name, record in records.items()}
    return {"services": services, "urls": urls(ports)}


class _Start:
    """One start: what runs already, what had to be launched."""

    def __init__(self, layout: Layout, env: dict[str, str], ports: dict[str, int], records: dict[str, Record]) -> None:
        self.layout = layout
        self.env = env
        self.ports = ports
        self.records = records
        self.services: list[Service] = []
        self.launched: list[str] = []

    def launch(self, services: Sequence[Service]) -> None:
        """Start those that do not run with these very settings."""
        for service in services:
            self.services.append(service)
            env = {**self.env, **service.settings}
            fingerprint = _fingerprint(service, env)
            record = self.records.get(service.name)
            if record and is_alive(record):
                if record.fingerprint == fingerprint:
                    continue
                stop_one(record)
            log = self.layout.logs / f"{service.name}.log"
            self.records[service.name] = start(service.command, env, log, self.layout.state, fingerprint)
            self.launched.append(service.name)
            _write(self.layout, self.records, self.ports)

    def wait(self) -> None:
        """Until every service is ready; a service that dies meanwhile is named with the end of its log."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        waiting = list(self.services)
        while waiting:
            for service in waiting:
                if not is_alive(self.records[service.name]):
                    raise RetryableFault(f"{self._named(service)} stopped while starting; {self._end_of_log(service)}")
            waiting = [service for service in waiting if not service.ready(self._since(service))]
            if waiting and time.monotonic() > deadline:
                late = waiting[0]
                raise RetryableFault(
                    f"{self._named(late)} was not ready after {PATIENCE_SECONDS:.0f} s; {self._end_of_log(late)}"
                )
            time.sleep(0.2 if waiting else 0)

    def _since(self, service: Service) -> float:
        return self.records[service.name].created

    def _named(self, service: Service) -> str:
        return f"The service {service.name}"

    def _end_of_log(self, service: Service) -> str:
        log = self.layout.logs / f"{service.name}.log"
        return f"its log {log} ends: {log_tail(log)}"


def _platform(layout: Layout, secrets: Secrets, ports: Mapping[str, int], started: tuple[str, ...]) -> Platform:
    return Platform(layout, urls(ports), USER, secrets.password, layout.password_file, started)


def _migrate(layout: Layout, env: Mapping[str, str]) -> None:
    """Make or upgrade Airflow's database, once for each version of Airflow."""
    stamp, database = layout.airflow / "migrated", layout.airflow / "airflow.db"
    current = version("apache-airflow-core")
    if database.is_file() and stamp.is_file() and stamp.read_text("utf-8") == current:
        return
    log = layout.logs / "migration.log"
    with log.open("wb") as output:
        done = subprocess.run(migration(), env=dict(env), stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise RetryableFault(f"Airflow's database could not be prepared; the log {log} ends: {log_tail(log)}")
    stamp.write_text(current, "utf-8")


def _write_configuration(layout: Layout, ports: Mapping[str, int]) -> None:
    write_spark_conf(layout)
    defaults = (layout.spark_conf / "spark-defaults.conf").read_text("utf-8")
    history = f"{defaults}spark.history.ui.port {ports['history']}\n"
    (layout.spark_conf / "history.conf").write_text(history, "utf-8")


def _fingerprint(service: Service, env: Mapping[str, str]) -> str:
    """What the service was started with: another command or another setting means a new start."""
    relevant = {
        name: value for name, value in env.items() if name.startswith(("AIRFLOW", "MLFLOW", "SPARK", "PARCOURS"))
    }
    return hashlib.sha256(json.dumps([service.command, relevant], sort_keys=True).encode()).hexdigest()[:16]


def _holders(records: Mapping[str, Record]) -> set[str]:
    """Servers whose process runs, hence whose port is held by us."""
    owners = {"api-server": "airflow", "mlflow": "mlflow", "spark-history": "history", "data-docs": "docs"}
    return {server for name, server in owners.items() if name in records and is_alive(records[name])}


def _read(layout: Layout) -> tuple[dict[str, Record], dict[str, int]]:
    if not layout.records.is_file():
        return {}, {}
    content = json.loads(layout.records.read_text("utf-8"))
    return {name: Record(**record) for name, record in content["services"].items()}, content["ports"]


def _write(layout: Layout, records: Mapping[str, Record], ports: Mapping[str, int]) -> None:
    content = {"ports": dict(ports), "services": {name: asdict(record) for name, record in records.items()}}
    fresh = layout.records.with_suffix(".tmp")
    fresh.write_text(json.dumps(content, indent=1), "utf-8")
    fresh.replace(layout.records)


@contextlib.contextmanager
def _locked(layout: Layout) -> Iterator[None]:
    """One start or stop at a time."""
    with layout.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
