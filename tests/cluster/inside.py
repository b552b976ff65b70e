"""Programs that tests run in a container: they see the cluster's network from inside. `inside.py NAME ARGUMENT...`."""

import json
import sys
import time
import urllib.request
from pathlib import Path

MASTER = "http://spark-master:6066/v1/submissions"
LISTENING = "0A"


def web(path: str, operation: str, method: str = "GET", body: bytes | None = None) -> bytes:
    """One call of HDFS's web interface."""
    address = f"http://namenode:9870/webhdfs/v1{path}?op={operation}&user.name=parcours"
    with urllib.request.urlopen(urllib.request.Request(address, body, method=method), timeout=60) as answer:
        return bytes(answer.read())


def write(path: str, text: str) -> dict[str, object]:
    """Write a file of HDFS, with the replication that HDFS itself gives it."""
    address = f"http://namenode:9870/webhdfs/v1{path}?op=CREATE&overwrite=true&noredirect=true&user.name=parcours"
    with urllib.request.urlopen(urllib.request.Request(address, method="PUT"), timeout=60) as answer:
        where = json.load(answer)["Location"]
    urllib.request.urlopen(urllib.request.Request(where, text.encode(), method="PUT"), timeout=60).close()
    return {"written": path}


def read(path: str) -> dict[str, object]:
    """Text of a file, or of the one part file of a folder that Spark wrote."""
    found = json.loads(web(path, "LISTSTATUS"))["FileStatuses"]["FileStatus"]
    parts = [f"{path}/{entry['pathSuffix']}" for entry in found if entry["pathSuffix"].startswith("part-")]
    return {"text": web(parts[0] if parts else path, "OPEN").decode()}


def replicas(path: str) -> dict[str, object]:
    """Wanted replication and the hosts of the blocks, of each file under a path, once all blocks are copied."""
    found = json.loads(web(path, "LISTSTATUS"))["FileStatuses"]["FileStatus"]
    files = [entry for entry in found if entry["type"] == "FILE" and entry["length"] > 0]
    told = {}
    for entry in files:
        file = f"{path}/{entry['pathSuffix']}".rstrip("/")
        hosts: set[str] = set()
        for _ in range(30):
            blocks = json.loads(web(file, "GETFILEBLOCKLOCATIONS"))["BlockLocations"]["BlockLocation"]
            hosts = set.intersection(*(set(block["hosts"]) for block in blocks))
            if len(hosts) == entry["replication"]:
                break
            time.sleep(1)
        told[file] = {"replication": entry["replication"], "hosts": sorted(hosts)}
    return {"files": told}


def submit(job: str, *folders: str) -> dict[str, object]:
    """Submit a job once for each folder, to the master as Airflow does, and follow all to their ends."""
    return {"ended": [ended(driver) for driver in [submitted(job, folder) for folder in folders]]}


def submitted(job: str, folder: str) -> str:
    """Id of the driver."""
    body = {
        "action": "CreateSubmissionRequest",
        "clientSparkVersion": "4.2.0",
        "mainClass": "org.apache.spark.deploy.SparkSubmit",
        "appResource": "",
        "appArgs": ["--master", "spark://spark-master:7077", "--name", "cluster test", job, folder],
        "environmentVariables": {},
        "sparkProperties": {"spark.app.name": "cluster test", "spark.master": "spark://spark-master:7077"},
    }
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{MASTER}/create", json.dumps(body).encode(), headers, method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(json.load(answer)["submissionId"])


def ended(driver: str) -> dict[str, object]:
    """Last state of a driver, and the worker it ran on."""
    state = {"driverState": "SUBMITTED"}
    while state["driverState"] in ("SUBMITTED", "RUNNING"):
        time.sleep(2)
        with urllib.request.urlopen(f"{MASTER}/status/{driver}", timeout=60) as answer:
            state = json.load(answer)
    return {"driver": driver, "state": state["driverState"], "worker": state.get("workerHostPort")}


def listeners() -> dict[str, object]:
    """Ports that are listened on at other addresses than the loopback."""
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text("ascii").splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            address, port = local.split(":")
            if state == LISTENING and not loopback(address):
                ports.add(int(port, 16))
    return {"ports": sorted(ports)}


def loopback(address: str) -> bool:
    """Whether an address of /proc/net/tcp (little endian in groups of four bytes) is 127.x.x.x or ::1."""
    return address.endswith("7F") or address == "00000000000000000000000001000000"


if __name__ == "__main__":
    program = {p.__name__: p for p in (write, read, replicas, submit, listeners)}[sys.argv[1]]
    sys.stdout.write(json.dumps(program(*sys.argv[2:])))
