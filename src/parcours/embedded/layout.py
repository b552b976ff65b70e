"""Where the embedded platform keeps its state: everything under `<home>/.parcours`, nothing elsewhere."""

import json
import os
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

USER = "parcours"


@dataclass(frozen=True)
class Layout:
    """Paths of one platform: `home` holds its state, `checkout` holds the code it runs."""

    home: Path
    checkout: Path

    @property
    def state(self) -> Path:
        """Everything the platform writes."""
        return self.home / ".parcours"

    @property
    def airflow(self) -> Path:
        """Airflow's home: its SQLite database and the task logs."""
        return self.state / "airflow"

    @property
    def mlflow(self) -> Path:
        """MLflow's SQLite database and artifacts."""
        return self.state / "mlflow"

    @property
    def root(self) -> Path:
        """The root of flat tables and studies that the DAGs use unless told otherwise."""
        return self.state / "root"

    @property
    def delivery(self) -> Path:
        """The synthetic delivery of the demo."""
        return self.state / "delivery"

    @property
    def spark_events(self) -> Path:
        """Event logs, which the history server shows; in the root, as they tell exactly how many rows a step wrote."""
        return self.root / "_spark-events"

    @property
    def spark_conf(self) -> Path:
        """Spark's configuration folder."""
        return self.state / "spark-conf"

    @property
    def logs(self) -> Path:
        """One log for each service."""
        return self.state / "logs"

    @property
    def records(self) -> Path:
        """Which processes run, with their start times, and their ports."""
        return self.state / "services.json"

    @property
    def lock(self) -> Path:
        """Held while somebody starts or stops the platform."""
        return self.state / "platform.lock"

    @property
    def password_file(self) -> Path:
        """User and password of the Airflow pages, readable by the owner only."""
        return self.state / "airflow-password.json"

    @property
    def secrets_file(self) -> Path:
        """Signing keys of this platform, readable by the owner only."""
        return self.state / "secrets.json"

    def make(self) -> None:
        """Create the folders."""
        for folder in (
            self.airflow,
            self.mlflow / "artifacts",
            self.root / "quality",
            self.spark_events,
            self.spark_conf,
            self.logs,
        ):
            folder.mkdir(parents=True, exist_ok=True)


@dataclass(frozen=True)
class Secrets:
    """What only this platform knows; made once and kept."""

    password: str
    api_key: str
    jwt_key: str
    fernet_key: str


def keep_secrets(layout: Layout) -> Secrets:
    """The secrets of the platform, made on the first call and read back afterwards."""
    if not layout.secrets_file.is_file():
        made = {
            "password": secrets.token_urlsafe(12),
            "api_key": secrets.token_hex(32),
            "jwt_key": secrets.token_hex(32),
            "fernet_key": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        }
        _write_private(layout.secrets_file, made)
    kept = Secrets(**json.loads(layout.secrets_file.read_text("utf-8")))
    if not layout.password_file.is_file():
        _write_private(layout.password_file, {USER: kept.password})
    return kept


def _write_private(path: Path, content: dict[str, str]) -> None:
    """Write JSON that was never readable by others, not even for a moment."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file)
