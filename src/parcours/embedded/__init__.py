"""The whole platform on one machine as plain processes: Airflow, MLflow, Spark's history server and Data Docs."""
