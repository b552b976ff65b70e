"""The client of Spark's REST API, beside servers that answer as masters do that lead, stand by, or are no masters."""

import asyncio
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "plugins"))

from parcours_airflow.spark_rest import LOST, AnswerBroken, MastersUnavailable, SparkRest

from parcours.errors import InputError

NOBODY = "http://127.0.0.1:1"
STANDBY = json.dumps({"success": False, "message": "Current state is not alive: STANDBY. Can only accept ..."})
STARTED = json.dumps({"success": True, "submissionId": "driver-1"})


@contextmanager
def server(text: str, status: int = 200) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    """Its address, and what it was asked, in ASCII: a master reads no other characters everywhere."""
    asked: list[tuple[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            asked.append((self.path, json.loads(self.rfile.read(length).decode("ascii")) if length else None))
            if not text:  # breaks off in the middle
                self.connection.close()
                return
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET

        def log_message(self, *arguments: Any) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.server_port}", asked
    finally:
        listener.shutdown()
        listener.server_close()


def test_the_leading_master_is_found_behind_one_that_is_away_and_one_that_stands_by() -> None:
    with server(STANDBY) as (standby, _), server(STARTED) as (leader, asked):
        rest = SparkRest([NOBODY, standby, leader])
        assert asyncio.run(rest.submit({"mainClass": "x · y"})) == "driver-1"
    assert asked == [("/v1/submissions/create", {"action": "CreateSubmissionRequest", "mainClass": "x · y"})]


def test_without_a_leading_master_every_one_is_named() -> None:
    with server(STANDBY) as (standby, _), pytest.raises(MastersUnavailable) as error:
        asyncio.run(SparkRest([NOBODY, standby]).state("driver-1"))
    assert f"{NOBODY} does not answer" in str(error.value) and f"{standby} is not the leading one" in str(error.value)


def test_a_master_that_breaks_off_is_not_followed_by_a_second_submission() -> None:
    with (
        server("") as (broken, _),
        server(STARTED) as (leader, asked),
        pytest.raises(AnswerBroken, match="broke off"),
    ):
        asyncio.run(SparkRest([broken, leader]).submit({}))
    assert asked == []


def test_a_refusal_has_the_words_of_the_master() -> None:
    refusal = json.dumps({"action": "ErrorResponse", "message": "Malformed request: appArgs is missing"})
    with server(refusal, 400) as (master, _), pytest.raises(InputError, match="appArgs is missing"):
        asyncio.run(SparkRest([master]).submit({}))


def test_a_server_of_another_kind_is_told_apart() -> None:
    with server("<html>") as (page, _), pytest.raises(InputError, match=r"spark.master.rest.enabled"):
        asyncio.run(SparkRest([page]).state("driver-1"))


def test_a_driver_that_the_master_does_not_know_is_lost() -> None:
    with server(json.dumps({"success": False, "driverState": None})) as (master, _):
        assert asyncio.run(SparkRest([master]).state("driver-1")) == LOST
