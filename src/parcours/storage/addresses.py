"""Small files at an address (a path, file:/// or hdfs://): read, written and stamped."""

from parcours.storage.place import Place, found, place, stamp, write_whole

Stamp = tuple[str, list[int]]


def read_text(address: str) -> str | None:
    """The text at an address, None when there is none. Raises OSError when it cannot be told."""
    try:
        return place(address).read_text("utf-8")
    except FileNotFoundError:
        return None


def write_text(address: str, text: str) -> None:
    """Replace the text at an address: a reader sees the old or the new one. Raises OSError."""
    write_whole(place(address), text.encode())


def stamps(address: str, pattern: str) -> list[Stamp]:
    """(path, stamp) of the files that a glob names, in the folder of the address or of its file.

    Nothing is read: whoever changes a file changes its stamp. Raises OSError.
    """
    where = place(address).absolute()
    folder = where.parent if where.is_file() else where
    return [_stamp(file, folder) for file in found(folder, pattern) if file.is_file()]


def _stamp(file: Place, folder: Place) -> Stamp:
    return file.relative_to(folder).as_posix(), stamp(file)
