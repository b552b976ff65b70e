"""Before anything long runs: about how many persons, cases and medicines a study has, and how long it will take.

The stages up to the features run for real on a sample of the persons, in a corner of the root that is gone afterwards.
person_id is a hash, so a range of it is drawn at random, and what it has is scaled up; nothing of it is kept, and no
count of 1 to 10 leaves, not even scaled.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from parcours.cohort.plan import plan_run, read_run, stage_directory, step_directory, steps_in, study_of
from parcours.cohort.planned_copies import CODE_LISTS, keep_copies, lists_of
from parcours.cohort.planned_steps import REUSE, planned_steps
from parcours.cohort.steps import COHORT, EVENTS, FEATURES
from parcours.cohort.study import Study
from parcours.engine.slices import Slice
from parcours.engine.work import Work
from parcours.errors import InputError
from parcours.events.flat_tables import files_by_bucket
from parcours.leaving import SMALL, THRESHOLD, Published, shown_chain
from parcours.stages.cohort import make_cohort, make_features
from parcours.stages.events import EventSteps
from parcours.stages.steps import Workshop, cores_here
from parcours.storage.commit import staging_attempt
from parcours.storage.manifest import read_manifest
from parcours.storage.place import Place, file_size, found, modified
from parcours.storage.root import Root, ensure_layout, open_root

Run = dict[str, Any]
# Flat bytes of the first sample: some ten seconds of two cores.
SAMPLE_BYTES = 300 << 20
# Up to so many bytes everything is read: an estimate would save nothing.
WHOLE_BYTES = 2 * SAMPLE_BYTES
# What counts are rounded to at least: two of them that seem equal may differ by more than 10 persons.
COARSE = 20
# A sample that is left with too few persons is made this much larger, until it is everything.
LARGER = 4


@dataclass(frozen=True)
class Sample:
    """Persons of some buckets, with a person_id up to `last` (None: all); which share of everybody that is."""

    buckets: frozenset[str]
    last: int | None
    share: float

    def of(self, work: Work) -> Work:
        """The part of some work that is of these persons; of a reference, named by itself, everything."""
        kept = [bucket for bucket in work.buckets if not bucket.isdigit() or bucket in self.buckets]
        return replace(work, buckets=kept, cut=partial(self._cut, work.cut))

    def _cut(self, whole: Callable[[str], Iterable[Slice]], bucket: str) -> list[Slice]:
        pieces = list(whole(bucket))
        if self.last is None or not bucket.isdigit():
            return pieces
        within = [piece for piece in pieces if piece.first is None or piece.first <= self.last]
        return [replace(piece, last=min(self.last, piece.last or self.last)) for piece in within]


@dataclass(frozen=True)
class SampleShop(Workshop):
    """Does the part of all work that is of a sample."""

    sample: Sample

    def run(self, work: Work, staged: Place, label: str) -> list[dict[str, Any]]:
        """The reports of the slices of the sample."""
        return super().run(self.sample.of(work), staged, label)


def run_preview(run_json: str | Place) -> dict[str, Any]:
    """The preview of a planned run.

    Raises InputError as the stages would, for a study that is left with too few persons among them.
    """
    run = read_run(run_json)
    return preview(run, study_of(run))


def preview_study(root: Root, study: Study, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The preview of a study as `parcours run` would run it; nothing is planned on the root.

    Raises what planning a run raises, and what `run_preview` raises.
    """
    return preview(plan_run(root, study, overrides), study)


def preview(run: Run, study: Study) -> dict[str, Any]:
    """What a run would find: {name, persons_followed, cases, cases_give_or_take, drugs, attrition, share, ...}.

    Counts are about what is there, with two digits and by twenties at least; where everything was read, `share`
    is 1. `drugs` are the medicines of the sample's cases, `reused` the steps that are there, `missing_periods` what is
    not published; `expected_seconds` {events, features, train} are of this machine, train after a first run.
    Raises InputError when too few persons or cases are left.
    """
    root = open_root(run["root"])
    flat, buckets = _flat_bytes(root, run), ensure_layout(root)
    share = 1.0 if flat <= WHOLE_BYTES else SAMPLE_BYTES / flat
    while True:
        sample = sample_of(share, buckets)
        try:
            made, took = _make(run, study, root, sample)
        except InputError:
            if sample.share >= 1:
                raise
            share *= LARGER
        else:
            return _told(run, root, made, took, sample.share)


def sample_of(share: float, buckets: int) -> Sample:
    """About a share of all persons: whole buckets, or a part of one; person_id is a hash of 63 bits."""
    if share * buckets >= 1:
        taken = min(buckets, round(share * buckets))
        return Sample(frozenset(map(str, range(taken))), None, taken / buckets)
    return Sample(frozenset("0"), int(share * buckets * 2**63), share)


def _flat_bytes(root: Root, run: Run) -> int:
    """Bytes of the flat files that the run reads."""
    files = (
        file
        for product, periods in run["data"].items()
        for some in files_by_bucket({period: root.period(product, period) for period in periods}).values()
        for file in some
    )
    return sum(file_size(file) for file in files)


def _make(run: Run, study: Study, root: Root, sample: Sample) -> tuple[dict[str, Any], dict[str, float]]:
    """What cohort and features of a sample tell, and the seconds of {events, features}."""
    with staging_attempt(root, f"preview-{run['fingerprint']}") as staged:
        corner = Root(staged)
        own = _in_corner(run, study, corner)
        ensure_layout(corner, ensure_layout(root))
        shop = SampleShop(corner, f"preview {run['cohort']}", None, cores_here(), sample)
        started = time.monotonic()
        steps = {step["step"]: step for step in steps_in(own, EVENTS)}
        finals = {name: step_directory(own, name) for name in steps}
        EventSteps(run["data"], corner, shop, steps, finals, lists_of(own), root).make(list(steps))
        extracted = time.monotonic()
        cohort = make_cohort(own, corner, shop, stage_directory(own, COHORT))
        features = make_features(own, corner, shop, stage_directory(own, FEATURES))
        took = {EVENTS: extracted - started, FEATURES: time.monotonic() - extracted}
    return {**cohort["summary"], **features["summary"]}, took


def _in_corner(run: Run, study: Study, corner: Root) -> Run:
    """The run as one of another root, with code lists of its own."""
    folder = corner.study(run["cohort"], run["fingerprint"])
    keep_copies(folder, study.codelists, None)
    return {**run, "root": str(corner.path), "codelists_folder": str(folder / CODE_LISTS)}


def _told(run: Run, root: Root, made: Mapping[str, Any], took: Mapping[str, float], share: float) -> dict[str, Any]:
    steps = planned_steps(run)
    persons, _lost = shown_chain([step["persons"] for step in made["attrition"]])
    chain = [scaled(count, share) for count in persons]
    return {
        "status": "done",
        "stage": "preview",
        "name": run.get("name") or run["cohort"],
        "persons_followed": chain[-2],
        "cases": chain[-1],
        "drugs": made["drugs"],
        "cases_give_or_take": give_or_take(made["cases"], share),
        "share": round(share, 4),
        "attrition": [
            {"description": step["description"], "persons": count}
            for step, count in zip(made["attrition"], chain, strict=True)
        ],
        "missing_periods": run["missing_periods"],
        "reused": [step["step"] for step in steps if step["status"] == REUSE],
        "expected_seconds": _expected(steps, took, share) | _expected_training(run, root, made["cases"] / share),
    }


def _expected(steps: Sequence[Mapping[str, str]], took: Mapping[str, float], share: float) -> dict[str, int]:
    """Seconds of what is not there yet, on this machine."""
    missing = {step["stage"] for step in steps if step["status"] != REUSE}
    whole = {EVENTS: took[EVENTS] if EVENTS in missing else 0.0}
    whole[FEATURES] = took[FEATURES] if missing & {COHORT, FEATURES} else 0.0
    return {stage: in_seconds(seconds / share) for stage, seconds in whole.items()}


def _expected_training(run: Run, root: Root, cases: float) -> dict[str, int]:
    """Seconds of training, as the study's last one took by its cases; nothing before a first one."""
    models = found(root.path / "studies" / run["cohort"], "*/model/_MANIFEST.json")
    known = [manifest for path in sorted(models, key=modified) if (manifest := read_manifest(path.parent))]
    if not known:
        return {}
    last = known[-1]
    seconds = (datetime.fromisoformat(last["ended"]) - datetime.fromisoformat(last["started"])).total_seconds()
    return {"train": in_seconds(seconds * cases / last["summary"]["cases"])}


def scaled(count: Published, share: float) -> Published:
    """A count of a sample, as it may leave, for the whole; rounded, be the sample everybody.

    A preview is in no ledger of what left: the difference of two rounded counts may still be more than 10 persons.
    """
    if isinstance(count, str):
        return f"fewer than {about((THRESHOLD - 1) / share) or COARSE}" if count == SMALL else count
    return about(count / share)


def give_or_take(count: int, share: float) -> int:
    """How far a rounded count may be off: two standard errors of the sample, and the rounding."""
    spread = 0.0 if share >= 1 else 2 * math.sqrt(count) / share
    return about(spread) + COARSE


def about(count: float) -> int:
    """A number with its first two digits, by twenties below 1,000: 1,283 is about 1300, and 64 about 60."""
    unit = max(COARSE, 10 ** (math.floor(math.log10(max(count, 1))) - 1))
    return int(round(count / unit) * unit)


def in_seconds(seconds: float) -> int:
    """Seconds with their first two digits."""
    unit = max(1, 10 ** (math.floor(math.log10(max(seconds, 1))) - 1))
    return int(round(seconds / unit) * unit)
