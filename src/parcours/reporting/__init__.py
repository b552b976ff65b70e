"""Figures, tables and the report of a study; every count of persons passes through `suppression` before it leaves."""
