"""Runs of a study in MLflow: the only place that imports mlflow, and only when it is called."""
