"""The stage of events: every category that a study reads, the persons and the medicines, each a step of its own."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from parcours.cohort.plan import identity_mapping, read_run, step_directory, steps_in, study_data, study_of
from parcours.cohort.planned_copies import lists_of
from parcours.cohort.steps import (
    CERTIFICATES,
    EVENTS,
    FLUX_LAGS,
    MEDICINES,
    PERSONS,
    is_linked,
    products_read,
    stay_categories,
)
from parcours.cohort.titles import application_name
from parcours.engine.results import files_in
from parcours.engine.work import now, read_table, summed, write_table
from parcours.errors import GateRefused, InputError
from parcours.events.codelists import Lists
from parcours.events.extraction import LinkedPass, ProductPass
from parcours.events.extractors import care_categories, extractors, passes
from parcours.events.flat_tables import files_by_bucket
from parcours.events.linked import KINDS, NOBODY, Linking, LinkingRows
from parcours.events.person_slices import PERSONS as PERSONS_FILE
from parcours.events.person_slices import Persons
from parcours.events.references import all_files, pack_references, read_contents, read_medicine_names, read_packs
from parcours.snds.person_columns import referential_tables
from parcours.stages.steps import Workshop, beside, commit, held, slices_told, staged_for, workshop
from parcours.storage.commit import exclusive_writer
from parcours.storage.fingerprint import fingerprint
from parcours.storage.manifest import read_manifest
from parcours.storage.place import Place
from parcours.storage.root import Root, ensure_layout, open_root

Run = dict[str, Any]
LINKED = "linked"
LAGS_SCHEMA = pa.schema([("care", pa.string()), ("flux", pa.string()), ("rows", pa.int64())])


def run_events(run_json: str | Place) -> dict[str, Any]:
    """Extract every event that a run reads from the published flat tables; studies of the same data share them.

    Raises InputError when the run file is wrong, GateRefused when the data changed since the run was planned.
    """
    run = read_run(run_json)
    root = open_root(run["root"])
    steps = {step["step"]: step for step in steps_in(run, EVENTS)}
    finals = {name: step_directory(run, name) for name in steps}
    _check_published(root, run)
    with exclusive_writer(root, *finals.values()):
        todo = [name for name, step in steps.items() if held(finals[name], step["fingerprint"]) is None]
        if todo:
            with workshop(root, f"events {run['cohort']}", application_name(run, EVENTS)) as shop:
                EventSteps(run["data"], root, shop, steps, finals, lists_of(run), root).make(todo)
        # What was flattened again meanwhile may have been read half before, half after.
        _check_published(root, run)
    return {"status": "done" if todo else "reused", "stage": EVENTS, "computed": todo, **_summary(run, finals)}


def _check_published(root: Root, run: Run) -> None:
    if study_data(root, study_of(run)) != run["data"] or identity_mapping(root) != run["identity"]:
        raise GateRefused(f"The published data changed since run {run['fingerprint']} was planned; plan it again.")


@dataclass(frozen=True)
class EventSteps:
    """Steps of events to make, and where each of them is committed.

    `data` are the periods to read of each product, and `source` is the root that holds them; `root` is where the events
    are staged.
    """

    data: Mapping[str, Mapping[str, str]]
    root: Root
    shop: Workshop
    steps: Mapping[str, Any]
    finals: Mapping[str, Place]
    lists: Lists
    source: Root

    def make(self, todo: Sequence[str]) -> None:
        """Medicines first, for purchases look packs up; persons last, for they are told by events."""
        if MEDICINES in todo:
            self._medicines()
        by_product: dict[str, list[str]] = {}
        for name in todo:
            if name in extractors():
                by_product.setdefault(extractors()[name].product, []).append(name)
        if FLUX_LAGS in todo:
            by_product.setdefault("DCIR", [])
        for product, categories in by_product.items():
            self._pass(product, categories, lags=product == "DCIR" and FLUX_LAGS in todo)
        if PERSONS in todo:
            self._persons()

    def _files(self, product: str) -> dict[str, tuple[Place, ...]]:
        return files_by_bucket({period: self.source.period(product, period) for period in self.data[product]})

    def _commit(self, staged: Place, name: str, started: str, **told: Any) -> None:
        step = self.steps[name]
        manifest = {"stage": EVENTS, **step, **told, "spark_application": self.shop.application}
        commit(self.root, staged, self.finals[name], manifest, started)

    def _medicines(self) -> None:
        started, files = now(), all_files(self._files("IR_PHA_R"))
        with staged_for(self.root, self.steps[MEDICINES]["fingerprint"], [self.finals[MEDICINES]]) as staged:
            write_table(staged / "packs.parquet", read_packs(files))
            write_table(staged / "contents.parquet", read_contents(files))
            write_table(staged / "medicine_names.parquet", read_medicine_names(files))
            self._commit(staged, MEDICINES, started)

    def _pass(self, product: str, categories: Sequence[str], lags: bool) -> None:
        started = now()
        names = [*categories, *([FLUX_LAGS] if lags else [])]
        with self._staged_for(product) as staged:
            one = (
                self._linked(product, categories, staged)
                if is_linked(product)
                else self._flat(product, categories, lags)
            )
            reports = self.shop.run(one.work(), staged, f"events of {product}")
            counts = summed(reports)
            for name in names:
                (staged / name).mkdir(exist_ok=True)
            if lags:
                _write_lags(staged / FLUX_LAGS / "flux_lags.parquet", counts.get(FLUX_LAGS, {}))
                self._commit(staged / FLUX_LAGS, FLUX_LAGS, started)
            for category in categories:
                told = slices_told(reports, category)
                events = sum(piece["rows"] for piece in told)
                rows = counts.get("rows", {}).get(category, {"read": 0, "became_events": 0})
                self._commit(staged / category, category, started, rows=rows, events=events, slices=told)

    def _staged_for(self, product: str) -> AbstractContextManager[Place]:
        """The staging directory of all steps of a product: a run that was killed between two commits goes on in it."""
        names = [name for name in self.steps if name in extractors() and extractors()[name].product == product]
        names += [FLUX_LAGS] if product == "DCIR" and FLUX_LAGS in self.steps else []
        mark = fingerprint([self.steps[name]["fingerprint"] for name in names])
        return staged_for(self.root, mark, [self.finals[name] for name in names])

    def _flat(self, product: str, categories: Sequence[str], lags: bool) -> ProductPass:
        wanted = [extractors()[category] for category in categories]
        references = (
            pack_references(*map(self._medicine_table, ("packs", "contents")))
            if passes()[product].references(wanted)
            else {}
        )
        return ProductPass(product, self._files(product), categories, self.lists, references, lags)

    def _linked(self, product: str, categories: Sequence[str], staged: Place) -> ProductPass:
        """The rows of a reference, given to persons before they become events."""
        names = [name for name in (*referential_tables(), product) if name in self.data]
        columns = passes()[product].columns(extractors()[category] for category in categories)
        rows = LinkingRows(product, frozenset(columns), self._linking(names))
        self.shop.run(rows.work(), beside(staged, LINKED), f"persons of {product}")
        file = beside(staged, LINKED) / product / f"{product}-0.parquet"
        buckets = [*map(str, range(rows.linking.buckets)), NOBODY] if file.is_file() else []
        return LinkedPass(product, dict.fromkeys(buckets, (file,)), categories, self.lists)

    def _linking(self, names: Sequence[str]) -> Linking:
        files, identity = {name: all_files(self._files(name)) for name in names}, self.source.identity
        return Linking(files, identity, _stated_columns(identity), ensure_layout(self.source), self.lists)

    def _medicine_table(self, name: str) -> pa.Table:
        return read_table(self.finals[MEDICINES] / f"{name}.parquet")

    def _persons(self) -> None:
        started = now()
        names = [name for name in (*referential_tables(), CERTIFICATES) if name in self.data]
        linking = self._linking(names)
        with staged_for(self.root, self.steps[PERSONS]["fingerprint"], [self.finals[PERSONS]]) as staged:
            given = beside(staged, LINKED)
            linked = summed(self.shop.run(linking.work(), given, "persons of references"))
            sources = {name: place for name in names if (place := given / name / f"{name}-0.parquet").is_file()}
            persons = Persons(
                sources, self._events(care_categories()), self._events(stay_categories()), linking.buckets
            )
            reports = self.shop.run(persons.work(), staged, "persons")
            told = slices_told(reports, PERSONS_FILE)
            self._commit(staged, PERSONS, started, counts={**linked, **summed(reports)}, slices=told)

    def _events(self, categories: Iterable[str]) -> dict[str, dict[str, list[Place]]]:
        return {name: files_in(self.finals[name]) for name in categories if name in self.finals}


def _stated_columns(identity: Place) -> dict[str, Any]:
    """The columns by which flattening made the identity."""
    columns: dict[str, Any] | None = (read_manifest(identity) or {}).get("columns")
    if columns is None:
        raise InputError(f"{identity} was made by an earlier version of Parcours; flatten the delivery again.")
    return columns


def _write_lags(path: Place, lags: Mapping[str, Mapping[str, int]]) -> None:
    rows = [
        {"care": care, "flux": flux, "rows": n} for care, by in sorted(lags.items()) for flux, n in sorted(by.items())
    ]
    write_table(path, pa.Table.from_pylist(rows, LAGS_SCHEMA))


def _summary(run: Run, finals: Mapping[str, Place]) -> dict[str, Any]:
    """{rows: {kind: {read, became_events, rule: left out}}, events: {category: n}, not_delivered, deaths, ...}."""
    manifests = {name: read_manifest(final) or {} for name, final in finals.items()}
    events = {name: manifest for name, manifest in manifests.items() if name in extractors()}
    counts = manifests[PERSONS]["counts"]
    asked = {*KINDS, CERTIFICATES, *(extractors()[name].product for name in (*care_categories(), *stay_categories()))}
    asked |= products_read(study_of(run))
    deaths = {name: counts.get(name, {}) for name in ("told", "not_credible", "by_source", "certificates")}
    return {
        "rows": {**{name: manifest["rows"] for name, manifest in events.items()}, **counts.get("rows", {})},
        "events": {name: manifest["events"] for name, manifest in events.items()},
        "not_delivered": sorted(asked - set(run["data"])),
        "deaths": {**deaths, "disagree": counts.get("disagree", 0)},
        "events_after_death": counts.get("events_after_death", {}),
    }
