"""What every Spark program pays before it works: a session, one task of Python, and the end."""

from collections.abc import Iterator

import pyarrow as pa

from parcours.session import spark_session


def same(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The rows as they came."""
    return batches


def main() -> None:
    """Start, run one task, stop."""
    spark = spark_session("start")
    spark.range(1).mapInArrow(same, "id bigint").collect()
    spark.stop()


if __name__ == "__main__":
    main()
