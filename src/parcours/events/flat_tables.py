"""Reading flat tables: only the columns asked for, with the types of their contracts, period by period."""

from collections.abc import Collection, Iterable, Mapping
from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, DateType, DoubleType, IntegerType, LongType, StringType, StructField, StructType

from parcours.snds.contracts import Product, load_product, load_table
from parcours.storage.place import Place, found, spark_path

TYPES: dict[str, DataType] = {
    "string": StringType(),
    "integer": LongType(),
    "decimal": DoubleType(),
    "date": DateType(),
}
ADDED: dict[str, DataType] = {"person_id": LongType(), "claim_row": IntegerType(), "source_table": StringType()}


def read_flat(
    spark: SparkSession,
    product: str,
    periods: Mapping[str, Place],
    columns: Iterable[str],
    delivered: Collection[str] = (),
) -> DataFrame:
    """The columns of some periods of a flat product, plus `period`; a column that a period lacks is null.

    `periods` maps each period to its directory. A column whose type changed over the years has the latest type. Of
    those `delivered` some may be in no contract, such as the pseudonym of a project extraction: they are strings.
    """
    wanted = sorted(columns)
    latest = _schema(product, wanted, None, delivered)
    by_schema: dict[StructType, dict[str, Place]] = {}
    for period, directory in periods.items():
        by_schema.setdefault(_schema(product, wanted, period, delivered), {})[period] = directory
    parts = [_read(spark, schema, group, latest) for schema, group in by_schema.items()]
    return reduce(DataFrame.unionByName, parts)


def flat_columns(periods: Mapping[str, Place]) -> list[str]:
    """The columns of the first file of some periods."""
    import pyarrow.parquet as pq

    first = next(file for directory in periods.values() for file in found(directory, "*.parquet"))
    with first.open("rb") as source:
        return list(pq.read_schema(source).names)


def _read(spark: SparkSession, schema: StructType, periods: Mapping[str, Place], latest: StructType) -> DataFrame:
    base = next(iter(periods.values())).parent
    # Given the types, Spark opens no file to guess them, and takes the period from the directory's name.
    frame = (
        spark.read.schema(schema.add("period", StringType()))
        .option("basePath", spark_path(base))
        .parquet(*[spark_path(directory) for directory in periods.values()])
    )
    same = [F.col(f.name).cast(f.dataType) for f in latest if f.name != "period"]
    return frame.select(*same, F.col("period"))


def _schema(product: str, columns: list[str], period: str | None, delivered: Collection[str]) -> StructType:
    definition = load_product(product)
    year = int(period[:4]) if period and period[:4].isdigit() else None
    return StructType([StructField(column, _type(definition, column, year, delivered)) for column in columns])


def _type(product: Product, column: str, year: int | None, delivered: Collection[str]) -> DataType:
    if column in ADDED:
        return ADDED[column]
    table, separator, name = column.rpartition("__")
    tables = [table] if separator else [product.main, *([product.patient] if product.patient else [])]
    for candidate in tables:
        declared = {c.name: c for c in load_table(candidate).columns}
        declared.update(load_table(candidate).columns_of(year))
        if name in declared:
            return TYPES[declared[name].type]
    if column in delivered:
        return StringType()
    raise LookupError(f"{product.name} has no column {column}")
