"""The edges of each stage: arguments -> session -> library -> commit. Shared by the CLI and the Spark jobs."""
