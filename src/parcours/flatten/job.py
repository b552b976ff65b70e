"""What one Spark job of flattening is to do; sent to every task."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from parcours.flatten.plan import file_columns
from parcours.flatten.rows import Reading
from parcours.flatten.scan import Scan, Span, file_period, scan_blocks, texts_of
from parcours.flatten.source import Block
from parcours.snds.contracts import Product
from parcours.snds.delivery import Delivery, RawFile
from parcours.snds.person_columns import PersonColumns
from parcours.storage.place import Place, place

Item = tuple[int, Span | None]


@dataclass(frozen=True)
class PeriodWork:
    """One period of a job.

    `columns` gives the columns of each of its tables (name -> contract type), `absent` the tables not delivered for
    it, `buckets` its number of claim buckets.
    """

    period: str
    columns: dict[str, dict[str, str]]
    absent: tuple[str, ...]
    buckets: int


@dataclass(frozen=True)
class Job:
    """Everything that tasks need to know; `tasks` are lists of (file, span) to read, span None for the whole file."""

    product: Product
    delivery: Delivery
    periods: dict[str, PeriodWork]
    scans: list[Scan]
    tasks: list[list[Item]]
    partitions: int
    person_buckets: int
    persons: PersonColumns | None
    lookup: Place | None
    staged: Place

    @property
    def spill(self) -> Path:
        """Where tasks put what does not fit in memory: beside what they write, or on their machine's disk."""
        return self.staged / ".spill" if isinstance(self.staged, Path) else Path(tempfile.gettempdir())


def read_blocks(job: Job, item: Item) -> Iterator[tuple[Block, list[str]]]:
    """The blocks of a file, or of one span of it, that hold rows of the job's periods, with the periods they hold."""
    number, span = item
    scan = job.scans[number]
    for block, known in scan_blocks(scan, scan.spans if span is None else [span], job.delivery.delimiter):
        periods = scan.span_periods(known)
        if span is not None or any(period in job.periods for period in periods):
            yield block, periods


def reading(product: Product, delivery: Delivery, scan: Scan) -> Reading:
    """How the rows of one file are read."""
    key = tuple(name for name in product.key_of(scan.table) if name in scan.header)
    return Reading(
        table=scan.table,
        file=scan.name,
        header=tuple(scan.header),
        columns=partial(file_columns, scan.table, scan.header),
        key=key,
        period=file_period(RawFile(scan.table, place(scan.path), scan.year), product),
        period_column=product.period_column,
        only_period=scan.only_period,
        amounts=product.amounts if scan.table == product.main else (),
        delimiter=delivery.delimiter,
        encoding=delivery.encoding,
        texts=texts_of(delivery),
    )
