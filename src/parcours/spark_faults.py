"""What failed in Spark, as the error that it was: Spark tells of its tasks' errors by text alone."""

import logging
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parcours.errors import InputError, RetryableFault

INPUT = re.compile(r"^parcours\.errors\.InputError: (.+)$", re.MULTILINE)
RETRYABLE = re.compile(r"^parcours\.errors\.RetryableFault: (.+)$", re.MULTILINE)
MACHINE = re.compile(
    r"^(?:Caused by: )?(?:\w+Error|java\.io\.IOException): (\[Errno \d+\].+|No space left on device.*)$", re.MULTILINE
)
FILE_GONE = re.compile(r"java\.io\.FileNotFoundException: (.+)$", re.MULTILINE)
WORKER_GONE = (
    "Python worker exited unexpectedly",
    "Python worker failed to connect back",
    "occurred while reading the port number from",
    "Connection reset",
    "Broken pipe",
    "java.io.EOFException",
    "java.nio.channels.ClosedChannelException",
)
DRIVER_GONE = (
    "Answer from Java side is empty",
    "Error while sending or receiving",
    "SparkContext was shut down",
    "JAVA_GATEWAY_EXITED",
)


@contextmanager
def told_by_spark() -> Iterator[None]:
    """Raise what a task raised, and RetryableFault where a process of Spark died; a bug stays the bug that it is."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (Py4JError, PySparkException, ConnectionError) as error:
        raise meant(str(error)) or _java_ended(error) or error from error


def leave_telling_to_exceptions() -> None:
    """py4j also logs a lost connection, with a traceback: perhaps after the last sentence.

    On the root logger, and on its own where the process logs that level, as a job does.
    """
    logging.getLogger().addFilter(_not_of_py4j)
    logging.getLogger("py4j").setLevel(logging.CRITICAL)


def _not_of_py4j(record: logging.LogRecord) -> bool:
    return Path(record.pathname).parent.name != "py4j"


def meant(text: str) -> InputError | RetryableFault | None:
    """The error that a text of Spark stands for; None when it is a fault of the code."""
    if found := RETRYABLE.search(text):
        return RetryableFault(found[1])
    if found := INPUT.search(text):
        return InputError(found[1])
    if found := MACHINE.search(text):
        return RetryableFault(f"The machine refused: {found[1]}. Mend it and run again; nothing half-written is kept.")
    if found := FILE_GONE.search(text):
        return RetryableFault(f"A file that was in use is gone ({found[1].rstrip('.')}); run again.")
    if any(sign in text for sign in WORKER_GONE):
        return RetryableFault(
            "A Python worker of Spark was killed, perhaps for want of memory; nothing half-written is kept, run again."
        )
    if any(sign in text for sign in DRIVER_GONE):
        return _ended()
    return None


def _java_ended(error: Exception, seconds: float = 2) -> RetryableFault | None:
    """Whether nobody answers for Spark any more: py4j then may say no more than that a call failed."""
    from pyspark import SparkContext

    gateway = SparkContext._gateway
    if gateway is None:  # killed while it starts, it refuses the first connection
        return _ended() if isinstance(error, ConnectionError) else None
    until = time.monotonic() + seconds  # a process that was killed takes a moment to let go of its port
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", gateway.gateway_parameters.port), timeout=1).close()
        except OSError:
            return _ended()
        time.sleep(0.1)
    return None


def _ended() -> RetryableFault:
    return RetryableFault("The Java process of Spark ended; nothing half-written is kept, run again.")
