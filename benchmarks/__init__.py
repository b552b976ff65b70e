"""Measurements against other ways to do the same work; each writes one file under `benchmarks/results`."""
