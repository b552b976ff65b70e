"""The environment of the peer: tick and what it needs to run, apart from that of this project."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from parcours.errors import ParcoursError

# Without numpydoc no solver of tick can be made, and without six none can be used; neither is among its requirements.
REQUIREMENTS = ("tick==0.8.0.2", "numpydoc", "six")
MARK = "made.json"


def interpreter(folder: Path) -> Path:
    """The Python of the environment in `folder`, which is made when it is not there yet.

    Raises ParcoursError when it cannot be made.
    """
    if not _is_made(folder):
        sys.stderr.write(f"making the environment of {REQUIREMENTS[0]}\n")
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(folder)])
        # Modules are compiled when they are first imported, which is not timed.
        _run([str(_python(folder)), "-m", "pip", "install", "--quiet", "--no-compile", *REQUIREMENTS])
        (folder / MARK).write_text(json.dumps(REQUIREMENTS), "utf-8")
    return _python(folder)


def _is_made(folder: Path) -> bool:
    mark = folder / MARK
    return mark.is_file() and json.loads(mark.read_text("utf-8")) == list(REQUIREMENTS)


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except OSError as refusal:
        raise _refused(str(refusal)) from refusal
    if done.returncode != 0:
        raise _refused((done.stderr or done.stdout).strip().rpartition("\n")[2])


def _refused(reason: str) -> ParcoursError:
    return ParcoursError(
        f"The environment of {REQUIREMENTS[0]} cannot be made, which needs Python's venv and a package index: {reason}"
    )
