"""Parcours: from raw SNDS files to a drug-safety report."""

__version__ = "0.1.0"
