"""Features: a cohort turned into the case series that the models fit."""
