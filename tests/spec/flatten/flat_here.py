"""Deliveries written by hand, and flattening without Spark: the same tasks, fed one after the other.

Each period is flattened in both ways, by one task and through the shuffles, and both must give the same files.
"""

from collections import defaultdict
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from parcours.flatten import engine, tasks
from parcours.flatten.plan import plan_product
from parcours.flatten.reconcile import check, summarise
from parcours.flatten.scan import scan_file
from parcours.snds.contracts import load_product
from parcours.snds.delivery import load_delivery
from parcours.snds.identity import build_identity, lookup_name
from parcours.snds.person_columns import identifying_tables
from parcours.snds.person_forms import columns_of_identity, columns_of_rows
from parcours.storage.root import open_root

KEY = "DCT_ORD_NUM;FLX_DIS_DTD;FLX_EMT_NUM;FLX_EMT_ORD;FLX_EMT_TYP;FLX_TRT_DTD;ORG_CLE_NUM;PRS_ORD_NUM;REM_TYP_AFF"


def key(number, month="2016-01-01", order=1):
    """The nine key columns of one claim line."""
    return f"{number};{month};1;1;1;2016-01-15;01C731001;{order};0"


def write_delivery(folder, tables, **settings):
    """`tables`: name -> text of one file, or (year, text), or a list of those; the first line is the header."""
    entries = {}
    for name, files in tables.items():
        for number, file in enumerate(files if isinstance(files, list) else [files]):
            year, text = file if isinstance(file, tuple) else (None, file)
            path = folder / f"{name}_{number}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
            entries.setdefault(name, []).append({"files": path.name, **({"year": year} if year else {})})
    (folder / "delivery.yaml").write_text(yaml.safe_dump({"name": "small", "tables": entries, **settings}))
    return folder


class Flat:
    """What flattening gave: rows as dicts, rejects, orphans, and the summary of each period."""

    def __init__(self, folder: Path, summaries: dict):
        self.folder, self.summaries = folder, summaries

    def relation(self, pattern="*/flat/*.parquet"):
        files = sorted(str(path) for path in self.folder.glob(pattern))
        return duckdb.read_parquet(files, union_by_name=True) if files else None

    def rows(self, *columns, pattern="*/flat/*.parquet"):
        found = self.relation(pattern)
        if found is None:
            return []
        names = ", ".join(f'"{name}"' for name in columns)
        return sorted(duckdb.sql(f"SELECT {names} FROM found").fetchall(), key=str)

    def rejects(self):
        return self.rows("table", "line", "column", "reason", "raw", pattern="*/rejects/*.parquet")

    def orphans(self, table, *columns):
        return self.rows(*columns, pattern=f"*/orphans/{table}.parquet")


def flatten_here(delivery_folder, product_name, out, persons=True, buckets=3):
    """Flatten one product of a delivery into `out`; checks the counts as a real run does."""
    delivery, product = load_delivery(delivery_folder), load_product(product_name)
    lookup = _lookup_here(delivery_folder, delivery, out) if persons else None
    scans = [scan_file(raw, delivery, product) for table in product.tables for raw in delivery.files_of(table)]
    plans = plan_product(open_root(str(out)), delivery, product, scans, buckets, None)
    shuffled = _summaries(plans, product, delivery, buckets, lookup, out / "staged" / product_name, False)
    small = [plan for plan in plans if engine.fits_one_task(plan)]
    whole = _summaries(small, product, delivery, buckets, lookup, out / "whole" / product_name, True)
    for plan in small:
        assert _said(whole[plan.period]) == _said(shuffled[plan.period])
        assert _tables(out / "whole" / product_name / plan.period) == _tables(
            out / "staged" / product_name / plan.period
        )
    for plan in plans:
        shuffled[plan.period]["drift"] = plan.drift
    return Flat(out / "staged" / product_name, shuffled)


def _summaries(plans, product, delivery, buckets, lookup, staged, whole):
    staged.mkdir(parents=True)
    if not plans:
        return {}
    fixed = {"persons": columns_of_rows(delivery.person, product), "lookup": lookup, "staged": staged}
    job = engine.make_job(engine.Batch(plans, whole), product, delivery, 2, person_buckets=buckets, **fixed)
    reported = _reported(tasks.whole_task(job) if whole else _run(job))
    summaries = {plan.period: summarise(product, plan, reported.get(plan.period, [])) for plan in plans}
    for plan in plans:
        check(product, plan, summaries[plan.period])
    return summaries


def _said(summary):
    """What a manifest says, without bytes of files and empty files: they depend on how rows were cut into buckets."""
    return {**summary, "files": [(file["path"], file["rows"]) for file in summary["files"] if file["rows"]]}


def _tables(folder):
    found = {str(path.relative_to(folder)): pq.read_table(path) for path in sorted(folder.rglob("*.parquet"))}
    return {name: (table.schema, table.to_pylist()) for name, table in found.items() if table.num_rows}


def _ids(count):
    return pa.record_batch([list(range(count))], names=["id"])


def _lookup_here(delivery_folder, delivery, out):
    """The look-up made of the referentials of the delivery; None when it has none."""
    found = {}
    for name in identifying_tables():
        if delivery.files_of(name):
            flat = flatten_here(delivery_folder, name, out / "persons", persons=False)
            found[name] = [pq.read_table(file) for file in sorted(flat.folder.glob("*/flat/*.parquet"))]
    if not found:
        return None
    identity = build_identity(found, columns_of_identity(delivery.person), out / "identity")
    return out / "identity" / lookup_name(identity.mapping)


def _run(job):
    read = _shuffled(tasks.read_task(job, [_ids(len(job.tasks))]))
    joined = _shuffled(batch for part in read for batch in tasks.join_task(job, part))
    for part in joined:
        for batch in tasks.write_task(job, part):
            row = batch.to_pylist()[0]
            yield row["group"], {"kind": row["kind"], **engine.json.loads(row["payload"])}


def _reported(entries):
    reported = defaultdict(list)
    for period, entry in entries:
        reported[period].append(entry)
    return reported


def _shuffled(batches):
    partitions = defaultdict(list)
    for batch in batches:
        partitions[batch.column(0)[0].as_py()].append(batch)
    return list(partitions.values())
