"""The command line: the stages of the chain without Airflow, by the same code.

Exit codes: 0 done, 1 the gate refused, 2 the input is wrong, 3 a fault that a retry may cure.
"""

import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from parcours import __version__
from parcours.cli_output import progress_bar, show
from parcours.cli_settings import overrides_of
from parcours.errors import InputError
from parcours.home import project_home, study_file
from parcours.leaving import fit_to_leave, shown_sum
from parcours.stages.exit import exit_code_of
from parcours.storage.place import Place

app = typer.Typer(
    name="parcours",
    help="From raw SNDS files to a drug-safety report.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Root = Annotated[str, typer.Option("--root", help="Where tables and studies live: a folder, file:///... or hdfs://...")]
DeliveryPath = Annotated[str, typer.Option("--delivery", help="delivery.yaml, or the folder that holds it")]
Products = Annotated[list[str] | None, typer.Option("--product", help="Only this product; may be repeated")]
Periods = Annotated[
    list[str] | None,
    typer.Option("--period", help="Only this month, as 2016-01, or all of this year, as 2016; may be repeated"),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, logs on stderr")]
Settings = Annotated[list[str] | None, typer.Option("--set", help="Override a study parameter: name=value")]
PlannedDelivery = Annotated[str | None, typer.Option("--delivery", help="Folder of a delivery, or its delivery.yaml")]
PlannedCohort = Annotated[str | None, typer.Argument(help="A study of cohorts/, or the path of its YAML")]
Cohort = Annotated[str, typer.Argument(help="A study of cohorts/, or the path of its YAML")]


def _planner(cohort: str, root: str, settings: list[str] | None) -> Callable[[], Place]:
    """A function that writes the run.json of a study, once what it reads is published.

    Raises InputError at once, before hours of work, when the study or a setting is wrong.
    """
    from parcours.cohort.plan import write_run
    from parcours.cohort.study import load_study, resolve
    from parcours.storage.root import open_root

    target, study, overrides = open_root(root), load_study(study_file(cohort)), overrides_of(settings or ())
    resolve(study, overrides)
    return lambda: write_run(target, study, overrides)


def _planned_study(cohort: str, root: str, settings: list[str] | None) -> dict[str, Any]:
    """Which steps of a study are there, and why the others are not; writes nothing."""
    from parcours.cohort.plan import plan_run
    from parcours.cohort.planned_steps import planned_steps
    from parcours.cohort.study import load_study
    from parcours.storage.root import open_root

    run = plan_run(open_root(root), load_study(study_file(cohort)), overrides_of(settings or ()))
    return {"run": run["fingerprint"], "steps": planned_steps(run)}


def _finish(title: str, work: Callable[[], dict[str, Any]], as_json: bool) -> None:
    """Do the work of a command, show its summary, and leave with the right exit code."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    started = time.monotonic()
    try:
        summary = fit_to_leave(work())
    except Exception as error:  # noqa: BLE001 - the edge of the process: every error becomes its exit code
        raise typer.Exit(exit_code_of(error)) from None
    if as_json:
        sys.stdout.write(json.dumps(summary, default=str) + "\n")
    else:
        show(title, summary, time.monotonic() - started)


@app.command()
def synth(
    out: Annotated[Path, typer.Option("--out", help="Folder of the new delivery")],
    persons: Annotated[int, typer.Option(min=1)] = 20_000,
    years: Annotated[str, typer.Option(help="First and last care year")] = "2014-2017",
    seed: Annotated[int, typer.Option(min=0)] = 1,
    minimum_age: Annotated[int, typer.Option(min=0, max=100, help="Youngest age at the start")] = 60,
    lines_per_person_year: Annotated[float, typer.Option(min=1)] = 33.5,
    fault: Annotated[list[str] | None, typer.Option(help="Plant a named fault; may be repeated")] = None,
    product: Annotated[
        list[str] | None, typer.Option(help="Write this product with all its tables; may be repeated")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a synthetic delivery in the real layout, with its planted truth."""

    def work() -> dict[str, Any]:
        from parcours.synth.delivery import SynthSettings, write_delivery

        first, dash, last = years.partition("-")
        if not (first.isdigit() and (last.isdigit() or not dash)):
            raise InputError(f"--years {years}: write it as 2014-2017.")
        settings = SynthSettings(
            persons=persons,
            years=(int(first), int(last or first)),
            seed=seed,
            minimum_age=minimum_age,
            lines_per_person_year=lines_per_person_year,
            faults=tuple(fault or ()),
            products=tuple(product or ()),
        )
        with progress_bar("Writing the delivery", as_json) as report:
            return write_delivery(settings, out, report)

    _finish("Synthetic delivery", work, as_json)


@app.command()
def plan(
    root: Root,
    cohort: PlannedCohort = None,
    delivery: PlannedDelivery = None,
    settings: Settings = None,
    product: Products = None,
    period: Periods = None,
    as_json: AsJson = False,
) -> None:
    """Show what `flatten` would do with a delivery, or which steps of a study would be reused; changes nothing."""

    def work() -> dict[str, Any]:
        if (cohort is None) == (delivery is None):
            raise InputError("Give either a study, to plan its steps, or --delivery, to plan flattening.")
        if cohort is not None:
            return _planned_study(cohort, root, settings)
        from parcours.stages.flatten import plan_flatten

        periods = plan_flatten(str(delivery), root, product, period)
        todo = [found for found in periods if found["status"] != "reuse"]
        total = {name: sum(found[name] for found in todo) for name in ("bytes", "seconds")}
        rows = shown_sum(found["rows"] for found in todo)
        return {"periods": periods, "to do": {"periods": len(todo), "rows": rows, **total}}

    _finish("Plan", work, as_json)


@app.command()
def preview(cohort: Cohort, root: Root, settings: Settings = None, as_json: AsJson = False) -> None:
    """About how many persons, cases and medicines a study has, and how long it will take; changes nothing."""

    def work() -> dict[str, Any]:
        from parcours.cohort.study import load_study
        from parcours.stages.preview import preview_study
        from parcours.storage.root import open_root

        return preview_study(open_root(root), load_study(study_file(cohort)), overrides_of(settings or ()))

    _finish("Preview", work, as_json)


@app.command()
def flatten(
    delivery: DeliveryPath, root: Root, product: Products = None, period: Periods = None, as_json: AsJson = False
) -> None:
    """Raw files to flat tables, clustered by person; commits period by period."""

    def work() -> dict[str, Any]:
        from parcours.stages.flatten import run_flatten

        with progress_bar("Flattening", as_json) as report:
            return run_flatten(delivery, root, product, period, None, report)

    _finish("Flat tables", work, as_json)


@app.command()
def check(
    root: Root,
    product: Products = None,
    run_name: Annotated[str, typer.Option(help="Name of this run of the gate")] = "manual",
    as_json: AsJson = False,
) -> None:
    """The data-quality gate: publishes the flat tables, or refuses them with exit code 1."""

    def work() -> dict[str, Any]:
        from parcours.stages.quality import run_check

        return run_check(root, product, run_name)

    _finish("Quality gate", work, as_json)


@app.command()
def events(
    root: Root,
    category: Annotated[
        list[str] | None, typer.Option(help="Only these events; may be repeated; else all whose products are there")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Published flat tables to events of any category, beside what a study reads; studies reuse them."""

    def work() -> dict[str, Any]:
        from parcours.stages.all_events import extract_events

        return extract_events(root, category or ())

    _finish("Events", work, as_json)


@app.command()
def features(cohort: Cohort, root: Root, settings: Settings = None, as_json: AsJson = False) -> None:
    """Published flat tables to the events, cohort and design of a study."""

    def work() -> dict[str, Any]:
        from parcours.stages.cohort import run_cohort, run_features
        from parcours.stages.events import run_events
        from parcours.stages.quality import run_study_gate
        from parcours.stages.releases import summary_to_leave

        run = _planner(cohort, root, settings)()
        return {
            "run": str(run),
            "events": run_events(run),
            "cohort": summary_to_leave(run, run_cohort(run)),
            "features": summary_to_leave(run, run_features(run)),
            "gate": run_study_gate(run),
        }

    _finish("Features", work, as_json)


@app.command()
def train(cohort: Cohort, root: Root, settings: Settings = None, as_json: AsJson = False) -> None:
    """Fit the model of a study on its features."""

    def work() -> dict[str, Any]:
        from parcours.stages.inference import run_train
        from parcours.stages.releases import summary_to_leave

        run = _planner(cohort, root, settings)()
        return summary_to_leave(run, run_train(run))

    _finish("Model", work, as_json)


@app.command()
def report(cohort: Cohort, root: Root, settings: Settings = None, as_json: AsJson = False) -> None:
    """Figures, tables and the MLflow run of a fitted study."""

    def work() -> dict[str, Any]:
        from parcours.stages.inference import run_report

        return run_report(_planner(cohort, root, settings)())

    _finish("Report", work, as_json)


@app.command()
def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            help="Two or more; the others are compared with the first. A run is called by its fingerprint or its first "
            "characters (4 or more), by cohort/fingerprint, or by the path of its run.json"
        ),
    ],
    root: Root,
    as_json: AsJson = False,
) -> None:
    """Finished runs side by side: what was changed, and what became of counts, curves and signals."""
    from functools import partial

    from parcours.stages.comparison import run_compare

    def work() -> dict[str, Any]:
        if len(runs) < 2:
            raise InputError("One run is not compared with anything: give two runs or more.")
        return {"comparisons": [run_compare(root, runs[0], other) for other in runs[1:]]}

    if as_json or len(runs) < 2:
        _finish("Comparison", work, as_json)
        return
    for other in runs[1:]:
        _finish("Comparison", partial(run_compare, root, runs[0], other), as_json)


@app.command()
def run(
    cohort: Cohort,
    root: Root,
    delivery: DeliveryPath,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """The whole chain: flatten, gate, features, model, report."""

    def work() -> dict[str, Any]:
        from parcours.stages.chain import run_chain

        planner = _planner(cohort, root, settings)
        with progress_bar("The chain", as_json) as on_progress:
            return run_chain(delivery, root, planner, on_progress)

    _finish("The chain", work, as_json)


@app.command()
def status(root: Root, as_json: AsJson = False) -> None:
    """Where the work on a root stands: committed periods, running stages with their ETA, studies."""

    def work() -> dict[str, Any]:
        from parcours.stages.status import root_status

        return root_status(root)

    _finish("Status", work, as_json)


@app.command()
def demo(
    persons: Annotated[int, typer.Option(min=100)] = 20_000,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    lines_per_person_year: Annotated[float, typer.Option(min=1)] = 8.0,
    as_json: AsJson = False,
) -> None:
    """The main job on this machine: a synthetic delivery through Airflow to the report."""

    def work() -> dict[str, Any]:
        from parcours.embedded.demo import run_demo

        return run_demo(project_home(), persons=persons, seed=seed, lines_per_person_year=lines_per_person_year)

    _finish("Demo", work, as_json)


@app.command()
def stop(as_json: AsJson = False) -> None:
    """Stop Airflow, MLflow and the other services that `parcours demo` started."""

    def work() -> dict[str, Any]:
        from parcours.embedded.platform import stop_platform

        return {"stopped": stop_platform(project_home())}

    _finish("Stopped", work, as_json)


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Entry point of the `parcours` command."""
    app()
