"""One runner of steps: lock, reuse, go on with what a killed run has left, compute, commit, manifest."""

import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parcours.cohort.plan import steps_in
from parcours.cohort.planned_steps import made_before
from parcours.engine.results import listed_files
from parcours.engine.work import MARKS, Work, now, run_work
from parcours.storage.commit import commit_directory, kept_staging, staging_attempt
from parcours.storage.fingerprint import code_version, fingerprint
from parcours.storage.manifest import read_manifest
from parcours.storage.place import Place, copy_file, found, remove_all
from parcours.storage.progress import told_progress
from parcours.storage.root import Root

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

log = logging.getLogger(__name__)
QUIET_SECONDS = 1.0


@dataclass(frozen=True)
class Workshop:
    """Where work is done: the root, what it is called, and the Spark of a cluster, or None for this process."""

    root: Root
    name: str
    spark: "SparkSession | None"
    cores: int

    @property
    def application(self) -> str | None:
        """The Spark application, where there is one."""
        return self.spark.sparkContext.applicationId if self.spark is not None else None

    def run(self, work: Work, staged: Place, label: str) -> list[dict[str, Any]]:
        """The reports of all slices; says on the way how far it is."""
        from parcours.spark_faults import told_by_spark

        with told_progress(self.root, self.name) as tell:
            told = 0.0

            def done(behind: int, total: int) -> None:
                nonlocal told
                if behind < total and time.monotonic() - told < QUIET_SECONDS:
                    return  # a file on HDFS takes longer than a small bucket
                told = time.monotonic()
                log.info("%d/%d %s", behind, total, label)
                tell(behind, total, label)

            if self.spark is None:
                return run_work(work, staged, None, self.cores, done)
            with told_by_spark():
                return run_work(work, staged, self.spark, self.cores, done)


def cores_here() -> int:
    """Cores that this process may use."""
    return max(1, len(os.sched_getaffinity(0)))


@contextmanager
def workshop(root: Root, name: str, application: str) -> Iterator[Workshop]:
    """Tasks run on the cluster that spark-submit was given; on a laptop in threads of this process, without Spark.

    `name` is that of the job's progress, `application` what Spark's pages call it.
    """
    from parcours.spark_given import given_master

    if given_master().split("[")[0] == "local":  # not local-cluster, which has executors
        yield Workshop(root, name, None, cores_here())
        return
    from parcours.session import spark_session

    spark = spark_session(application)
    yield Workshop(root, name, spark, spark.sparkContext.defaultParallelism)


def held(final: Place, mark: str) -> dict[str, Any] | None:
    """The manifest of a directory if it is of this fingerprint."""
    manifest = read_manifest(final)
    return manifest if manifest is not None and manifest.get("fingerprint") == mark else None


def commit(root: Root, staged: Place, final: Place, manifest: Mapping[str, Any], started: str) -> dict[str, Any]:
    """Commit a staged directory with its manifest: what is given, its files, times and code."""
    remove_all(staged / MARKS)
    for half_written in found(staged, "**/.*"):  # by tasks that were killed
        half_written.unlink(missing_ok=True)
    whole = {
        "status": "complete",
        **manifest,
        "code_version": code_version(),
        "files": listed_files(staged),
        "started": started,
        "ended": now(),
    }
    commit_directory(root, staged, final, whole)
    return whole


def staged_for(root: Root, mark: str, finals: Sequence[Place]) -> AbstractContextManager[Place]:
    """The staging directory of these results, with the finished slices of a killed run."""
    return kept_staging(root, mark, fingerprint([str(final.relative_to(root.path)) for final in finals]))


def beside(staged: Place, name: str) -> Place:
    """A directory for what leads to the results of a staging directory and is not of them; it is gone with it."""
    return staged.parent / name


def taken(run: Mapping[str, Any], root: Root, stage: str, final: Place) -> dict[str, Any] | None:
    """What another run of this study made of the same in a stage of one step, copied and committed; its manifest."""
    (step,) = steps_in(run, stage)
    for folder, theirs in made_before(run, step["step"], stage):
        if theirs["fingerprint"] != step["fingerprint"] or folder == final:
            continue
        manifest = {**(read_manifest(folder) or {}), "reused_from": folder.parent.name}
        with staging_attempt(root, manifest["fingerprint"]) as staged:
            for file in manifest["files"]:
                copy_file(folder / file["path"], staged / file["path"])
            commit_directory(root, staged, final, manifest)
        log.info("%s of %s: reused from %s", stage, run["cohort"], folder.parent.name)
        return manifest
    return None


def slices_told(reports: Sequence[Mapping[str, Any]], result: str) -> list[dict[str, Any]]:
    """[{slice, rows, ended}] of one result, for its manifest."""
    return [
        {"slice": report["slice"], "rows": report["files"].get(result, {}).get("rows", 0), "ended": report["ended"]}
        for report in reports
    ]
