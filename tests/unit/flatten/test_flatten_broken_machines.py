"""Compressed files that end too soon, and what Spark's texts stand for."""

import errno
import io
import socket
import struct
import threading

import pytest
import zstandard
from py4j.java_gateway import GatewayParameters, JavaGateway
from py4j.protocol import Py4JError

from parcours.errors import InputError, RetryableFault
from parcours.flatten import source
from parcours.flatten.source import blocks, header_line, open_raw
from parcours.spark_faults import leave_telling_to_exceptions, meant

LINES = b"".join(b"%d;abc;def\n" % number for number in range(300_000))


def test_all_frames_of_a_zstandard_file_are_read(tmp_path):
    file = tmp_path / "a.csv.zst"
    half = len(LINES) // 2
    file.write_bytes(zstandard.compress(LINES[:half]) + zstandard.compress(b"") + zstandard.compress(LINES[half:]))
    with open_raw(file) as opened:
        assert isinstance(opened, io.BufferedReader)
        assert opened.read() == LINES


@pytest.mark.parametrize("missing", [1, 5, 1000, 400_000])
def test_a_cut_zstandard_file_is_broken_wherever_it_is_cut(tmp_path, missing):
    file = tmp_path / "a.csv.zst"
    whole = zstandard.compress(LINES)
    file.write_bytes(whole[: max(len(whole) - missing, 20)])
    with pytest.raises(InputError, match=r"a.csv.zst is broken .it ends too early"):
        list(blocks(file, 3, ";"))


@pytest.mark.parametrize(
    ("said", "kind", "sentence"),
    [
        ("Traceback\nparcours.errors.RetryableFault: X is gone; run again.\n\tat", RetryableFault, "X is gone; run"),
        ("Traceback\nparcours.errors.InputError: b.csv is broken.\n", InputError, "b.csv is broken."),
        ("OSError: [Errno 28] No space left on device: 'x'\n", RetryableFault, "No space left on device"),
        ("java.io.IOException: No space left on device\n\tat", RetryableFault, "No space left on device"),
        ("Caused by: java.io.IOException: No space left on device\n", RetryableFault, "No space left on device"),
        ("org.apache.spark.SparkException: Python worker exited unexpectedly (crashed)", RetryableFault, "killed"),
        ("EOFException occurred while reading the port number from x's stdout", RetryableFault, "killed"),
        ("java.io.FileNotFoundException: file:/data/_staging/a/b (No such file)\n", RetryableFault, "in use is gone"),
        ("Answer from Java side is empty", RetryableFault, "Java process of Spark ended"),
    ],
)
def test_what_a_task_raised_ends_the_command_as_that(said, kind, sentence):
    error = meant(said)
    assert type(error) is kind
    assert sentence in str(error)


def test_a_bug_of_a_task_stays_a_bug():
    assert meant("ValueError: zip() argument 2 is longer than argument 1\n") is None


def test_a_lost_java_process_is_told_by_the_exception_alone(caplog):
    """The log of py4j, a traceback, could come after the last sentence."""

    def hang_up(server):
        taken, _ = server.accept()
        taken.recv(100)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        taken.close()

    caplog.set_level("INFO")  # as in a job
    leave_telling_to_exceptions()
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=hang_up, args=(server,), daemon=True).start()
        gateway = JavaGateway(gateway_parameters=GatewayParameters(port=server.getsockname()[1]))
        with pytest.raises(Py4JError):
            gateway.jvm.java.lang.System.currentTimeMillis()
    assert caplog.text == ""


@pytest.mark.parametrize("code", [errno.EIO, errno.EMFILE])
def test_a_fault_of_the_disk_is_not_one_of_the_file(tmp_path, monkeypatch, code):
    """Another delivery would not mend it, a retry may."""

    def refused(path):
        raise OSError(code, "HDFS could not read")

    monkeypatch.setattr(source, "open_raw", refused)
    for read in (lambda: list(blocks(tmp_path / "a.csv", 3, ";")), lambda: header_line(tmp_path / "a.csv")):
        with pytest.raises(OSError, match="HDFS could not read"):
            read()


@pytest.mark.parametrize("name", ["not there", "."])
def test_what_is_no_file_is_a_wrong_input(tmp_path, name):
    with pytest.raises(InputError, match="cannot be read"):
        header_line(tmp_path / name)
