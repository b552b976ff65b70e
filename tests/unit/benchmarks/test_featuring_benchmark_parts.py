import json
from pathlib import Path
from typing import Any

import duckdb
import pytest

from benchmarks.environment import environment
from benchmarks.featuring import STUDY_FILE, told
from benchmarks.featuring_agreement import agreement, check_agreement, our_counts, peer_counts
from benchmarks.featuring_data import FlatInput, check_room, make_input
from benchmarks.featuring_report import PEER, Run, report
from benchmarks.measure import Measured
from benchmarks.peers.scalpel_featuring import launch
from benchmarks.results import HOME
from benchmarks.stages import shuffle_bytes
from parcours.cohort.study import load_study
from parcours.errors import InputError, ParcoursError
from parcours.events.extractors import extractors

COUNTS = {"purchases": 1000, "cases": 100, "exposures": 50, "medicines": 9}
BOUGHT = [(1, "2015-01-01", "A"), (1, "2015-01-01", "A"), (1, "2015-01-02", "A")]


def parquet(path: Path, columns: str, rows: list[tuple[Any, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = ", ".join(f"({', '.join('NULL' if cell is None else repr(cell) for cell in row)})" for row in rows)
    duckdb.sql(f"COPY (SELECT * FROM (VALUES {values}) AS t({columns})) TO '{path}' (FORMAT parquet)")


def test_ours_is_counted_where_its_run_says_it_wrote_in_files_and_in_folders(tmp_path: Path) -> None:
    events, features = tmp_path / "events", tmp_path / "studies" / "fall" / "2" / "features"
    # A pack without an ATC code is no substance; two packs of a substance on one day are one purchase.
    bought = [(1, "2015-01-01", "1"), (1, "2015-01-01", "2"), (1, "2015-01-02", "1"), (2, "2015-01-01", "3")]
    for name, rows in (("0-0", bought[:2]), ("1-0", bought[2:])):
        parquet(events / "drug_purchase" / "a" / f"{name}.parquet", "person_id, start, code", rows)
    parquet(events / "medicines" / "b" / "packs.parquet", "cip13, atc", [("1", "A"), ("2", "A"), ("3", None)])
    parquet(features / "persons.parquet", "person_id", [(1,), (2,)])
    parquet(features / "exposures.parquet", "person_id, drug", [(1, "A"), (2, "A"), (2, "B")])
    steps = [{"step": "drug_purchase", "fingerprint": "a"}, {"step": "medicines", "fingerprint": "b"}]
    run = {"cohort": "fall", "fingerprint": "2", "root": str(tmp_path), "study": {}, "data": {}, "steps": steps}
    (features.parent / "run.json").write_text(json.dumps(run), "utf-8")
    summary = {"run": str(features.parent / "run.json"), "features": {"directory": str(features)}}
    assert our_counts(summary) == {"purchases": 2, "cases": 2, "exposures": 3, "medicines": 2}


def test_the_peer_is_counted_by_days_with_a_purchase_too(tmp_path: Path) -> None:
    parquet(tmp_path / "extract/drug_purchases/data/part-0.parquet", '"patientID", start, value', BOUGHT)
    parquet(tmp_path / "design/persons/part-0.parquet", "person_id", [(1,)])
    parquet(tmp_path / "design/exposures/part-0.parquet", "person_id, drug", [(1, "A")])
    assert peer_counts(tmp_path) == {"purchases": 2, "cases": 1, "exposures": 1, "medicines": 1}


def test_a_few_percent_or_a_few_persons_may_differ() -> None:
    check_agreement(COUNTS, {**COUNTS, "purchases": 1050, "cases": 96, "exposures": 5}, PEER)
    few = {**COUNTS, "cases": 11}
    check_agreement(few, {**few, "cases": 14}, PEER)
    told_apart = agreement(few, {**few, "cases": 22}, PEER)
    assert told_apart["cases"] == {"parcours": 11, PEER: 22, "difference": 0.5}


@pytest.mark.parametrize(
    ("what", "found"), [("purchases", 900), ("purchases", 1100), ("cases", 94), ("cases", 106), ("cases", 0)]
)
def test_another_study_is_an_error(what: str, found: int) -> None:
    with pytest.raises(ParcoursError, match=rf"{what} are {found} and {COUNTS[what]}, more than 5% apart"):
        check_agreement(COUNTS, {**COUNTS, what: found}, PEER)


def test_the_summary_is_found_among_the_logs(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text('WARNING: one\n{"run": "a", "events": {}, "features": {}}\n{"later"}\n7\n')
    assert told(log) == {"run": "a", "events": {}, "features": {}}
    log.write_text("nothing\n")
    with pytest.raises(ParcoursError, match="printed no summary"):
        told(log)


def test_shuffles_are_added_up_over_the_tasks_of_all_programs(tmp_path: Path) -> None:
    assert shuffle_bytes(tmp_path) == (0, 0)
    task = {"Event": "SparkListenerTaskEnd", "Task Metrics": {"Shuffle Write Metrics": {"Shuffle Bytes Written": 7}}}
    failed = {"Event": "SparkListenerTaskEnd", "Stage ID": 1}
    events = [{"Event": "SparkListenerApplicationStart"}, task, task, failed]
    text = "\n".join(json.dumps(event, separators=(",", ":")) for event in events)
    for name in ("one", "two"):
        (tmp_path / name).write_text(text, "utf-8")
    assert shuffle_bytes(tmp_path) == (2, 28)


def test_too_little_room_is_one_sentence(tmp_path: Path) -> None:
    check_room(tmp_path, [10])
    with pytest.raises(InputError, match=r"GB free and the benchmark needs [\d.]+ GB; .*fewer --persons"):
        check_room(tmp_path, [10, 10**12])


def test_flat_tables_that_are_there_are_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Path] = []

    def make(folder: Path, persons: int, cores: int) -> None:
        made.append(folder)
        folder.mkdir(parents=True)
        kept = {"persons": persons, "raw_bytes": 5, "flat_bytes": 3, "rows": {"DCIR": 2, "MCO": 1}}
        (folder / "input.json").write_text(json.dumps(kept))

    monkeypatch.setattr("benchmarks.featuring_data._make", make)
    given = make_input(tmp_path, 20, 1)
    assert make_input(tmp_path, 20, 1) == given
    assert given.total_rows == 3
    assert [folder / "root" for folder in made] == [given.root]


def test_a_program_runs_the_code_of_the_checkout_on_so_many_cores(tmp_path: Path) -> None:
    found = environment(tmp_path, 2, {"spark.a": "1"})
    assert found["PYTHONPATH"].split(":") == [str(HOME), str(HOME / "src")]
    assert found["PYSPARK_SUBMIT_ARGS"] == "--master local[2] --conf spark.a=1 pyspark-shell"


def test_the_fall_study_is_one_that_the_peer_computes() -> None:
    study = load_study(STUDY_FILE)
    assert (study.exposures.kind, study.exposures.start_delay_days, study.medicines.level) == (
        "unlimited",
        0,
        "substance",
    )
    assert (study.medicines.atc_include, study.medicines.atc_exclude, study.medicines.packs) == ((), (), ())
    assert (study.outcomes.sites, study.outcomes.site_level, study.outcomes.outcome_events) == (
        (),
        "site_group",
        "first",
    )
    assert len(study.outcomes.rules) == 4
    assert (study.population.sex, study.population.age_maximum, study.outcomes.severity_minimum) == ("all", 120, 1)


def test_the_peer_gets_the_parameters_of_the_study_and_its_code_lists(tmp_path: Path) -> None:
    study = load_study(STUDY_FILE)
    found = launch.command(tmp_path / "a.jar", tmp_path / "root", tmp_path / "out", study, 2, {"spark.a": "1"})
    assert found[1:3] == ["--master", "local[2]"]
    assert "spark.a=1" in found
    jar = found.index(str(tmp_path / "a.jar"))
    arguments = dict(argument.split("=", 1) for argument in found[jar + 1 :])
    assert arguments["codelists"] == str(HOME / "codelists")
    assert arguments["study_start"] == "2014-01-01"
    assert arguments["fall_frame_months"] == "4"


def test_the_peer_tells_its_seconds_last(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text('WARN {"seconds_after_start": 1}\n{"seconds_after_start": 12.5}\nWARN end\n')
    assert launch.seconds_after_start(log) == 12.5


def run_of(seconds: float, peak: float, applications: int = 1, after_start: float | None = None) -> Run:
    return Run(
        Measured(seconds, seconds, peak, peak, peak / 2), 0.0, applications, 9 * applications, COUNTS, after_start
    )


def inputs() -> dict[int, FlatInput]:
    return {
        factor: FlatInput(Path("root"), 100 * factor, 80_000_000 * factor, 8_000_000 * factor, {"DCIR": 10 * factor})
        for factor in (1, 4)
    }


def test_numbers_are_medians_and_the_start_of_spark_is_taken_off() -> None:
    ours = [run_of(10, 1000), run_of(30, 3000), run_of(12, 1200)]
    peer = [run_of(40, 4000, after_start=35)] * 3
    starts = [run_of(2, 1)] * 3
    compared = {"parcours": ours, PEER: peer}
    found = report(inputs(), compared, [run_of(50, 900)], starts, {1: [run_of(4, 900)], 4: ours}, 2)
    assert found["seconds"] == {"parcours": 12, PEER: 40}
    assert found["seconds_without_start"] == {"parcours": 10, PEER: 35}
    assert (found["ratio"][PEER], found["ratio_without_start"][PEER]) == (3.333, 3.5)
    assert (found["peak_mb"]["parcours"], found["peak_process_mb"]["parcours"]) == (1200, 600)
    assert found["flat_mb_per_s_per_core"] == {"parcours": 1.33, PEER: 0.4}
    assert found["persons_per_s_per_core"] == {"parcours": 16.67, PEER: 5}
    assert found["published"]["scalpel3_mb_per_second_per_core"] == 21
    assert (found["shuffle_bytes"], found["shuffle_note"]) == ({"parcours": 9, PEER: 9}, None)
    assert [entry["seconds_per_person"] for entry in found["scaling"]] == [0.04, 0.03]
    assert found["scaling"][0]["seconds_per_person_without_start"] == 0.02
    every = found["all_extractors"]
    assert (every["seconds"], every["of"]) == (50, len(extractors()))
    assert every["extractors"] == len(every["categories"]) and "drug_purchase" in every["categories"]
    assert not {"mco_ccam_act", "ssr_hospital_stay"} & {*every["categories"]}  # the input holds claims alone
    assert found["ratio"].keys() == {PEER}


def test_without_a_spark_application_nothing_is_taken_off_and_nothing_shuffled() -> None:
    ours, peer = [run_of(10, 1000, applications=0)], [run_of(40, 4000, after_start=35)]
    found = report(inputs(), {"parcours": ours, PEER: peer}, ours, [], {4: ours}, 2)
    assert found["seconds_without_start"] == {"parcours": 10, PEER: 35}
    assert (found["startup_seconds"], found["shuffle_bytes"]["parcours"]) == (None, 0)
    assert "no Spark application" in found["shuffle_note"]
