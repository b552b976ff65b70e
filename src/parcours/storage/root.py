"""The layout of a root: one place that knows which path holds what."""

import json
from dataclasses import dataclass

from parcours.errors import InputError
from parcours.storage.hdfs import HdfsPath
from parcours.storage.manifest import write_json
from parcours.storage.place import Place, place

FORMAT = 1
FEWEST_BUCKETS, MOST_BUCKETS = 2, 4096
# Raw bytes that one person bucket holds over all periods: some sixty flux months of 1.5 GB, which become files of
# 128 to 512 MB.
BUCKET_BYTES = 90 << 30


@dataclass(frozen=True)
class Root:
    """Paths under one root; nothing here touches the disk."""

    path: Place

    @property
    def layout_file(self) -> Place:
        """Format version and number of person buckets, set once."""
        return self.path / "layout.json"

    @property
    def identity(self) -> Place:
        """Identifiers -> person_id."""
        return self.path / "identity"

    def flat(self, product: str) -> Place:
        """All periods of one flat product."""
        return self.path / "flat" / product

    def period(self, product: str, period: str) -> Place:
        """One period of one flat product."""
        return self.flat(product) / f"period={period}"

    def rejects(self, product: str, period: str) -> Place:
        """Rows of the period that could not be read."""
        return self.path / "rejects" / product / f"period={period}"

    def orphans(self, product: str, period: str) -> Place:
        """Child rows of the period that have no main row."""
        return self.path / "orphans" / product / f"period={period}"

    def events(self, step: str, fingerprint: str) -> Place:
        """The events of one category, the persons or the medicines, made of one state of the flat tables."""
        return self.path / "events" / step / fingerprint

    def study(self, cohort: str, fingerprint: str) -> Place:
        """One resolved study: run.json, cohort, features, model, report."""
        return self.path / "studies" / cohort / fingerprint

    def staging(self, fingerprint: str, attempt: str) -> Place:
        """Where one attempt writes before it commits."""
        return self.path / "_staging" / fingerprint / attempt

    def quality(self, run_name: str) -> Place:
        """Verdict and reports of one run of the gate."""
        return self.path / "quality" / run_name

    def publication(self, product: str) -> Place:
        """Which state of which periods the gate let through."""
        return self.path / "published" / f"{product}.json"

    def progress(self, name: str) -> Place:
        """How far a running job is."""
        return self.path / "_progress" / f"{name}.json"

    @property
    def releases(self) -> Place:
        """What left of each run, by the version of the data."""
        return self.path / "releases"

    def lock(self, name: str) -> Place:
        """The file that a writer holds locked while it works on `name`."""
        return self.path / "_locks" / f"{name}.lock"


def open_root(address: str | Place) -> Root:
    """The root at a plain path, a file:/// or an hdfs:// address.

    Raises InputError for an address of another kind or none, or one that is a file or lies in one.
    """
    if not str(address).strip():
        raise InputError("The root is empty; give a folder, or a file:/// or an hdfs:// address.")
    path = place(address, "root").absolute()
    if path.is_file():
        raise InputError(f"The root {path} is a file; give a folder.")
    above = [] if isinstance(path, HdfsPath) or path.exists() else path.parents
    for folder in above:
        if folder.is_file():
            raise InputError(f"The root {path} lies in {folder}, which is a file; give another folder.")
    return Root(path)


def buckets_for(raw_bytes: int) -> int:
    """Number of person buckets for a root whose deliveries are of that size: a power of two."""
    wanted = max(FEWEST_BUCKETS, min(MOST_BUCKETS, -(-raw_bytes // BUCKET_BYTES)))
    return 1 << (wanted - 1).bit_length()


def ensure_layout(root: Root, person_buckets: int = FEWEST_BUCKETS) -> int:
    """Number of person buckets of the root, set to `person_buckets` when the root is new.

    Raises InputError when the root has another format.
    """
    if not root.layout_file.is_file():
        root.path.mkdir(parents=True, exist_ok=True)
        write_json(root.layout_file, {"format": FORMAT, "person_buckets": person_buckets})
    layout = json.loads(root.layout_file.read_text("utf-8"))
    if layout.get("format") != FORMAT:
        raise InputError(
            f"{root.layout_file} has format {layout.get('format')}, this version reads {FORMAT}; use another root."
        )
    return int(layout["person_buckets"])
