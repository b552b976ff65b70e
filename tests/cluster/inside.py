"""Programs that tests run in a container: they see the cluster's network from inside. `inside.py NAME ARGUMENT...`."""

import fcntl
import json
import os
import signal
import socket
import struct
import sys
import time
import urllib.request
from pathlib import Path

MASTER = "http://spark-master:6066/v1/submissions"
LISTENING = "0A"
# <linux/sockios.h>, <linux/if.h>
GET_FLAGS, SET_FLAGS, INTERFACE_UP = 0x8913, 0x8914, 1


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


def drivers() -> dict[str, object]:
    """Of each driver that the master knows: its state and the host of its worker."""
    with urllib.request.urlopen("http://spark-master:8080/json/", timeout=60) as answer:
        page = json.load(answer)
    found = [*page["activedrivers"], *page["completeddrivers"]]
    return {driver["id"]: {"state": driver["state"], "host": host_of(driver["worker"])} for driver in found}


def host_of(worker: str) -> str:
    """The host in a worker's id, `worker-20261125084902-spark-worker-1-42031`."""
    return worker.split("-", 2)[2].rsplit("-", 1)[0] if worker.startswith("worker-") else worker


def commits(path: str) -> dict[str, object]:
    """When each period of a folder of flat tables was committed."""
    found = json.loads(web(path, "LISTSTATUS"))["FileStatuses"]["FileStatus"]
    periods = [entry["pathSuffix"] for entry in found if entry["pathSuffix"].startswith("period=")]
    told = {}
    for period in periods:
        files = json.loads(web(f"{path}/{period}", "LISTSTATUS"))["FileStatuses"]["FileStatus"]
        times = [entry["modificationTime"] for entry in files if entry["pathSuffix"] == "_MANIFEST.json"]
        if times:
            told[period] = times[0]
    return {"periods": told}


def kill(*words: str) -> dict[str, object]:
    """kill -9 of the processes of this container whose command line has all these words."""
    killed = []
    for folder in Path("/proc").glob("[0-9]*"):
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        if int(folder.name) not in (1, os.getpid()) and all(word in command for word in words):
            os.kill(int(folder.name), signal.SIGKILL)
            killed.append(command[:80])
    return {"killed": killed}


def cut_network(seconds: str) -> dict[str, object]:
    """Take the network away for a while; needs NET_ADMIN in the network of the container it is done to."""
    name = next(name for _, name in socket.if_nameindex() if name.startswith("eth"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        asked = struct.pack("16sH14x", name.encode(), 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(control, GET_FLAGS, asked))[1]
        fcntl.ioctl(control, SET_FLAGS, struct.pack("16sH14x", name.encode(), flags & ~INTERFACE_UP))
        time.sleep(float(seconds))
        fcntl.ioctl(control, SET_FLAGS, struct.pack("16sH14x", name.encode(), flags | INTERFACE_UP))
    return {"interface": name}


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
    program = {p.__name__: p for p in (write, read, replicas, submit, drivers, commits, kill, cut_network, listeners)}[
        sys.argv[1]
    ]
    sys.stdout.write(json.dumps(program(*sys.argv[2:])))
