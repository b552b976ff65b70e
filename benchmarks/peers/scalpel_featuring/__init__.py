"""The plan of SCALPEL-Extraction for the fall study, in Scala on this Spark: typed functions over rows.

One pass over a flat table for each extractor (`filter`, `filter`, `flatMap`, `distinct`), source filters as SQL
columns, every result written to Parquet and read back, persons collected on the driver as a set, and exposures and
falls by `groupByKey`. `Featuring.scala` is where it begins; what is kinder than the original is said where it is.
"""
