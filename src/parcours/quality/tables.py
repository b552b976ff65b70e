"""Tables that the rules look at, as temporary views of one Spark session."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from parcours.errors import InputError
from parcours.quality import manifests as facts
from parcours.quality.catalogue import Catalogue, View
from parcours.snds.contracts import load_product, load_table
from parcours.storage.place import Place, spark_path
from parcours.storage.root import Root

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

SPARK_TYPES = {"string": "string", "integer": "bigint", "decimal": "double", "date": "date"}
ADDED = {"person_id": "bigint", "claim_row": "int", "source_table": "string"}
FEATURES = {
    "persons": {"person_id": "bigint", "start": "int", "end": "int", "birth": "int"},
    "events": {"person_id": "bigint", "day": "int"},
    "exposures": {"person_id": "bigint", "drug": "string", "start": "int", "end": "int"},
}

# What suits the gate where the user has said nothing.
LOOKING = {
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # Listing the directories here beats a Spark job that lists them, up to a few hundred periods.
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "1000",
}


def private_session(spark: "SparkSession") -> "SparkSession":
    """A session of its own on the same Spark: the views of two gates do not meet."""
    session = spark.newSession()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    given = spark.sparkContext.getConf()
    for name, value in LOOKING.items():
        if not given.contains(name):
            session.conf.set(name, value)
    return session


def flat_types(product: str, columns: Iterable[str]) -> dict[str, str]:
    """Spark type of columns of a flat table, from the contracts.

    A column that a period lacks (drift) reads as null. Raises InputError for a column that no contract
    has, or whose type changed over the years.
    """
    definition = load_product(product)
    bare = [definition.main, *([definition.patient] if definition.patient else [])]
    return {column: ADDED.get(column) or _contract_type(column, bare) for column in columns}


def _contract_type(column: str, bare: list[str]) -> str:
    table, joined, name = column.rpartition("__")
    types = {
        declared.type
        for candidate in ([table] if joined else bare)
        for declared in load_table(candidate).columns
        if declared.name == name
    }
    if len(types) != 1:
        raise InputError(f"Quality rules read {column}, which has {len(types)} types in the contracts; it needs one.")
    return SPARK_TYPES[types.pop()]


def register_flat(session: "SparkSession", root: Root, catalogue: Catalogue, periods: Iterable[str]) -> None:
    """Make the committed periods of the catalogue's product a view of its name, with a `period` column."""
    assert catalogue.product is not None
    types = flat_types(catalogue.product, catalogue.columns)
    schema = ", ".join(f"`{name}` {kind}" for name, kind in {**types, "period": "string"}.items())
    directories = [spark_path(root.period(catalogue.product, period)) for period in periods]
    reader = session.read.schema(schema).option("basePath", spark_path(root.flat(catalogue.product)))
    reader.parquet(*directories).createOrReplaceTempView(catalogue.product)


def register_manifests(session: "SparkSession", manifests: facts.Manifests) -> None:
    """Make what the manifests state views: manifest_periods, manifest_tables, manifest_persons, manifest_amounts."""
    for name, rows, schema in (
        ("manifest_periods", facts.period_rows(manifests), facts.PERIODS),
        ("manifest_tables", facts.table_rows(manifests), facts.TABLES),
        ("manifest_persons", facts.person_rows(manifests), facts.PERSONS),
        ("manifest_amounts", facts.amount_rows(manifests), facts.AMOUNTS),
    ):
        _local_table(session, rows, schema).createOrReplaceTempView(name)


def register_features(session: "SparkSession", directory: Place, summary: dict[str, Any]) -> None:
    """Make the features of a study views: persons, events, exposures, and what its summary states."""
    for name, types in FEATURES.items():
        frame = session.read.parquet(spark_path(directory / f"{name}.parquet"))
        # Cast: an empty table may have been written with columns of no type.
        typed = [f"CAST(`{column}` AS {kind}) AS `{column}`" for column, kind in types.items()]
        frame.selectExpr(*typed).createOrReplaceTempView(name)
    stated = [(int(summary["cases"]), int(summary["events"]))]
    _local_table(session, stated, {"cases": "bigint", "events": "bigint"}).createOrReplaceTempView("stated")
    drugs = [(drug,) for drug in summary["drugs"]]
    _local_table(session, drugs, {"drug": "string"}).createOrReplaceTempView("known_drugs")


def register_view(session: "SparkSession", view: View) -> "DataFrame":
    """Make a view of the catalogue a view of the session; small views are computed here, once."""
    frame = session.sql(view.sql)
    if view.level != "rows":
        frame = session.createDataFrame(frame.toArrow())
    frame.createOrReplaceTempView(view.name)
    return frame


def _local_table(session: "SparkSession", rows: list[tuple[Any, ...]], schema: dict[str, str]) -> "DataFrame":
    """A table that lives in the driver: made through Arrow, Spark reads it without a job."""
    import pyarrow as pa

    kinds = {"string": pa.string(), "bigint": pa.int64(), "double": pa.float64()}
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(values, kinds[kind]) for values, kind in zip(columns, schema.values(), strict=True)]
    return session.createDataFrame(pa.Table.from_arrays(arrays, names=list(schema)))
