"""Which person a row is given to: the identity of a root, made of the tables of persons that it holds."""

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from parcours.flatten.job import reading
from parcours.flatten.owners import Change, Owners, changed, changes_name, kept_changes
from parcours.flatten.plan import PeriodPlan, plan_product
from parcours.flatten.rows import read_rows
from parcours.flatten.scan import Scan, scan_blocks
from parcours.leaving import in_words, shown_count
from parcours.snds.contracts import Product, load_product
from parcours.snds.delivery import Delivery
from parcours.snds.identity import (
    IDENTITY_FILE,
    PERSON,
    Identity,
    Referentials,
    build_identity,
    foreseen_identity,
    lookup_name,
)
from parcours.snds.identity_changes import write_changes
from parcours.snds.person_columns import PersonColumns, identifying_tables
from parcours.snds.person_forms import columns_of_identity
from parcours.storage.commit import commit_directory, staging_attempt, waiting_writer
from parcours.storage.fingerprint import fingerprint, sources_version
from parcours.storage.manifest import committed_periods, read_manifest
from parcours.storage.place import Place, copy_folder, found, local_copy
from parcours.storage.root import Root

WHOLE = "all"
Compute = Callable[[Product, list[PeriodPlan]], Iterable[tuple[str, str]]]
Plans = dict[str, PeriodPlan]
log = logging.getLogger(__name__)


def with_persons(delivery: Delivery, products: list[Product]) -> list[Product]:
    """The products, and the tables that say who persons are, as far as they were delivered."""
    persons = [load_product(name) for name in identifying_tables() if delivery.files_of(name)]
    return [*(product for product in persons if product not in products), *products]


def lookup_of(root: Root, mapping: str | None) -> Place | None:
    """Where tasks look persons up; None when rows need no referential."""
    return root.identity / lookup_name(mapping) if mapping else None


# --- what will be ------------------------------------------------------------------------------------------------


def planned_owners(root: Root, delivery: Delivery, scans: list[Scan], buckets: int) -> Owners | None:
    """Who each identifier will be once the delivery is flattened; None without any referential.

    Needs no Spark and writes nothing: where the root's identity is not made of the same referentials, the delivered
    ones are read here.
    """
    plans = _referential_plans(root, delivery, scans, buckets)
    sources = _sources(root, plans)
    if not sources:
        return None
    held, changes = read_manifest(root.identity), kept_changes(root.identity)
    if held is not None and held["fingerprint"] == _fingerprint(sources, delivery):
        return Owners(held["mapping"], changes)
    columns = columns_of_identity(delivery.person)
    rows = {name: _planned_rows(root, delivery, name, plans, columns) for name in sources}
    with _held_identity(root, held) as before:
        identity = foreseen_identity(rows, columns, before)
    return Owners(identity.mapping, (*changes, *_last_change(held, identity)))


@contextmanager
def _held_identity(root: Root, held: dict[str, Any] | None) -> Iterator[Path | None]:
    """The identity.parquet of a root on this machine; None where there is none."""
    if held is None:
        yield None
        return
    with local_copy(root.identity / IDENTITY_FILE) as path:
        yield path


def _last_change(held: dict[str, Any] | None, identity: Identity) -> list[Change]:
    """The change from the identity of a root to another; none where all persons stay the same."""
    if held is None or held["mapping"] == identity.mapping:
        return []
    return [Change(held["mapping"], identity.mapping, identity.changes)]


def _referential_plans(root: Root, delivery: Delivery, scans: list[Scan], buckets: int) -> Plans:
    """The one period of each table of persons that was delivered."""
    products = [load_product(name) for name in identifying_tables()]
    planned = {product.name: plan_product(root, delivery, product, scans, buckets, None) for product in products}
    return {name: plans[0] for name, plans in planned.items() if plans}


def _sources(root: Root, plans: Plans) -> dict[str, str]:
    """Fingerprint of each referential: the delivered one, else the one in the root."""
    held = {name: read_manifest(root.period(name, WHOLE)) for name in identifying_tables()}
    known = {name: manifest["fingerprint"] for name, manifest in held.items() if manifest is not None}
    return known | {name: plan.fingerprint for name, plan in plans.items()}


def _fingerprint(sources: dict[str, str], delivery: Delivery) -> str:
    """Of an identity made of referentials in these states."""
    code = sources_version("snds/identity.py", "snds/identity.yaml", "snds/person_columns.py", "snds/person_forms.py")
    return fingerprint([sources, asdict(columns_of_identity(delivery.person)), code])


def _planned_rows(
    root: Root, delivery: Delivery, name: str, plans: Plans, columns: PersonColumns
) -> Iterator[pa.Table]:
    if name in plans and plans[name].status != "reuse":
        return _delivered_rows(delivery, load_product(name), plans[name])
    return _committed_rows(root, name, columns)


def _delivered_rows(delivery: Delivery, product: Product, plan: PeriodPlan) -> Iterator[pa.Table]:
    """The rows that flattening will accept."""
    for scan in plan.inputs:
        how = reading(product, delivery, scan)
        for block, _ in scan_blocks(scan, scan.spans, delivery.delimiter):
            yield from read_rows(block, how, [WHOLE]).tables.values()


def _committed_rows(root: Root, name: str, columns: PersonColumns) -> Iterator[pa.Table]:
    for path in found(root.period(name, WHOLE), "*.parquet"):
        with path.open("rb") as source, pq.ParquetFile(source) as file:
            wanted = [column for column in columns.of_referential if column in file.schema_arrow.names]
            for group in range(file.num_row_groups):
                yield file.read_row_group(group, columns=wanted)


# --- what is -----------------------------------------------------------------------------------------------------


def ensure_identity(
    delivery: Delivery, root: Root, scans: list[Scan], buckets: int, compute: Compute
) -> dict[str, dict[str, str]]:
    """Bring the referentials and the identity made of them up to date; {product: {period: done}} of what was computed.

    `compute` flattens periods of a product. Waits for another job that is doing just that.
    """
    done: dict[str, dict[str, str]] = {}
    if not _up_to_date(root, delivery, _referential_plans(root, delivery, scans, buckets)):
        with waiting_writer(root, root.identity):
            for name, plan in _referential_plans(root, delivery, scans, buckets).items():
                states = dict(compute(load_product(name), [plan]))
                done |= {name: states} if "done" in states.values() else {}
            if not _up_to_date(root, delivery, {}):
                _commit_identity(delivery, root)
    if read_manifest(root.identity) is not None:
        log.info("identity: of %s, see its _MANIFEST.json for the counts", ", ".join(_sources(root, {})))
    return done


def _up_to_date(root: Root, delivery: Delivery, plans: Plans) -> bool:
    if any(plan.status != "reuse" for plan in plans.values()):
        return False
    sources = _sources(root, plans)
    held = read_manifest(root.identity) or {}
    return not sources or held.get("fingerprint") == _fingerprint(sources, delivery)


def _commit_identity(delivery: Delivery, root: Root) -> None:
    sources, columns = _sources(root, {}), columns_of_identity(delivery.person)
    mark = _fingerprint(sources, delivery)
    rows: Referentials = {name: _committed_rows(root, name, columns) for name in sources}
    held = read_manifest(root.identity)
    with staging_attempt(root, mark) as attempt:
        staged = attempt / "identity"
        with _held_identity(root, held) as before, tempfile.TemporaryDirectory() as folder:
            identity = build_identity(rows, columns, Path(folder), before)
            copy_folder(Path(folder), staged)
        changes = (*kept_changes(root.identity), *_last_change(held, identity))
        for change in changes:
            write_changes(staged / changes_name(change.before, change.now), changed(change))
        manifest = {
            "fingerprint": mark,
            "mapping": identity.mapping,
            "sources": sources,
            "columns": asdict(columns),
            "moved": [[change.before, change.now] for change in changes],
            **asdict(identity.counts),
        }
        commit_directory(root, staged, root.identity, manifest)


# --- without ------------------------------------------------------------------------------------------------------


def cost_without_referential(root: Root, products: list[Product]) -> str | None:
    """What it costs that no table said who persons are, in a sentence; None where one did, or nothing has persons."""
    known = [product.name for product in products if product.person and product.form != "reference"]
    if not known or read_manifest(root.identity) is not None:
        return None
    persons = in_words(shown_count(count_persons(root, known)), "identifier(s)")
    return (
        f"No table says who persons are ({', '.join(identifying_tables())}): {persons} in {' and '.join(known)} were "
        "taken for as many persons. Whoever has several is several persons, twins who share one are one, and nobody "
        "has sex or birth, so that a study follows none of them; deliver such a table, and flatten again."
    )


def count_persons(root: Root, products: list[str]) -> int:
    """How many person_id the committed periods of some products hold, bucket by bucket."""
    periods = [root.period(name, period) for name in products for period in committed_periods(root, name)]
    files = sorted((path.name, path) for period in periods for path in found(period, "*.parquet"))
    buckets = groupby(files, key=itemgetter(0))
    return sum(len(np.unique(np.concatenate([_persons_of(path) for _, path in some]))) for _, some in buckets)


def _persons_of(path: Place) -> np.ndarray:
    with path.open("rb") as source, pq.ParquetFile(source) as file:
        persons: np.ndarray = file.read(columns=[PERSON])[PERSON].drop_null().unique().to_numpy()
    return persons
