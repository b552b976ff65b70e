"""The settings of every service, as environment variables and Spark's configuration files."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from parcours.embedded.layout import USER, Layout, Secrets
from parcours.embedded.processes import MARKER
from parcours.session import SHORT_JOB_JVM

# Settings of other installations in the user's shell would mix with ours.
FOREIGN = ("AIRFLOW_", "MLFLOW_", "SPARK_", "PARCOURS_", "PYSPARK_")
# Who gets mails about studies, from whom, and the mail server as an address of Airflow's: smtp://user:password@host:25.
MAIL = ("PARCOURS_MAIL_TO", "PARCOURS_MAIL_FROM")
MAIL_SERVER, MAIL_CONNECTION = "PARCOURS_MAIL_SERVER", "AIRFLOW_CONN_SMTP_DEFAULT"
TASK_TOKEN_SECONDS = 14 * 24 * 3600

# Most jobs here last seconds: the second compiler starts ten times later, which saves a third of a short job's CPU
# time (16.3 -> 10.7 s on two cores) and still comes in for long ones; one collector thread is enough for 1 GB.
HISTORY_JVM = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"

LOG4J = """\
rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yy/MM/dd HH:mm:ss} %p %c{1}: %m%n
# Says where the event log goes, hence the application's id: Airflow links to it while the job runs.
logger.history.name = org.apache.spark.deploy.history
logger.history.level = info
# Noise on every machine without Hadoop's native library or with a loopback address.
logger.native.name = org.apache.hadoop.util.NativeCodeLoader
logger.native.level = error
logger.network.name = org.apache.spark.util.Utils
logger.network.level = error
# What a task raised may quote a value of a row; the driver tells of it without.
logger.executor.name = org.apache.spark.executor.Executor
logger.executor.level = off
logger.tasks.name = org.apache.spark.scheduler.TaskSetManager
logger.tasks.level = off
"""


def parallel_jobs() -> int:
    """How many tasks run at once: each Spark job already uses every core, so few."""
    return max(2, min(4, (os.cpu_count() or 2) // 2))


def service_environment(
    layout: Layout, secrets: Secrets, ports: Mapping[str, int], inherited: Mapping[str, str]
) -> dict[str, str]:
    """Environment of every service and of every job that Airflow starts."""
    kept = {name: value for name, value in inherited.items() if not name.startswith(FOREIGN)}
    binaries = str(Path(sys.executable).parent)
    direct = ",".join(part for part in (kept.get("NO_PROXY") or kept.get("no_proxy"), "127.0.0.1", "localhost") if part)
    return kept | {
        MARKER: str(layout.state),
        "PATH": os.pathsep.join([binaries, kept.get("PATH", "")]),
        "NO_PROXY": direct,
        "no_proxy": direct,
        "PYTHONUNBUFFERED": "1",
        # Airflow renames its processes; without this it would wipe the mark by which they are found again.
        "SPT_NOENV": "1",
        "DO_NOT_TRACK": "1",
        **_parcours(layout, ports),
        **_spark(layout),
        **_airflow(layout, secrets, ports),
        **_mlflow(ports),
        **_mail(inherited),
    }


def urls(ports: Mapping[str, int]) -> dict[str, str]:
    """Addresses of the four servers."""
    return {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}


def _parcours(layout: Layout, ports: Mapping[str, int]) -> dict[str, str]:
    return {
        "PARCOURS_HOME": str(layout.checkout),
        "PARCOURS_ROOT": str(layout.root),
        "PARCOURS_DELIVERY": str(layout.delivery),
        "PARCOURS_AIRFLOW_URL": urls(ports)["airflow"],
        "PARCOURS_DATA_DOCS_URL": urls(ports)["docs"],
        "PARCOURS_SPARK_HISTORY_URL": urls(ports)["history"],
    }


def _mail(inherited: Mapping[str, str]) -> dict[str, str]:
    kept = {name: inherited[name] for name in MAIL if inherited.get(name)}
    server = inherited.get(MAIL_SERVER)
    return {**kept, MAIL_CONNECTION: server} if server else kept


def _spark(layout: Layout) -> dict[str, str]:
    return {
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_CONF_DIR": str(layout.spark_conf),
        # Spark's pages and block managers listen here, and not on every address.
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_DAEMON_MEMORY": "512m",
        "SPARK_DAEMON_JAVA_OPTS": HISTORY_JVM,
        "AIRFLOW_CONN_SPARK_DEFAULT": json.dumps({"conn_type": "spark", "host": "local[*]"}),
    }


def _mlflow(ports: Mapping[str, int]) -> dict[str, str]:
    return {
        "MLFLOW_TRACKING_URI": urls(ports)["mlflow"],
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GX_ANALYTICS_ENABLED": "false",
    }


def mlflow_server_settings(layout: Layout) -> dict[str, str]:
    """What `mlflow server --backend-store-uri ... --artifacts-destination ...` hands to its server process."""
    store = f"sqlite:///{layout.mlflow / 'mlflow.db'}"
    return {
        "MLFLOW_TRACKING_URI": store,
        "MLFLOW_REGISTRY_URI": store,
        "MLFLOW_SERVER_X_FRAME_OPTIONS": "SAMEORIGIN",
        "_MLFLOW_SERVER_FILE_STORE": store,
        "_MLFLOW_SERVER_REGISTRY_STORE": store,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(layout.mlflow / "artifacts"),
        "_MLFLOW_SGI_NAME": "uvicorn",
    }


def _airflow(layout: Layout, secrets: Secrets, ports: Mapping[str, int]) -> dict[str, str]:
    address = urls(ports)["airflow"]
    settings = {
        "core.dags_folder": layout.checkout / "dags",
        "core.plugins_folder": layout.checkout / "plugins",
        "core.load_examples": False,
        "core.executor": "LocalExecutor",
        "core.parallelism": parallel_jobs(),
        # Those that cannot run yet wait as scheduled, not as queued, where their token would run out.
        "core.max_active_tasks_per_dag": parallel_jobs(),
        "core.fernet_key": secrets.fernet_key,
        "core.auth_manager": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "core.simple_auth_manager_users": f"{USER}:admin",
        "core.simple_auth_manager_passwords_file": layout.password_file,
        "core.execution_api_server_url": f"{address}/execution/",
        "database.sql_alchemy_conn": f"sqlite:///{layout.airflow / 'airflow.db'}",
        "api.host": "127.0.0.1",
        "api.port": ports["airflow"],
        "api.base_url": address,
        "api.workers": 1,
        "api.secret_key": secrets.api_key,
        "api_auth.jwt_secret": secrets.jwt_key,
        # Tasks may run for days: their token must not end before them, nor a short outage of the server end them.
        "execution_api.jwt_expiration_time": TASK_TOKEN_SECONDS,
        # Also the life of a queued task's token: after the usual 600 s behind longer tasks its start is refused.
        "scheduler.task_queued_timeout": TASK_TOKEN_SECONDS,
        "workers.max_failed_heartbeats": 20,
        # Or else clearing a task that succeeded would find its old state and run nothing.
        "state_store.clear_on_success": True,
        "dag_processor.refresh_interval": 30,
        "dag_processor.min_file_process_interval": 30,
        "scheduler.scheduler_health_check_threshold": 60,
        "usage_data_collection.enabled": False,
        "logging.logging_level": "INFO",
    }
    names = {key: "AIRFLOW__" + "__".join(key.upper().split(".")) for key in settings}
    # With it the plan of a study writes the note of its DAG run.
    login = {"conn_type": "http", "host": "127.0.0.1", "port": ports["airflow"], "login": USER}
    note = {"AIRFLOW_CONN_AIRFLOW_API": json.dumps({**login, "password": secrets.password})}
    return {"AIRFLOW_HOME": str(layout.airflow), **note} | {names[key]: str(value) for key, value in settings.items()}


def write_spark_conf(layout: Layout) -> None:
    """Write spark-defaults.conf and the log configuration, read by jobs and by the history server."""
    events = layout.spark_events.as_uri()
    defaults = {
        "spark.driver.memory": "1g",
        "spark.driver.extraJavaOptions": SHORT_JOB_JVM,
        "spark.driver.host": "127.0.0.1",
        "spark.pyspark.python": sys.executable,
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": events,
        "spark.ui.showConsoleProgress": "false",
        "spark.history.fs.logDirectory": events,
        "spark.history.fs.update.interval": "5s",
        "spark.history.fs.cleaner.enabled": "true",
        "spark.history.fs.cleaner.maxAge": "30d",
    }
    lines = "".join(f"{name} {value}\n" for name, value in defaults.items())
    (layout.spark_conf / "spark-defaults.conf").write_text(lines, "utf-8")
    (layout.spark_conf / "log4j2.properties").write_text(LOG4J, "utf-8")
