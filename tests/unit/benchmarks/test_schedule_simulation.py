import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import schedule
from benchmarks.flatten_data import make_input
from benchmarks.payloads import run as payloads_run
from benchmarks.results import RESULTS
from benchmarks.schedule import SLOW, Cluster, Faults, Plan, driver_end, history_seconds, hours, rates_of, table
from benchmarks.schedule_events import Loss, Stages, run_driver
from benchmarks.schedule_work import NO_STRAGGLERS, History, Rates, Stragglers, drawn, stage_bytes, stage_seconds
from parcours.errors import InputError
from parcours.flatten.engine import BUCKET_BYTES, TASK_BYTES, WHOLE_BYTES, Batch, make_job
from parcours.flatten.plan import PeriodPlan
from parcours.flatten.scan import Scan, Span
from parcours.snds.contracts import load_product
from parcours.snds.delivery import Delivery

RATES = Rates(40e6, 20e6)
STAGES = st.lists(st.lists(st.integers(1, 50).map(float), min_size=1, max_size=8), min_size=1, max_size=3)
JOBS = st.lists(STAGES, min_size=1, max_size=4)


def total(jobs: list[Stages]) -> float:
    return sum(seconds for stages in jobs for tasks in stages for seconds in tasks)


def random() -> np.random.Generator:
    return np.random.default_rng(7)


def test_one_core_takes_the_sum() -> None:
    assert run_driver([[[1, 2], [3]], [[4]]], [0]).ends == [6, 10]


def test_two_cores_take_half() -> None:
    assert run_driver([[[1, 1, 1, 1]]], [0, 0]).ends == [2]


def test_a_stage_waits_for_the_one_before_and_the_next_job_fills_the_gap() -> None:
    ran = run_driver([[[1, 3], [2]], [[2]]], [0, 0])
    assert ran.ends == [5, 3]
    assert ran.busy == 8


def test_a_lost_node_costs_the_task_that_it_ran() -> None:
    ran = run_driver([[[10, 10]]], [0, 1], Loss(4, 0))
    assert ran.ends == [20]
    assert (ran.redone, ran.busy) == (4, 24)


def test_the_lost_shuffle_output_is_computed_again_before_the_tasks_that_read_it() -> None:
    # Node 0 read for 2 s and joined for 1 s; node 1 joins until 7, reads again until 9, joins again until 14.
    ran = run_driver([[[2, 2], [5, 5]]], [0, 1], Loss(3, 0))
    assert ran.ends == [14]
    assert (ran.redone, ran.busy) == (3, 17)


def test_what_the_last_stage_wrote_is_kept() -> None:
    ran = run_driver([[[1, 1, 1, 1]]], [0, 1], Loss(1.5, 0))
    assert ran.ends == [3]
    assert ran.redone == 0.5


def test_shuffle_output_that_nobody_will_read_is_not_computed_again() -> None:
    ran = run_driver([[[1, 1], [5]]], [0, 1], Loss(2, 1))
    assert ran.ends == [6]
    assert ran.redone == 0


def test_a_loss_after_the_end_changes_nothing() -> None:
    assert run_driver([[[1, 1]]], [0, 1], Loss(2, 0)) == run_driver([[[1, 1]]], [0, 1])


def test_work_without_a_core_is_an_error() -> None:
    with pytest.raises(ValueError, match="no core left"):
        run_driver([[[5]]], [0], Loss(1, 0))


@given(JOBS, st.integers(1, 6))
def test_no_schedule_beats_the_longest_task_or_the_mean_of_all_cores(jobs: list[Stages], cores: int) -> None:
    ran = run_driver(jobs, [0] * cores)
    longest = max(seconds for stages in jobs for tasks in stages for seconds in tasks)
    chain = sum(max(tasks) for stages in jobs for tasks in stages)
    assert max(longest, total(jobs) / cores) <= max(ran.ends) + 1e-9
    assert max(ran.ends) <= total(jobs) / cores + chain
    assert ran.busy == pytest.approx(total(jobs))


@given(JOBS, st.integers(2, 6), st.floats(0.1, 200))
def test_work_is_done_once_and_what_was_lost_again(jobs: list[Stages], cores: int, at: float) -> None:
    ran = run_driver(jobs, [core % 2 for core in range(cores)], Loss(at, 0))
    assert ran.busy == pytest.approx(total(jobs) + ran.redone)
    assert all(end > 0 for end in ran.ends)
    assert max(ran.ends) >= total(jobs) / cores - 1e-9


def test_a_period_becomes_the_tasks_that_the_engine_makes_of_it() -> None:
    blocks, size, parallelism = 41, 16 << 20, 3
    spans = [Span(n * size, (n + 1) * size, 1 + n, 1, {"2016-01": 1}) for n in range(blocks)]
    scan = Scan("ER_PRS_F", "/a.csv", "a.csv", None, None, blocks * size, "", [], ["A"], True, spans)
    columns = {"ER_PRS_F": {"A": "string"}}
    period = PeriodPlan("DCIR", "2016-01", "compute", "", {}, (scan,), columns, {}, (), None)
    delivery = Delivery(Path("/"), "d", ";", "utf-8", ("",), ("%Y-%m-%d",), {}, ())
    fixed = {"person_buckets": 4, "persons": None, "lookup": None, "staged": Path("/")}
    job = make_job(Batch([period], False), load_product("DCIR"), delivery, parallelism, **fixed)
    reads, joins, writes = stage_bytes(float(period.bytes), History(bytes=4 * (90 << 30)), parallelism)
    assert len(reads) == pytest.approx(len(job.tasks), abs=1)
    assert schedule.partitions_of(period.bytes, parallelism, 4) == job.partitions
    assert len(joins) == min(job.partitions, job.periods["2016-01"].buckets)
    assert len(writes) == min(job.partitions, 4 + 1)


@pytest.mark.parametrize("period", [1e6, WHOLE_BYTES, WHOLE_BYTES + 1, 3e9, 2e11])
def test_tasks_stand_for_all_bytes_and_seconds_of_a_period(period: float) -> None:
    stages = stage_bytes(period, History(), 300)
    assert [tasks.sum() for tasks in stages] == pytest.approx([period] * len(stages))
    rate = RATES.whole if period <= WHOLE_BYTES else RATES.shuffled
    seconds = drawn(stage_seconds(stages, RATES), NO_STRAGGLERS, 8, random())
    assert total([seconds]) == pytest.approx(period / rate)


def test_drivers_hold_the_whole_history_in_the_order_of_airflow() -> None:
    history = History(bytes=1e12, years=2)
    drivers = list(history.drivers())
    assert sum(sum(periods) for periods in drivers) == pytest.approx(1e12)
    assert [len(periods) for periods in drivers[:3]] == [12, 12, 1]
    names = [name for name, _ in history.shares]
    assert names == sorted(names)


def test_stragglers_have_the_stated_mean() -> None:
    factors = Stragglers(0.5, 0.1, 4).factors(200_000, random())
    assert factors.mean() == pytest.approx(1.3, rel=0.02)
    assert (NO_STRAGGLERS.factors(5, random()) == 1).all()


def small_plan(start: float = 0.0) -> Plan:
    history = History(bytes=6e12, years=1, shares=(("MCO", 0.5), ("SSR", 0.5)), unidentified=0.0)
    return Plan(Cluster(nodes=4, cores=4, start_seconds=start), history, RATES)


def test_a_history_is_its_drivers_one_after_the_other_or_side_by_side() -> None:
    plan, never = small_plan(), Faults()
    one = history_seconds(plan, 1, NO_STRAGGLERS, never, random())
    assert plan.ideal_seconds <= one < 1.03 * plan.ideal_seconds
    later = history_seconds(small_plan(60), 1, NO_STRAGGLERS, never, random())
    assert later == pytest.approx(one + 2 * 60)
    assert history_seconds(small_plan(60), 2, NO_STRAGGLERS, never, random()) < later


def test_cores_are_shared_out_once_and_evenly() -> None:
    first, second = Cluster(nodes=4, cores=3).shares(2)
    assert len(first) == len(second) == 6
    assert sorted(first + second) == sorted([0, 1, 2, 3] * 3)


def test_a_lost_driver_leaves_what_it_had_committed() -> None:
    cluster = Cluster(nodes=2, cores=1, start_seconds=1, retry_seconds=2)
    jobs = [[[10.0]], [[10.0]]]
    assert driver_end(cluster, jobs, [0], 0, Faults()) == 21
    # The second job is lost at 15: a driver is started at 17, and has its core at 18.
    assert driver_end(cluster, jobs, [0], 0, Faults(driver_at=15)) == 28
    assert driver_end(cluster, jobs, [0], 0, Faults(driver_at=21)) == 21


def test_a_node_lost_before_a_driver_starts_gives_it_no_core() -> None:
    cluster = Cluster(nodes=2, cores=1, start_seconds=0)
    assert driver_end(cluster, [[[10.0, 10.0]]], [0, 1], 5, Faults()) == 15
    assert driver_end(cluster, [[[10.0, 10.0]]], [0, 1], 5, Faults(node_at=3)) == 25
    assert driver_end(cluster, [[[10.0, 10.0]]], [0, 1], 5, Faults(node_at=9)) == 25


def test_the_same_seeds_give_the_same_hours() -> None:
    found = [hours(small_plan(), 2, trouble, Stragglers(), 2, None) for trouble in (SLOW, SLOW, schedule.NODE)]
    assert found[0] == found[1]
    assert found[0][0] != found[0][1]
    assert found[2][0] > found[0][0]


def test_the_program_writes_its_file_and_prints_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "schedule.json"
    arguments = ["--nodes", "4", "--cores", "4", "--tb", "0.5", "--years", "1", "--seeds", "2", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["schedule", *arguments])
    schedule.main()
    result = json.loads(out.read_text("utf-8"))
    assert capsys.readouterr().out == table(result)
    rate = json.loads((RESULTS / "flatten.json").read_text("utf-8"))["raw_mb_per_s_per_core"]["parcours_shuffled"]
    assert result["hours"][0]["ideal"] == pytest.approx(0.5e6 / 16 / rate / 3600, abs=0.01)
    assert result["input"]["task_bytes"] == TASK_BYTES
    assert {row["drivers"] for row in result["hours"]} == {1, 2, 3, 4}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--nodes", "1"], "--nodes must be 2"),
        (["--cores", "3"], "--cores 4 or more"),
        (["--tb", "0"], "above 0"),
        (["--slow-factor", "0.5"], "--slow-factor"),
        (["--measured", "/not/there.json"], "make bench-flatten"),
        (["--payloads", "/not/there.json"], "make bench-payloads"),
    ],
)
def test_a_wrong_input_is_one_sentence_and_exit_code_2(
    arguments: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["schedule", *arguments])
    with pytest.raises(SystemExit) as ended:
        schedule.main()
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


def test_a_result_without_rates_is_a_wrong_input() -> None:
    with pytest.raises(InputError, match="has no rates"):
        rates_of({"raw_mb_per_s_per_core": {"parcours": 1.0}})


def test_the_rate_pays_for_the_payloads_of_a_month_with_many_buckets() -> None:
    costs = [
        {"buckets": 1, "pack_seconds": 0.1, "unpack_seconds": 0.0},
        {"buckets": 100_001, "pack_seconds": 2.0, "unpack_seconds": 0.1},
    ]
    payloads = {"input": {"task_bytes": 20e6}, "payloads": costs}
    month = 50_000 * float(BUCKET_BYTES)
    plan = Plan(Cluster(), History(bytes=12 * month + 12, years=1, shares=(("DCIR", 1.0),)), RATES)
    # One second for the task at 20 MB/s, and half of the two seconds more.
    assert schedule.payload_factor(plan, payloads) == 0.5


def test_more_buckets_cost_more_and_carry_the_same_rows(tmp_path: Path) -> None:
    result = payloads_run(make_input(tmp_path, 20), [1, 500], 1)
    one, many = result["payloads"]
    assert result["input"]["tables"]["ER_PRS_F"]["columns"] > 100
    assert many["bytes"] > 3 * one["bytes"]
    assert many["pack_seconds"] + many["unpack_seconds"] > one["pack_seconds"] + one["unpack_seconds"]
