"""Tasks in threads or of Spark: the same reports, in the order of items."""

import time
from threading import Event

import pytest

from parcours.engine.schedule import run_tasks


def squares(number):
    """Reports of one item: as many as its number."""
    time.sleep(0.02 * (4 - number) if number < 4 else 0)  # the first are ready last
    for n in range(number):
        yield {"item": number, "square": n * n}


EXPECTED = [{"item": number, "square": n * n} for number in range(6) for n in range(number)]


@pytest.mark.parametrize("cores", [0, 1, 3])
def test_reports_are_in_the_order_of_items_however_many_threads(cores):
    told = []
    assert run_tasks(squares, range(6), None, cores, lambda *behind: told.append(behind)) == EXPECTED
    assert told == [(n, 6) for n in range(1, 7)]


def test_nothing_to_do_is_done():
    assert run_tasks(squares, [], None, 2) == []


def test_what_a_task_raises_is_raised_and_nothing_more_begins():
    begun, failed = [], Event()

    def task(number):
        begun.append(number)
        if number == 1:
            failed.set()
            raise LookupError("the second")
        failed.wait(10)
        time.sleep(0.05)
        return [number]

    with pytest.raises(LookupError, match="the second"):
        run_tasks(task, range(50), None, 2)
    assert len(begun) < 10


@pytest.mark.spark
def test_spark_gives_the_same_reports(spark):
    def task(number):  # a function of a test module is of no module that workers know
        yield from ({"item": number, "square": n * n} for n in range(number))

    assert run_tasks(task, range(6), spark, 2) == run_tasks(task, range(6), None, 2) == EXPECTED
    assert run_tasks(task, [], spark, 2) == []
