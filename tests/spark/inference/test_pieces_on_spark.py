"""Pieces of a training as tasks of a real Spark: the bits of threads, each kept when it comes back."""

import json
import os

import numpy as np
import pytest

from parcours.errors import InputError
from parcours.models import ConvSCCS
from parcours.models.solver import NotConverged
from parcours.stages.replicates import committed, here, on_spark
from tests.models.simulation import Truth, draw_series, planted_curve

pytestmark = pytest.mark.spark
SETTINGS = {"lags": 5, "bucket": 10, "pre_lags": 2, "folds": 2, "tv": [0.01, 0.003], "group": [0.01, 0.003], "seed": 1}


def trained(run):
    truth = Truth({"D00": planted_curve("early", 4.0, 60)}, {f"D{n:02d}": 0.4 for n in range(22)}, days=400)
    model = ConvSCCS.cross_validate(draw_series(truth, 150, seed=1), run=run, **SETTINGS)
    return json.dumps(model.bootstrap(3, seed=2, run=run).to_dict())


def test_spark_and_threads_give_the_same_bits(spark, tmp_path):
    told = []
    by_spark = trained(committed(on_spark(spark), 2, tmp_path / "spark", told.append))
    assert len(told) == len(list((tmp_path / "spark").iterdir())) == 4 + 3 + 2
    assert by_spark == trained(committed(here, 2, tmp_path / "here", told.append))
    names = sorted(path.name for path in (tmp_path / "here").iterdir())
    assert all((tmp_path / "spark" / name).read_bytes() == (tmp_path / "here" / name).read_bytes() for name in names)


def test_pieces_are_computed_by_workers_of_spark_and_not_here(spark, tmp_path):
    run = committed(on_spark(spark), 2, tmp_path, lambda name: None)
    results = list(run(lambda name: {"process": np.array(os.getpid())}, [f"draw-{n:04d}" for n in range(4)]))
    assert len(results) == 4
    assert os.getpid() not in {int(result["process"]) for result in results}


@pytest.mark.parametrize("error", [InputError, NotConverged])
def test_what_a_task_raises_is_the_error_that_it_was(spark, tmp_path, error):
    def work(name):
        if name == "draw-0001":
            raise error("The draw is wrong.")
        return {"name": np.array(name)}

    with pytest.raises(error, match=r"^The draw is wrong\.$"):
        list(committed(on_spark(spark), 1, tmp_path, lambda name: None)(work, ["draw-0000", "draw-0001"]))
    assert [path.name for path in tmp_path.iterdir()] == ["draw-0000.npz"]
