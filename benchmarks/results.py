"""The result files: what every one of them says about the machine and the code."""

import json
import os
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from parcours.storage.fingerprint import code_version

HOME = Path(__file__).resolve().parents[1]
RESULTS = HOME / "benchmarks" / "results"
VERSIONS = ("pyspark", "duckdb", "pyarrow")


def machine() -> dict[str, Any]:
    """Processor, number of cores and memory (10^9 bytes) of this machine, and versions of the libraries."""
    models = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    kilobytes = next(int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal"))
    return {
        "cpu": models[0] if models else os.uname().machine,
        "cores": os.cpu_count(),
        "memory_gb": round(kilobytes * 1024 / 1e9, 1),
        "versions": {name: version(name) for name in VERSIONS},
    }


def _lines(path: str) -> list[str]:
    return Path(path).read_text("utf-8").splitlines()


def commit() -> str:
    """The commit that is checked out; `+changes` after it when the code is not as it was committed.

    Where git cannot say (an archive of the sources), the version of the code.
    """
    head = _git("rev-parse", "HEAD")
    if head is None:
        return code_version()
    changed = _git("status", "--porcelain", "--", "src", "benchmarks", ":!benchmarks/results")
    return f"{head}+changes" if changed else head


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(HOME), *arguments], capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def write_result(path: Path, result: dict[str, Any]) -> None:
    """Write a result file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".json.partial")
    partial.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    partial.replace(path)
