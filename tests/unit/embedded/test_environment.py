"""Settings of the services: they agree with each other, and secrets stay private."""

import json
import stat
from pathlib import Path

import pytest

from parcours.embedded.environment import service_environment, write_spark_conf
from parcours.embedded.layout import Layout, keep_secrets

PORTS = {"airflow": 8181, "mlflow": 5151, "history": 18181, "docs": 8191}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path, tmp_path / "checkout")
    made.make()
    return made


def environment(layout: Layout, **inherited: str) -> dict[str, str]:
    return service_environment(layout, keep_secrets(layout), PORTS, inherited)


def test_every_address_follows_the_port(layout: Layout) -> None:
    env = environment(layout)
    assert env["AIRFLOW__API__PORT"] == "8181"
    assert env["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:8181"
    assert env["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8181/execution/"
    assert env["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:5151"
    assert env["PARCOURS_DATA_DOCS_URL"] == "http://127.0.0.1:8191"


def test_a_task_may_run_for_a_week(layout: Layout) -> None:
    env = environment(layout)
    assert int(env["AIRFLOW__EXECUTION_API__JWT_EXPIRATION_TIME"]) >= 7 * 24 * 3600
    assert int(env["AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT"]) >= 7 * 24 * 3600
    assert int(env["AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS"]) == 20


def test_settings_of_another_airflow_in_the_shell_do_not_leak_in(layout: Layout) -> None:
    env = environment(layout, AIRFLOW__CORE__EXECUTOR="CeleryExecutor", SPARK_HOME="/opt/spark", LANG="fr_FR.UTF-8")
    assert env["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert "SPARK_HOME" not in env
    assert env["LANG"] == "fr_FR.UTF-8"


def test_a_proxy_is_for_the_outside_only(layout: Layout) -> None:
    env = environment(layout, NO_PROXY="intranet", HTTP_PROXY="http://proxy:3128")
    assert env["NO_PROXY"].split(",") == ["intranet", "127.0.0.1", "localhost"]


def test_spark_jobs_go_to_this_machine_and_leave_event_logs(layout: Layout) -> None:
    assert json.loads(environment(layout)["AIRFLOW_CONN_SPARK_DEFAULT"]) == {"conn_type": "spark", "host": "local[*]"}
    write_spark_conf(layout)
    lines = (layout.spark_conf / "spark-defaults.conf").read_text("utf-8").splitlines()
    settings = dict(line.split(" ", 1) for line in lines)
    assert settings["spark.eventLog.dir"] == settings["spark.history.fs.logDirectory"] == layout.spark_events.as_uri()


def test_secrets_are_made_once_and_are_the_owners_only(layout: Layout) -> None:
    first, second = keep_secrets(layout), keep_secrets(layout)
    assert first == second
    assert json.loads(layout.password_file.read_text("utf-8")) == {"parcours": first.password}
    for path in (layout.password_file, layout.secrets_file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_who_gets_mails_and_from_where_is_the_users_to_say(layout: Layout) -> None:
    said = {"PARCOURS_MAIL_TO": "desk@example.org", "PARCOURS_MAIL_SERVER": "smtp://mail.example.org:25"}
    env = environment(layout, **said)
    assert env["PARCOURS_MAIL_TO"] == "desk@example.org"
    assert env["AIRFLOW_CONN_SMTP_DEFAULT"] == "smtp://mail.example.org:25"
    assert not {"PARCOURS_MAIL_TO", "AIRFLOW_CONN_SMTP_DEFAULT"} & set(environment(layout))
