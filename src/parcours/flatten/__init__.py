"""Raw files -> person-clustered flat tables: Spark distributes, Arrow moves, DuckDB joins (docs/adr/0001)."""
