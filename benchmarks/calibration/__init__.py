"""How often the estimator is right, on case series drawn from a known truth; `python -m benchmarks.calibration`."""
