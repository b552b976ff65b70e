"""The last good version of each study file: what goes on when a live file is broken."""

from pathlib import Path

from parcours.cohort.study import Study, load_study
from parcours.errors import InputError
from parcours.storage.place import write_whole

BROKEN = "The study file has a mistake, so its last good version is what runs. Mend it: {}"


def live_study(file: Path, kept: Path) -> tuple[Study, str | None]:
    """The study of a file, and None; or its last good version, and what to tell of it and of the file's mistake.

    A file without a mistake becomes the good version: it is copied into the folder `kept` when it is not there yet.
    Raises InputError, about the file, when it has a mistake and no good version that still holds.
    """
    good = kept / file.name
    try:
        study = load_study(file)
    except InputError as mistake:
        if not good.is_file():
            raise
        try:
            return load_study(good, file.parent), BROKEN.format(mistake)
        except InputError:  # the code lists are what is broken
            raise mistake from None
    content = file.read_bytes()
    if not good.is_file() or good.read_bytes() != content:
        write_whole(good, content)
    return study, None
