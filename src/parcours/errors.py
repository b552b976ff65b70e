"""Errors that end a command, each with the exit code that scripts and Airflow act on."""


class ParcoursError(Exception):
    """Ends a command with one clear sentence and no traceback."""

    exit_code = 3


class GateRefused(ParcoursError):
    """The data-quality gate or a diagnostic refused: exit code 1."""

    exit_code = 1


class InputError(ParcoursError):
    """The user's input is wrong: the sentence says what, where and what to do. Exit code 2."""

    exit_code = 2


class RetryableFault(ParcoursError):
    """A fault that a retry may cure (a full disk, a second writer): exit code 3."""

    exit_code = 3
