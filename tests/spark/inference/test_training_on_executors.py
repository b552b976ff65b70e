"""The job of training, submitted to a Spark with executors of their own: the bytes of a training on one machine."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pyspark
import pytest

from parcours.stages.inference import PIECES, run_train
from parcours.storage.manifest import read_manifest
from tests.unit.tracking.study_run import HOME, make_run

pytestmark = pytest.mark.spark


def made(run_json):
    files = (path for path in (run_json.parent / "model").iterdir() if not path.name.startswith("_"))
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_executors_train_the_model_of_one_machine(tmp_path):
    alone, submitted = (make_run(tmp_path / name, persons=300, bootstrap=6) for name in ("alone", "submitted"))
    environment = os.environ | {
        "PYSPARK_SUBMIT_ARGS": "--master local-cluster[2,1,1024] pyspark-shell",
        "SPARK_HOME": str(Path(pyspark.__file__).parent),
        "PYTHONPATH": f"{HOME / 'src'}:{HOME}",
    }
    command = [sys.executable, str(HOME / "spark_jobs" / "inference.py"), "--run", str(submitted), "--stage", "train"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "9/9 bootstrap" in ended.stderr  # two folds, one piece of medicines, six draws
    run_train(alone)
    assert made(submitted) == made(alone)
    assert str(read_manifest(submitted.parent / "model")["spark_application"]).startswith("app-")
    assert read_manifest(alone.parent / "model")["spark_application"] is None
    assert list(tmp_path.rglob(PIECES)) == []
