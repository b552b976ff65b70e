from pathlib import Path

import duckdb
import pytest

from benchmarks.agreement import HASHED, SUMMED, check_agreement, digest
from benchmarks.flatten import check_room
from benchmarks.flatten_data import make_input, month_of, peer_task, persons_for
from benchmarks.flatten_report import Run, report
from benchmarks.measure import Measured
from parcours.errors import InputError, ParcoursError
from parcours.snds.delivery import load_delivery

KEY = ["DCT_ORD_NUM"]


def flat_file(path: Path, rows: list[tuple[int, str, float]]) -> str:
    names = [*KEY, *HASHED, *SUMMED]
    with duckdb.connect() as connection:
        connection.sql(f"CREATE TABLE flat (DCT_ORD_NUM BIGINT, {', '.join(f'{n} VARCHAR' for n in HASHED)})")
        for name in SUMMED:
            connection.sql(f"ALTER TABLE flat ADD COLUMN {name} DOUBLE")
        for key, person, amount in rows:
            values = [key, person, *[None] * (len(HASHED) - 1), amount, *[None] * (len(SUMMED) - 1)]
            connection.execute(f"INSERT INTO flat ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", values)
        connection.sql(f"COPY flat TO '{path}' (FORMAT parquet)")
    return str(path)


def test_outputs_agree_whatever_their_order(tmp_path: Path) -> None:
    one = digest(flat_file(tmp_path / "one.parquet", [(1, "A", 0.1), (2, "B", 0.2)]), KEY)
    other = digest(flat_file(tmp_path / "other.parquet", [(2, "B", 0.2), (1, "A", 0.1)]), KEY)
    assert one["rows"] == 2
    assert one["PRS_PAI_MNT"] == 30
    check_agreement({"one": one, "other": other})


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([(1, "A", 0.1)], "rows is 1 and 2"),
        ([(1, "A", 0.1), (2, "C", 0.2)], "hash"),
        ([(1, "A", 0.1), (2, "B", 0.21)], "PRS_PAI_MNT is 31 and 30"),
    ],
)
def test_another_row_person_or_amount_is_an_error(
    tmp_path: Path, rows: list[tuple[int, str, float]], what: str
) -> None:
    one = digest(flat_file(tmp_path / "one.parquet", [(1, "A", 0.1), (2, "B", 0.2)]), KEY)
    other = digest(flat_file(tmp_path / "other.parquet", rows), KEY)
    with pytest.raises(ParcoursError, match=f"other and one do not give the same rows: {what}"):
        check_agreement({"one": one, "other": other})


def test_the_raw_files_are_those_of_the_five_tables_126_columns_wide(tmp_path: Path) -> None:
    given = make_input(tmp_path, 20)
    assert given.columns == {"ER_PRS_F": 126, "ER_PHA_F": 23, "ER_CAM_F": 35, "ER_ETE_F": 24, "ER_UCD_F": 24}
    files = load_delivery(given.folder).files
    assert {raw.table for raw in files} == {*given.columns, "IR_BEN_R"}
    assert given.raw_bytes == sum(raw.path.stat().st_size for raw in files if raw.table != "IR_BEN_R")
    first = next(raw.path for raw in files if raw.table == "ER_PRS_F" and raw.path.stat().st_size > 10_000)
    assert {line.count(";") for line in first.read_text().splitlines()} == {125}
    lines = sum(len(raw.path.read_text().splitlines()) - 1 for raw in files if raw.table == "ER_PRS_F")
    assert given.rows["ER_PRS_F"] == lines


def test_the_raw_files_are_made_once(tmp_path: Path) -> None:
    given = make_input(tmp_path, 20)
    stamp = (given.folder / "delivery.yaml").stat().st_mtime_ns
    assert make_input(tmp_path, 20) == given
    assert (given.folder / "delivery.yaml").stat().st_mtime_ns == stamp


def test_peers_get_types_from_the_contracts_and_files_by_year_and_month(tmp_path: Path) -> None:
    task = peer_task(load_delivery(make_input(tmp_path, 20).folder))
    assert task["joined"] == ["ER_PHA_F", "ER_CAM_F", "ER_ETE_F", "ER_UCD_F"]
    assert task["order"] == ["BEN_NIR_PSA", "BEN_RNG_GEM", "EXE_SOI_DTD"]
    assert len(task["key"]) == 9
    types = task["tables"]["ER_PRS_F"]["2016"]["columns"]
    assert types["BEN_NIR_PSA"] == "string"
    assert types["FLX_DIS_DTD"] == "date"
    assert types["PRS_PAI_MNT"] == "decimal"
    months = [month for year in task["tables"]["ER_UCD_F"].values() for month in year["files"]]
    assert months == [month for year in task["tables"]["ER_PRS_F"].values() for month in year["files"]]
    assert {month[:4] for month in task["tables"]["ER_PRS_F"]["2017"]["files"]} == {"2017"}


@pytest.mark.parametrize(
    ("name", "month"),
    [("raw/ER_PRS_F_2016-02.csv", "2016-02"), ("raw/IR_BEN_R.csv", ""), ("raw/ER_PRS_F.csv", "")],
)
def test_the_month_of_a_file(name: str, month: str) -> None:
    assert month_of(name) == month


def test_too_little_room_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"GB free and the benchmark needs 3000000\.0 GB; free some"):
        check_room(tmp_path, {4: 1e6})


def test_less_than_a_person_is_a_wrong_input() -> None:
    with pytest.raises(InputError, match="less than one person"):
        persons_for(1e-9)


def run_of(seconds: float, peak: float) -> Run:
    return Run(Measured(seconds, seconds, peak, peak, peak), 0.0, {"rows": 9}, [])


def test_ratios_are_of_medians_and_growth_is_from_the_smallest_size(tmp_path: Path) -> None:
    small, large = make_input(tmp_path, 20), make_input(tmp_path, 80)
    ours = [run_of(10, 1000), run_of(30, 3000), run_of(12, 1200)]
    compared = {"parcours": ours, "scalpel_plan": [run_of(120, 1)] * 3, "duckdb": [run_of(6, 1)] * 3}
    seconds = 5 * large.total_rows / small.total_rows
    found = report({1: small, 4: large}, compared, [run_of(2, 1)], {1: [run_of(5, 900)], 4: [run_of(seconds, 1)]}, 2)
    assert found["seconds"] == {"parcours": 12, "scalpel_plan": 120, "duckdb": 6}
    assert found["peak_mb"]["parcours"] == 1200
    assert found["ratio"] == {"scalpel_plan": 10, "duckdb": 0.5}
    assert found["raw_mb_per_s_per_core"]["parcours"] == pytest.approx(large.raw_bytes / 24e6, abs=0.01)
    assert found["rows_per_s_per_core"]["parcours"] == pytest.approx(large.total_rows / 24, abs=0.01)
    assert [entry["factor"] for entry in found["scaling"]] == [1, 4]
    assert found["scaling"][0]["seconds_per_million_rows"] == pytest.approx(5e6 / small.total_rows, abs=0.01)
    assert found["growth"]["seconds_per_million_rows"] == pytest.approx(0, abs=0.01)
    assert found["growth"]["seconds_per_million_rows_after_startup"] > 0


def test_a_size_no_longer_than_the_start_of_spark_gives_no_growth(tmp_path: Path) -> None:
    given = make_input(tmp_path, 20)
    runs = {name: [run_of(5, 1)] for name in ("parcours", "scalpel_plan", "duckdb")}
    found = report({4: given}, runs, [run_of(6, 1)], {4: [run_of(5, 1)]}, 2)
    assert found["growth"] == {"seconds_per_million_rows": 0, "seconds_per_million_rows_after_startup": None}
