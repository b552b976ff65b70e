"""The DAGs as Airflow reads them, in a process of their own: this one stays free of Airflow."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DUMP = Path(__file__).parent / "dump_dags.py"
WRONG = {
    "study__fall": {
        "age_minimum": 500,
        "study_start": "the first of May",
        "level": "molecule",
        "sites": ["moon"],
        "packs": ["340"],
        "season": "maybe",
        "root": "",
    },
    "snds_flatten": {"products": ["DCIRR"], "periods": ["2014-13"], "delivery": ""},
}

UNKNOWN = {
    "study__fall": {"age_minimun": 70, "sex": "women"},
    "snds_flatten": {"period": ["2014"], "Delivery": "d"},
}


@pytest.fixture(scope="session")
def read_dags() -> Callable[..., dict[str, Any]]:
    """Read all DAG files once more; `cohorts` is another folder of study files, `airflow_home` one that stays."""

    def read(cohorts: Path | None = None, airflow_home: Path | None = None, **tried: dict[str, Any]) -> dict[str, Any]:
        folders = {"cohorts": cohorts, "airflow_home": airflow_home}
        asked = json.dumps({**{name: str(folder) for name, folder in folders.items() if folder}, **tried})
        found = subprocess.run([sys.executable, str(DUMP), asked], capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stderr[-3000:]
        return dict(json.loads(found.stdout))

    return read


@pytest.fixture(scope="session")
def dumped(read_dags: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    """What the project's own DAG files give."""
    return read_dags(wrong=WRONG, unknown=UNKNOWN)
