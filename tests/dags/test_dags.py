"""The DAG files: they load, they load light, and they have the shape that the documentation describes."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

HOME = Path(__file__).resolve().parents[2]
STUDIES = sorted(path.stem for path in (HOME / "cohorts").glob("*.yaml"))
VOCABULARY = {"parcours", "flatten", "study", "broken"}


def test_every_dag_file_loads_and_each_study_file_has_its_dag(dumped: dict[str, Any]) -> None:
    assert dumped["import_errors"] == {}
    assert set(dumped["dags"]) == {"snds_flatten", *(f"study__{name}" for name in STUDIES)}


def test_parsing_imports_nothing_heavy(dumped: dict[str, Any]) -> None:
    # Airflow reads the files again every 30 seconds: pandas or Spark here would burn a core for nothing.
    assert dumped["heavy"] == []


def test_the_plugin_loads(dumped: dict[str, Any]) -> None:
    assert dumped["plugins"] == ["parcours"]


def test_every_dag_is_described_tagged_owned_and_retried(dumped: dict[str, Any]) -> None:
    for dag_id, dag in dumped["dags"].items():
        assert len(dag["doc_md"]) > 100, dag_id
        assert len(dag["description"]) > 20, dag_id
        assert set(dag["tags"]) <= VOCABULARY and "parcours" in dag["tags"], dag_id
        assert dag["catchup"] is False and dag["max_active_runs"] == 1, dag_id
        for name, task in dag["tasks"].items():
            assert (task["owner"], task["retries"]) == ("parcours", 2), f"{dag_id}.{name}"


def test_flatten_maps_over_slices_then_the_gate_then_one_task_that_publishes(dumped: dict[str, Any]) -> None:
    tasks = dumped["dags"]["snds_flatten"]["tasks"]
    edges = {name: task["downstream"] for name, task in tasks.items()}
    assert edges == {
        "scan": ["plan"],
        "plan": ["flatten", "references"],
        "references": ["flatten"],
        "flatten": ["gate"],
        "gate": ["publish"],
        "publish": [],
    }
    assert [name for name, task in tasks.items() if task["mapped"]] == ["flatten"]
    assert tasks["publish"]["outlets"] == ["snds/flat"]  # an alias: only the assets that the task adds change
    assert tasks["gate"]["links"] == ["Spark", "Data Docs"]


def test_a_study_is_one_chain_from_plan_to_report(dumped: dict[str, Any]) -> None:
    tasks = dumped["dags"]["study__fall"]["tasks"]
    order = ["plan", "events", "cohort", "features", "gate", "train", "report"]
    assert set(tasks) == set(order)
    for name, following in itertools.pairwise(order):
        assert following in tasks[name]["downstream"]
    assert {tasks[name]["name"] for name in order[1:]} == {
        f"{{{{ ti.xcom_pull(task_ids='plan', key='name') }}}} · {name}" for name in order[1:]
    }
    assert tasks["report"]["links"] == ["Report", "MLflow run"]
    assert tasks["events"]["links"] == ["Spark"]


def test_dags_and_tasks_are_shown_by_what_they_do(dumped: dict[str, Any]) -> None:
    shown = {dag_id: dag["display_name"] for dag_id, dag in dumped["dags"].items()}
    assert shown == {
        "snds_flatten": "SNDS: raw files to flat tables",
        "study__fall": "Fall: Medicines and fractures after a fall",
    }
    for dag in dumped["dags"].values():
        assert all(task["display_name"] != name for name, task in dag["tasks"].items())


def test_the_form_says_words_as_a_person_does_and_ends_with_what_is_the_platforms(dumped: dict[str, Any]) -> None:
    params = dumped["dags"]["study__fall"]["params"]
    assert params["level"]["values_display"]["atc_class"] == "ATC class"
    assert params["rules"]["values_display"]["hospital_stay"] == "hospital stay"
    for name, param in params.items():
        words = param.get("enum") or param.get("examples")
        assert set(param.get("values_display", {})) == set(words or []), name
    assert [list(dag["params"])[-1] for dag in dumped["dags"].values()] == ["root", "root"]
    assert params["root"]["section"] == "Platform"


def test_a_study_without_a_cron_line_waits_for_the_products_it_reads(dumped: dict[str, Any]) -> None:
    declared = yaml.safe_load((HOME / "cohorts" / "fall.yaml").read_text("utf-8"))
    assert declared["schedule"] is None
    assert dumped["dags"]["study__fall"]["schedule"] == "['snds/flat/DCIR', 'snds/flat/MCO']"


def test_the_form_of_a_study_shows_what_its_file_says(dumped: dict[str, Any]) -> None:
    declared = yaml.safe_load((HOME / "cohorts" / "fall.yaml").read_text("utf-8"))
    params = dumped["dags"]["study__fall"]["params"]
    for section in ("population", "medicines", "exposures", "outcomes", "model"):
        for name, value in declared[section].items():
            shown = params[name]["value"]
            wanted = value if isinstance(value, list | bool | int | float) else str(value)
            assert (sorted(shown) if isinstance(shown, list) else shown) == (
                sorted(wanted) if isinstance(wanted, list) else wanted
            ), name
            assert params[name]["title"] and params[name]["section"], name


@pytest.mark.parametrize(
    ("dag", "parameter", "words"),
    [
        ("study__fall", "age_minimum", "500 is greater than the maximum of 120"),
        ("study__fall", "study_start", "'the first of May' is not a 'date'"),
        ("study__fall", "level", "'molecule' is not one of"),
        ("study__fall", "sites", "'moon' is not one of"),
        ("study__fall", "packs", "'340' does not match"),
        ("study__fall", "season", "'maybe' is not of type 'boolean'"),
        ("study__fall", "root", "'' "),
        ("snds_flatten", "products", "'DCIRR' is not one of"),
        ("snds_flatten", "periods", "'2014-13' does not match"),
        ("snds_flatten", "delivery", "'' "),
    ],
)
def test_a_wrong_value_in_the_form_is_refused_by_name(
    dumped: dict[str, Any], dag: str, parameter: str, words: str
) -> None:
    sentence = dumped["refusals"][dag][parameter].splitlines()[0]
    assert parameter in sentence
    assert words in sentence


def test_the_help_of_each_field_ends_with_its_limits(dumped: dict[str, Any]) -> None:
    told = {name: param["description"] for name, param in dumped["dags"]["study__fall"]["params"].items()}
    assert told["age_minimum"].endswith("younger persons are left out. From 0 to 120 (a whole number).")
    assert told["level"].endswith("One of: substance, ATC class, family, pack, prescription.")
    assert "hip, " in told["sites"].partition("Each one of: ")[2]


def test_a_name_that_no_field_has_is_refused_with_the_nearest_right_one(dumped: dict[str, Any]) -> None:
    refused, *others = dumped["unknown"]["study__fall"]
    assert refused == 'InputError: study__fall has no parameter "age_minimun" (did you mean "age_minimum"?).'
    assert others == ["accepted", "accepted"]
    assert dumped["unknown"]["snds_flatten"][0] == (
        'InputError: snds_flatten has no parameter "period" (did you mean "periods"?), '
        '"Delivery" (did you mean "delivery"?).'
    )


def test_a_study_file_with_a_mistake_hides_no_other_study(read_dags: Callable[..., Any], tmp_path: Path) -> None:
    fall = (HOME / "cohorts" / "fall.yaml").read_text("utf-8")
    (tmp_path / "fall.yaml").write_text(
        fall.replace("cohort: fall", "cohort: fall\ncodelists: " + str(HOME / "codelists"))
    )
    (tmp_path / "hips.yaml").write_text("cohort: hips\npopulation: {age_minimum: 999}\n")
    found = read_dags(cohorts=tmp_path)
    assert found["import_errors"] == {}
    assert set(found["dags"]["study__fall"]["tasks"]) >= {"plan", "report"}
    broken = found["dags"]["study__hips"]
    assert "broken" in broken["tags"]
    assert "hips.yaml" in broken["doc_md"] and list(broken["tasks"]) == ["plan"]
