"""Figures, tables and the report of a study; every count of persons passes through `leaving` or `suppression` first."""
