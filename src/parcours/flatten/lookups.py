"""The look-up of persons on the machine of a task: tasks map it into memory, and share it."""

import os
import shutil
import tempfile
import uuid
from pathlib import Path

from parcours.errors import RetryableFault
from parcours.storage.place import Place


def lookup_here(lookup: Place) -> Path:
    """The look-up itself, or the one copy of it on this machine; its name says what it holds.

    Raises RetryableFault when it is gone, replaced by that of another identity.
    """
    if isinstance(lookup, Path):
        return lookup
    folder = Path(tempfile.gettempdir()) / f"parcours-lookups-{os.getuid()}"
    copy = folder / lookup.name
    if not copy.is_file():
        folder.mkdir(mode=0o700, exist_ok=True)
        own = folder / f".{uuid.uuid4().hex}"
        try:
            with lookup.open("rb") as source, own.open("wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
            earlier = [path for path in folder.glob("lookup-*") if path != copy]
            own.replace(copy)
        except FileNotFoundError:
            raise RetryableFault(f"{lookup} was replaced while rows were given to persons; run again.") from None
        finally:
            own.unlink(missing_ok=True)
        for path in earlier:  # who has one of them in memory keeps it
            path.unlink(missing_ok=True)
    return copy
