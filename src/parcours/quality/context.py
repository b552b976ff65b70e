"""The Great Expectations context of one run: a private copy of expectations/, so that runs never meet."""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from parcours.errors import InputError
from parcours.home import project_home

if TYPE_CHECKING:
    from great_expectations.data_context import FileDataContext


def context_root() -> Path:
    """The committed expectations/ folder of the checkout (see PARCOURS_HOME).

    Raises InputError when the checkout has none.
    """
    root = project_home() / "expectations"
    if not (root / "great_expectations.yml").is_file():
        raise InputError(f"{root} holds no great_expectations.yml; set PARCOURS_HOME to a checkout of Parcours.")
    return root


@contextmanager
def run_context() -> Iterator["FileDataContext"]:
    """A context rooted in a temporary copy of expectations/, removed at the end.

    Results and Data Docs are written below the copy (`uncommitted/`), so expectations/ may be read-only.
    """
    with tempfile.TemporaryDirectory(prefix="parcours-gate-") as folder:
        copy = Path(folder) / "expectations"
        copy.mkdir()
        _copy_project(context_root(), copy)
        yield _open(copy)


def docs_directory(context: "FileDataContext") -> Path:
    """Where this run's Data Docs are built."""
    return Path(context.root_directory) / "uncommitted" / "data_docs"


def _copy_project(source: Path, copy: Path) -> None:
    shutil.copyfile(source / "great_expectations.yml", copy / "great_expectations.yml")
    for kind in ("suites", "checkpoints", "validation_definitions"):
        (copy / kind).mkdir()
        for path in (source / kind).glob("*.json"):
            # copyfile, not copy: the copy must be writable where the checkout is not.
            shutil.copyfile(path, copy / kind / path.name)


def _open(directory: Path) -> "FileDataContext":
    # Set before the import: GX reports its use over the network otherwise.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    # Beside Airflow, GX logs hundreds of "Skipping registering function" lines.
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    import great_expectations as gx

    return gx.get_context(mode="file", context_root_dir=directory)
