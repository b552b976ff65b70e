"""Finished runs of studies side by side: what was changed, and what became of counts, curves and signals."""
