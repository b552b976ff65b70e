"""A real Airflow API server with the logins of the cluster (FAB), as a plain process, and a user of each role."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from waiting import eventually

from parcours.embedded import http
from parcours.embedded.airflow_api import Airflow
from parcours.embedded.environment import service_environment
from parcours.embedded.layout import Layout, keep_secrets
from parcours.embedded.ports import choose_ports
from parcours.embedded.processes import Record, is_alive, log_tail, start, stop_all
from parcours.embedded.services import airflow_services, migration
from parcours.home import project_home

ROLES = {"viewer": "Viewer", "epidemiologist": "User", "operator": "Op", "nobody": "Public"}


def password(user: str) -> str:
    """One that starts with a dash, as one in 64 does."""
    return f"-of {user}: é"


class FabAirflow:
    """The API server alone: nothing is run, only asked."""

    def __init__(self, home: Path) -> None:
        self.layout = Layout(home, project_home())
        self.layout.make()
        ports = choose_ports({}, set())
        self.url = f"http://127.0.0.1:{ports['airflow']}"
        self.server = next(service for service in airflow_services(ports) if service.name == "api-server")
        self.env = service_environment(self.layout, keep_secrets(self.layout), ports, os.environ) | {
            "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
        }
        self.records: list[Record] = []

    def begin(self) -> None:
        """As docker/role does on the cluster, and a user for each role."""
        self._run(migration())
        self._airflow("users", "create", "--username", "parcours", f"--password={password('parcours')}", *NAMED)
        self._airflow("roles", "add-perms", "User", "--action", "menu_access", "--resource", "HITL Detail")
        self._airflow("dags", "reserialize")
        log = self.layout.logs / "api-server.log"
        self.records.append(start(self.server.command, self.env, log, self.layout.state, "api-server"))
        eventually(lambda: self.server.ready(self.records[0].created), "the API server is ready")
        assert is_alive(self.records[0]), log_tail(log)
        for user, role in ROLES.items():
            self.add(user, role)

    def add(self, user: str, role: str) -> None:
        """Give a person a user, as an administrator does."""
        named = {"username": user, "email": f"{user}@localhost", "first_name": user, "last_name": user}
        self.as_user(
            "parcours", "/auth/fab/v1/users", "POST", {**named, "password": password(user), "roles": [{"name": role}]}
        )

    def as_user(self, user: str, path: str, method: str = "GET", body: dict[str, Any] | None = None) -> Any:
        """What Airflow answers to a user; raises http.Refused."""
        login = {"username": user, "password": password(user)}
        token = http.call(f"{self.url}/auth/token", "POST", login)["access_token"]
        return http.call(f"{self.url}{path}", method, body, token)

    def client(self, user: str) -> Airflow:
        """A client of Airflow, logged in as a user."""
        return Airflow(self.url, user, password(user))

    def stop(self) -> None:
        """End the process."""
        stop_all(self.records, str(self.layout.state))

    def _airflow(self, *arguments: str) -> None:
        self._run((sys.executable, "-m", "airflow", *arguments))

    def _run(self, command: tuple[str, ...]) -> None:
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


NAMED = ("--role", "Admin", "--firstname", "Parcours", "--lastname", "Parcours", "--email", "parcours@localhost")
