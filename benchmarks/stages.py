"""Where a Spark program's time went, and what it moved: its stages and shuffles, from the event log."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CONFIGURATION = {
    "spark.eventLog.enabled": "true",
    "spark.eventLog.compress": "false",
    "spark.eventLog.rolling.enabled": "false",
}


def spark_stages(folder: Path, began: float) -> list[dict[str, Any]]:
    """Stages of the one program whose log is in `folder`: {stage, tasks, first, last, task_seconds}, in order.

    `first` and `last` are seconds after `began` (seconds since 1970); `task_seconds` adds up its tasks.
    """
    (log,) = folder.iterdir()
    worked: Counter[int] = Counter()
    stages = []
    for line in log.read_text("utf-8").splitlines():
        event = json.loads(line)
        if event["Event"] == "SparkListenerTaskEnd" and "Task Metrics" in event:
            worked[event["Stage ID"]] += event["Task Metrics"]["Executor Run Time"]
        if event["Event"] == "SparkListenerStageCompleted":
            stages.append(_stage(event["Stage Info"], began))
    return [{**stage, "task_seconds": round(worked[stage["stage"]] / 1000, 2)} for stage in stages]


def shuffle_bytes(folder: Path) -> tuple[int, int]:
    """Number of programs whose logs are in `folder`, and the bytes that their tasks wrote for shuffles."""
    logs = sorted(folder.iterdir())
    return len(logs), sum(written for log in logs for written in _shuffle_writes(log))


def _shuffle_writes(log: Path) -> Iterator[int]:
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith('{"Event":"SparkListenerTaskEnd"'):
                metrics = json.loads(line).get("Task Metrics") or {}
                yield metrics.get("Shuffle Write Metrics", {}).get("Shuffle Bytes Written", 0)


def _stage(info: dict[str, Any], began: float) -> dict[str, Any]:
    return {
        "stage": info["Stage ID"],
        "tasks": info["Number of Tasks"],
        "first": round(info["Submission Time"] / 1000 - began, 2),
        "last": round(info["Completion Time"] / 1000 - began, 2),
    }
