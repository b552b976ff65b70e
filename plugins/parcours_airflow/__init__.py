"""What the DAGs share: the operator of a Spark job, its links and progress, and trigger forms made from study files."""
