"""What the fork server imports once, so that its children start in milliseconds; starts no thread."""

import duckdb
import pandas
import pyarrow.compute
import pyarrow.csv
import pyarrow.dataset
import pyarrow.parquet
import pyspark.errors

import parcours.flatten.run
import parcours.flatten.tasks
import parcours.stages.flatten
from parcours.snds.contracts import load_product, load_table
from parcours.storage.fingerprint import code_version, sources_version

for name in ("DCIR", "IR_BEN_R", "IR_BEN_R_ARC"):
    for table in load_product(name).tables:
        load_table(table).columns_of(2016)
VERSIONS = (
    sources_version("flatten", "snds"),
    sources_version("snds/identity.py", "snds/identity.yaml", "snds/person_columns.py", "snds/person_forms.py"),
    code_version(),
)
__all__ = ["duckdb", "pandas", "parcours", "pyarrow", "pyspark"]
