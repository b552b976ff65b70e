"""Where the project's own folders are: cohorts/, codelists/, expectations/, dags/, spark_jobs/."""

import os
from pathlib import Path

from parcours.errors import InputError


def project_home() -> Path:
    """The checkout: `PARCOURS_HOME` when set, else the folder that holds this package's `src/`.

    Raises InputError when that folder holds no `cohorts/`.
    """
    named = os.environ.get("PARCOURS_HOME")
    home = Path(named) if named else Path(__file__).resolve().parents[2]
    if not (home / "cohorts").is_dir():
        raise InputError(f"{home} holds no cohorts/ folder; set PARCOURS_HOME to a checkout of Parcours.")
    return home


def study_file(cohort: str) -> Path:
    """The YAML of a study: a path as given, or `cohorts/<name>.yaml`.

    Raises InputError, naming the studies that exist, when there is none.
    """
    named_by_path = cohort.endswith((".yaml", ".yml"))
    path = Path(cohort) if named_by_path else project_home() / "cohorts" / f"{cohort}.yaml"
    if not path.is_file():
        known = sorted(file.stem for file in (project_home() / "cohorts").glob("*.yaml"))
        raise InputError(f"There is no study {cohort}; known are {', '.join(known)}, or give the path of a YAML file.")
    return path
