"""A preview runs the stages on a sample: on everything it says what the run will say, and it leaves nothing behind."""

import json
from pathlib import Path

import numpy as np
import pytest
from small_root import BISOPROLOL, ZOLPIDEM, build_root, person, purchase, stay

from parcours.cohort.plan import write_run
from parcours.cohort.study import load_study
from parcours.engine.slices import Slice
from parcours.engine.work import Work
from parcours.errors import InputError
from parcours.stages import preview as previews
from parcours.stages.cohort import run_cohort, run_features
from parcours.stages.events import run_events
from parcours.stages.preview import Sample, give_or_take, preview_study, run_preview, sample_of, scaled

HOME = Path(__file__).parents[3]
PACKS = [
    {"PHA_CIP_C13": BISOPROLOL, "PHA_ATC_C07": "C07AB07", "PHA_CND_TOP": None},
    {"PHA_CIP_C13": ZOLPIDEM, "PHA_ATC_C07": "N05CF02", "PHA_CND_TOP": None},
]
ACCEPT = {"incomplete_data": "accept"}
FIRST = np.datetime64("2015-02-01")


@pytest.fixture(scope="module")
def study():
    return load_study(HOME / "cohorts" / "fall.yaml")


def root_of(path, persons, with_fracture):
    """Persons born in 1940 who all buy one medicine after the wash-out, of whom the first so many break a hip."""
    known = [n * 2**57 + n for n in range(persons)]  # spread as hashes are
    drug, day = (ZOLPIDEM, BISOPROLOL), [str(FIRST + np.timedelta64(n, "D")) for n in range(persons)]
    buys = [purchase(number, day[n], drug[n % 2], n) for n, number in enumerate(known)]
    stays = [row for n, number in enumerate(known[:with_fracture]) for row in stay(number, "2016-03-01", n, "S7200")]
    tables = {"DCIR": {"2015-06": buys}, "MCO": {"2016": stays}, "IR_PHA_R": {"all": PACKS}}
    return build_root(path, tables | {"IR_BEN_R": {"all": [person(number, "1940") for number in known]}})


def files_of(root):
    return {path.relative_to(root.path) for path in root.path.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return root_of(tmp_path_factory.mktemp("preview") / "root", 60, 24)


def test_a_preview_of_everything_says_what_the_run_says_and_leaves_nothing(root, study):
    before = files_of(root)
    told = preview_study(root, study, ACCEPT)
    assert {path for path in files_of(root) - before if path.parts[0] not in ("_locks", "_progress")} == set()
    run = write_run(root, study, ACCEPT)
    run_events(run)
    cohort, features = run_cohort(run), run_features(run)
    assert (cohort["persons_followed"], cohort["cases"]) == (60, 24)
    assert (told["persons_followed"], told["cases"]) == (60, 20)  # by twenties
    assert told["drugs"] == features["drugs"] == 2
    assert (told["share"], told["cases_give_or_take"]) == (1.0, 20)
    assert set(told["expected_seconds"]) == {"events", "features"}  # nothing was ever trained here


def test_a_preview_of_a_planned_run_knows_what_is_there_already(root, study):
    run = write_run(root, study, ACCEPT)
    run_events(run)
    told = run_preview(run)
    assert {"drug_purchase", "persons"} <= set(told["reused"])
    assert told["expected_seconds"]["events"] == 0
    assert json.loads(run.read_text())["missing_periods"] == told["missing_periods"] != {}


def test_a_study_with_too_few_persons_is_refused_as_its_run_would_be(tmp_path, study):
    small = root_of(tmp_path / "root", 40, 5)
    with pytest.raises(InputError, match="fewer than 11 persons, too few to report"):
        preview_study(small, study, ACCEPT)


def test_a_sample_that_is_too_small_grows_until_it_is_large_enough(root, study, monkeypatch):
    monkeypatch.setattr(previews, "WHOLE_BYTES", 0)
    monkeypatch.setattr(previews, "SAMPLE_BYTES", 1)
    told = preview_study(root, study, ACCEPT)
    assert 0.2 < told["share"] < 1  # fewer than 11 cases lie in less
    assert abs(told["cases"] - 24) <= told["cases_give_or_take"]


@pytest.mark.parametrize(
    ("share", "buckets", "taken", "last"),
    [
        (1.0, 4, {"0", "1", "2", "3"}, None),
        (0.5, 4, {"0", "1"}, None),
        (0.25, 4, {"0"}, None),
        (7.0, 2, {"0", "1"}, None),
    ],
)
def test_a_sample_is_whole_buckets_where_it_can(share, buckets, taken, last):
    assert sample_of(share, buckets) == Sample(frozenset(taken), last, min(share, 1.0))


def test_a_small_sample_is_the_beginning_of_one_bucket():
    sample = sample_of(0.01, 4)
    assert (sample.buckets, sample.share) == ({"0"}, 0.01)
    assert sample.last == pytest.approx(0.04 * 2**63)


def test_of_the_work_a_sample_takes_its_buckets_and_persons_and_all_of_a_reference():
    work = Work(["0", "1", "IR_BEN_R"], lambda bucket: [Slice(bucket, 0, None, 9), Slice(bucket, 1, 10, None)], print)
    part = Sample(frozenset("0"), 12, 0.1).of(work)
    assert part.buckets == ["0", "IR_BEN_R"]
    assert part.cut("0") == [Slice("0", 0, None, 9), Slice("0", 1, 10, 12)]
    assert Sample(frozenset("0"), 5, 0.1).of(work).cut("0") == [Slice("0", 0, None, 5)]
    assert part.cut("IR_BEN_R") == [Slice("IR_BEN_R", 0, None, 9), Slice("IR_BEN_R", 1, 10, None)]


@pytest.mark.parametrize(
    ("count", "share", "told"),
    [
        (1283, 1.0, 1300),
        (1283, 0.5, 2600),
        (64, 0.0625, 1000),
        ("<11", 0.1, "fewer than 100"),
        ("hidden", 0.1, "hidden"),
        ("<11", 1.0, "fewer than 20"),
        (24, 1.0, 20),
        (31, 1.0, 40),
        (0, 0.1, 0),
    ],
)
def test_a_count_of_a_sample_is_told_for_everybody_rounded(count, share, told):
    assert scaled(count, share) == told


def test_how_far_a_scaled_count_may_be_off():
    assert give_or_take(100, 0.1) == 220
    assert give_or_take(100, 1.0) == 20
