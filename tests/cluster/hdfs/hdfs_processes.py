"""A real HDFS as plain processes: a namenode and a datanode of the jar that the containers use."""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyspark
from running_cluster import free_ports

CHECKOUT = Path(__file__).parents[3]
MAVEN = os.environ.get("MAVEN_URL", "https://repo1.maven.org/maven2")
NAMENODE = "org.apache.hadoop.hdfs.server.namenode.NameNode"
DATANODE = "org.apache.hadoop.hdfs.server.datanode.DataNode"
READY = "Hadoop:service=NameNode,name=FSNamesystem"


@dataclass
class Hdfs:
    """A running HDFS; `address` is hdfs://host:port."""

    address: str
    folder: Path
    processes: dict[str, subprocess.Popen[bytes]]

    def start(self, name: str) -> None:
        """Start the `namenode` or the `datanode`."""
        main = NAMENODE if name == "namenode" else DATANODE
        log = (self.folder / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(_java(self.folder, main), stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        """kill -9."""
        self.processes[name].kill()
        self.processes[name].wait()


def _java(folder: Path, *main: str) -> list[str]:
    jars = [folder / "conf", *(CHECKOUT / ".cache" / "hadoop").glob("*.jar"), Path(pyspark.__file__).parent / "jars/*"]
    return ["java", "-Xmx256m", "-cp", ":".join(str(jar) for jar in jars), *main]


def _configure(folder: Path) -> tuple[int, int]:
    rpc, web, data, data_web, data_rpc = free_ports(5)
    (folder / "conf").mkdir(parents=True)
    settings = {
        "core-site.xml": {"fs.defaultFS": f"hdfs://127.0.0.1:{rpc}", "hadoop.tmp.dir": str(folder / "data")},
        "hdfs-site.xml": {
            "dfs.replication": "1",
            "dfs.namenode.http-address": f"127.0.0.1:{web}",
            "dfs.datanode.address": f"127.0.0.1:{data}",
            "dfs.datanode.http.address": f"127.0.0.1:{data_web}",
            "dfs.datanode.ipc.address": f"127.0.0.1:{data_rpc}",
            "dfs.permissions.enabled": "false",
        },
    }
    for name, values in settings.items():
        rows = "".join(
            f"<property><name>{key}</name><value>{value}</value></property>" for key, value in values.items()
        )
        (folder / "conf" / name).write_text(f"<configuration>{rows}</configuration>")
    return rpc, web


def _wait_for_datanode(hdfs: Hdfs, web: int) -> None:
    for _ in range(240):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{web}/jmx?qry={READY}State", timeout=5) as answer:
                if b'"NumLiveDataNodes" : 1' in answer.read():
                    return
        except OSError:
            pass  # not listening yet
        time.sleep(0.5)
    raise AssertionError((hdfs.folder / "namenode.log").read_text()[-3000:])


@contextmanager
def hdfs_here(folder: Path) -> Iterator[Hdfs]:
    """Start an HDFS with one datanode, all of it in a folder; it ends with the context."""
    fetch = [sys.executable, str(CHECKOUT / "docker" / "fetch_hadoop.py"), MAVEN, str(CHECKOUT / ".cache" / "hadoop")]
    if not (CHECKOUT / ".cache" / "hadoop").is_dir():
        subprocess.run(fetch, check=True)
    rpc, web = _configure(folder)
    subprocess.run([*_java(folder, NAMENODE), "-format", "-nonInteractive"], check=True, capture_output=True)
    hdfs = Hdfs(f"hdfs://127.0.0.1:{rpc}", folder, {})
    try:
        for name in ("namenode", "datanode"):
            hdfs.start(name)
        _wait_for_datanode(hdfs, web)
        yield hdfs
    finally:
        for name in hdfs.processes:
            hdfs.kill(name)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def mlflow_here(folder: Path) -> Iterator[str]:
    """A tracking server with everything in a folder; its address."""
    folder.mkdir(parents=True)
    (port,) = free_ports(1)
    stores = ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", f"{folder}/artifacts"]
    command = [sys.executable, "-m", "mlflow", "server", *stores, "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("ab") as log:
        quiet = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        server = subprocess.Popen(command, stdout=log, stderr=log, env=quiet, start_new_session=True)
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
