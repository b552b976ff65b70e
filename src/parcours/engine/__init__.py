"""How work runs: DuckDB within a task, slices of persons, and Spark or this process to schedule the tasks."""
