"""Synthetic deliveries: raw SNDS files with planted truth, planted irregularities and planted faults."""
