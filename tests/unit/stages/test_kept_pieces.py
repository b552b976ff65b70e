"""Pieces of a training: each is kept when it is finished, is not computed again, and is the same bits anywhere."""

import json
import logging
import threading

import numpy as np
import pytest

from parcours.cohort.study import load_study, resolve
from parcours.models import ConvSCCS, cross_validation
from parcours.models.solver import NotConverged
from parcours.stages.inference import PIECES, run_train
from parcours.stages.replicates import Pieces, Progress, committed, here, in_words, pieces_by_kind, read_piece
from tests.models.simulation import Truth, draw_series, planted_curve
from tests.unit.tracking.study_run import HOME, make_run

SETTINGS = {"lags": 5, "bucket": 10, "pre_lags": 2, "folds": 2, "group": [0.01, 0.003], "seed": 1}
FEW = {"tv_grid": [0.01, 0.003], "cv_folds": 2, "bootstrap": 3}


@pytest.fixture(scope="module")
def series():
    truth = Truth({"D00": planted_curve("early", 4.0, 60)}, {f"D{n:02d}": 0.4 for n in range(23)}, days=400)
    return draw_series(truth, 200, seed=1)


def trained(series, run, bootstrap=3, **changes):
    model = ConvSCCS.cross_validate(series, run=run, **(SETTINGS | {"tv": [0.01, 0.003]} | changes))
    return json.dumps(model.bootstrap(bootstrap, seed=2, run=run).to_dict())


def counting(computed):
    """As `here`, and notes what was computed."""

    def ship(work):
        def counted(name):
            computed.append(name)
            return work(name)

        return counted

    return ship


@pytest.mark.parametrize("at_once", [1, 2, 4])
def test_kept_pieces_give_the_bits_of_a_training_that_keeps_nothing(series, tmp_path, at_once):
    told = []
    found = trained(series, committed(here, at_once, tmp_path, told.append))
    assert found == trained(series, None)
    assert sorted(told) == sorted(path.stem for path in tmp_path.iterdir())
    assert {"fold-0-tv-0", "fold-1-tv-1", "draw-0002", "medicines-0000", "medicines-0020"} <= set(told)
    assert len(told) == len(set(told)) == sum(pieces_by_kind(resolve(study(), FEW).model, 23).values())


def study():
    return load_study(HOME / "cohorts" / "fall.yaml")


def test_finished_pieces_are_not_computed_again(series, tmp_path):
    computed = []
    first = trained(series, committed(here, 1, tmp_path, lambda name: None))
    lost = {"fold-1-tv-0", "draw-0001", "medicines-0020"}
    for name in lost:
        (tmp_path / f"{name}.npz").unlink()
    told = []
    assert trained(series, committed(counting(computed), 2, tmp_path, told.append)) == first
    assert set(computed) == set(told) == lost


def test_a_piece_that_cannot_be_read_is_computed_again(tmp_path, caplog):
    whole = {"curves": np.arange(6.0).reshape(2, 3), "none": np.zeros((0, 4))}
    computed = []
    run = committed(counting(computed), 1, tmp_path, lambda name: None)
    list(run(lambda name: whole, ["draw-0000", "draw-0001"]))
    path = tmp_path / "draw-0000.npz"
    for content in (path.read_bytes()[:40], b"", b"PK\x03\x04 is no archive"):
        path.write_bytes(content)
        caplog.clear()
        results = list(run(lambda name: whole, ["draw-0000", "draw-0001"]))
        assert "draw-0000.npz cannot be read; it is computed again" in caplog.text
        for result in results:
            assert {name: values.tolist() for name, values in result.items()} == {
                name: values.tolist() for name, values in whole.items()
            }
            assert result["none"].shape == (0, 4)
    assert computed == ["draw-0000", "draw-0001", *["draw-0000"] * 3]


def test_a_piece_has_its_name_only_when_it_is_whole_whoever_writes_it_beside(tmp_path):
    names = [f"draw-{number:04d}" for number in range(20)]
    seen = []

    def work(name):
        seen.extend(read_piece(path)["name"].item() for path in tmp_path.glob("*.npz"))
        return {"name": np.array(name), "values": np.random.default_rng(0).random(10_000)}

    results = list(committed(here, 4, tmp_path, lambda name: None)(work, names))
    assert [result["name"].item() for result in results] == names
    assert set(seen) <= set(names) and seen
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.npz" for name in names]


def test_what_a_piece_raises_ends_the_training_and_keeps_what_is_finished(tmp_path):
    def work(name):
        if name == "fold-0-tv-1":
            raise NotConverged("No certificate.")
        return {"name": np.array(name)}

    run = committed(here, 1, tmp_path, lambda name: None)
    with pytest.raises(NotConverged, match="No certificate"):
        list(run(work, ["fold-0-tv-0", "fold-0-tv-1", "fold-0-tv-2"]))
    assert [path.name for path in tmp_path.iterdir()] == ["fold-0-tv-0.npz"]


def test_pieces_run_at_once(tmp_path):
    together = threading.Barrier(3, timeout=60)

    def work(name):
        together.wait()
        return {"name": np.array(name)}

    assert len(list(committed(here, 3, tmp_path, lambda name: None)(work, ["a", "b", "c"]))) == 3


@pytest.mark.parametrize("given", [{}, FEW, {"tv_grid": [0.1], "cv_folds": 3, "bootstrap": 0}])
def test_pieces_are_counted_as_the_model_cuts_them(series, tmp_path, given):
    settings = resolve(study(), given | {"cv_folds": 2} | ({} if given else {"bootstrap": 1})).model
    changes = {"tv": list(settings.tv_grid) or None, "folds": settings.cv_folds}
    trained(series, committed(here, 2, tmp_path, lambda name: None), settings.bootstrap, **changes)
    assert len(list(tmp_path.iterdir())) == sum(pieces_by_kind(settings, len(series.drugs)).values())


def test_progress_is_told_in_pieces_with_the_time_that_is_left(tmp_path, caplog, monkeypatch):
    caplog.set_level(logging.INFO, "parcours.stages.replicates")
    monkeypatch.setattr("parcours.stages.replicates.QUIET_SECONDS", 0.0)
    told = []
    settings = resolve(study(), FEW).model  # four folds and strengths, three draws, one piece of medicines
    list(committed(here, 1, tmp_path, lambda name: None)(lambda name: {"n": np.array(0)}, ["fold-0-tv-0", "draw-0000"]))
    pieces = Pieces(tmp_path, here, 1, lambda done, total, label, share=None: told.append((done, total, label)))
    with pieces.counted(settings, 5) as run:
        list(run(lambda name: {"n": np.array(0)}, ["fold-0-tv-0", "fold-0-tv-1"]))
        list(run(lambda name: {"n": np.array(0)}, ["draw-0001"]))
        list(run(lambda name: {"n": np.array(0)}, ["medicines-0000"]))
    assert "2 pieces are kept from a training that was killed" in caplog.text
    assert told == [
        (0, 6, "cross-validation"),
        (1, 6, "cross-validation"),
        (2, 6, "bootstrap"),
        (3, 6, "intervals and tests"),
    ]
    assert any(line.startswith("1/6 cross-validation, ") and line.endswith(" left") for line in caplog.messages)
    assert [in_words(seconds) for seconds in (40.4, 200, 9000)] == ["40 s", "3 min", "2.5 h"]


def test_progress_never_exceeds_what_was_announced():
    told = []
    progress = Progress({"draw": 1}, lambda done, total, label, share=None: told.append((done, total)))
    for _ in range(3):
        progress.behind("draw-0000")
    assert max(done for done, _ in told) == 1


def test_a_training_that_failed_goes_on_with_its_pieces_and_a_model_leaves_none(tmp_path, monkeypatch):
    run_json = make_run(tmp_path, persons=120)
    bootstrap = ConvSCCS.bootstrap

    def fails(*arguments, **settings):
        raise NotConverged("No certificate.")

    monkeypatch.setattr(ConvSCCS, "bootstrap", fails)
    with pytest.raises(NotConverged):
        run_train(run_json)
    kept = {path.stem for path in tmp_path.glob(f"_staging/*/kept-*/{PIECES}/*.npz")}
    assert kept == {"fold-0-tv-0", "fold-1-tv-0"}
    monkeypatch.setattr(ConvSCCS, "bootstrap", bootstrap)
    scored = []
    score = cross_validation._score_path
    monkeypatch.setattr(cross_validation, "_score_path", lambda *given: scored.append(1) or score(*given))
    assert run_train(run_json)["status"] == "done"
    assert not scored
    assert list(tmp_path.glob("_staging/*/*")) == []
    assert list((run_json.parent / "model").rglob("*.npz")) == []
