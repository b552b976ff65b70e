"""The DAG files: they load, they load light, and they have the shape that the documentation describes."""

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

HOME = Path(__file__).resolve().parents[2]
STUDIES = sorted(path.stem for path in (HOME / "cohorts").glob("*.yaml"))
VOCABULARY = {"parcours", "flatten", "study", "sign-off", "broken"}


def test_every_dag_file_loads_and_each_study_file_has_its_dag(dumped: dict[str, Any]) -> None:
    assert dumped["import_errors"] == {}
    assert set(dumped["dags"]) == {"snds_flatten", "sign_off", *(f"study__{name}" for name in STUDIES)}


def test_parsing_imports_nothing_heavy(dumped: dict[str, Any]) -> None:
    # Airflow reads the files again every 30 seconds: pandas or Spark here would burn a core for nothing.
    assert dumped["heavy"] == []


def test_the_plugin_loads(dumped: dict[str, Any]) -> None:
    assert dumped["plugins"] == ["parcours"]


def test_home_and_reports_are_tabs_of_airflow(dumped: dict[str, Any]) -> None:
    home, report = (f"http://127.0.0.1:8090/{page}?in=airflow" for page in ("", "report"))
    dag, run = "&dag={DAG_ID}", "&dag={DAG_ID}&run={RUN_ID}"
    assert [(view["destination"], view["href"]) for view in dumped["views"]] == [
        *[("nav", home), ("dag", home + dag), ("dag", report + dag)],
        *[("dag_run", home + run), ("dag_run", report + run)],
    ]
    assert len({view["url_route"] for view in dumped["views"]}) == 5  # Airflow drops a view whose route is taken


def test_every_dag_is_described_tagged_owned_and_retried(dumped: dict[str, Any]) -> None:
    for dag_id, dag in dumped["dags"].items():
        assert len(dag["doc_md"]) > 100, dag_id
        assert len(dag["description"]) > 20, dag_id
        assert set(dag["tags"]) <= VOCABULARY and "parcours" in dag["tags"], dag_id
        assert dag["catchup"] is False, dag_id
        assert dag["max_active_runs"] == (200 if dag_id == "sign_off" else 1), dag_id
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
    products = ("DCIR", "HAD", "MCO", "MCO_CE", "RIP", "RIP3A", "SSR", "SSR_CE")
    assert tasks["publish"]["outlets"] == [f"snds/flat/{name}" for name in products]  # it updates those with news
    assert tasks["gate"]["links"] == ["Spark", "Data Docs"]


def test_a_study_is_one_chain_from_plan_to_sign_off_beside_its_preview(dumped: dict[str, Any]) -> None:
    tasks = dumped["dags"]["study__fall"]["tasks"]
    order = ["plan", "events", "cohort", "features", "gate", "train", "report", "ask_for_sign_off"]
    assert set(tasks) == {*order, "preview"}
    assert tasks["preview"]["downstream"] == [] and "preview" in tasks["plan"]["downstream"]
    for name, following in itertools.pairwise(order):
        assert following in tasks[name]["downstream"]
    jobs = order[1:-1]
    assert {tasks[name]["name"] for name in jobs} == {
        f"{{{{ ti.xcom_pull(task_ids='plan', key='name') }}}} · {name}" for name in jobs
    }
    assert tasks["report"]["links"] == ["Report", "MLflow run"]
    assert tasks["events"]["links"] == ["Spark"]


def test_a_sign_off_asks_notes_and_tells_mlflow(dumped: dict[str, Any]) -> None:
    tasks = dumped["dags"]["sign_off"]["tasks"]
    assert {name: task["downstream"] for name, task in tasks.items()} == {
        "ask": ["note"],
        "note": ["approve"],
        "approve": [],
    }


def test_dags_and_tasks_are_shown_by_what_they_do(dumped: dict[str, Any]) -> None:
    shown = {dag_id: dag["display_name"] for dag_id, dag in dumped["dags"].items()}
    assert shown == {
        "snds_flatten": "SNDS: raw files to flat tables",
        "study__fall": "Fall: Medicines and fractures after a fall",
        "sign_off": "Sign-off of reports",
    }
    for dag in dumped["dags"].values():
        assert all(task["display_name"] != name for name, task in dag["tasks"].items())


def test_the_form_says_words_as_a_person_does_and_ends_with_what_is_the_platforms(dumped: dict[str, Any]) -> None:
    params = dumped["dags"]["study__fall"]["params"]
    assert params["level"]["values_display"]["atc_class"] == "ATC class"
    assert params["rules"]["values_display"]["hospital_stay"] == "hospital stay"
    for name, param in params.items():
        words = param.get("enum") or (param.get("examples") if "items" in param else [])  # a date has examples too
        assert set(param.get("values_display", {})) == set(words or []), name
    assert {list(dag["params"])[-1] for name, dag in dumped["dags"].items() if name != "sign_off"} == {"root"}
    assert params["root"]["section"] == "Platform"


def test_a_study_without_a_cron_line_starts_when_a_product_is_published_anew(
    dumped: dict[str, Any],
) -> None:
    declared = yaml.safe_load((HOME / "cohorts" / "fall.yaml").read_text("utf-8"))
    assert declared["schedule"] is None
    assert dumped["dags"]["study__fall"]["when"] == {"any_of": ["snds/flat/DCIR", "snds/flat/MCO"]}


def test_the_asset_graph_leads_from_the_delivery_over_the_flat_tables_to_the_report(dumped: dict[str, Any]) -> None:
    publish = dumped["dags"]["snds_flatten"]["tasks"]["publish"]
    report = dumped["dags"]["study__fall"]["tasks"]["report"]
    assert publish["inlets"] == ["snds/delivery"]
    assert set(report["inlets"]) == {"snds/flat/DCIR", "snds/flat/MCO"} < set(publish["outlets"])
    assert report["outlets"] == ["snds/study/fall"]


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
        ("study__fall", "study_start", "'the first of May' does not match"),
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


@pytest.fixture
def studies(tmp_path: Path) -> Callable[..., Path]:
    """A folder of study files: fall, with these lines before its own."""

    def write(**changed: str) -> Path:
        folder = tmp_path / "cohorts"
        folder.mkdir(exist_ok=True)
        text = (HOME / "cohorts" / "fall.yaml").read_text("utf-8").replace("schedule: null", "")
        lines = {"codelists": str(HOME / "codelists"), **changed}
        (folder / "fall.yaml").write_text(
            "".join(f"{name}: {json.dumps(value)}\n" for name, value in lines.items()) + text
        )
        return folder

    return write


def test_a_study_with_a_cron_line_has_it_beside_new_data_in_its_zone(
    read_dags: Callable[..., Any], studies: Callable[..., Path]
) -> None:
    found = read_dags(cohorts=studies(schedule="0 6 1 * *", deadline_hours=48))
    assert found["import_errors"] == {}
    assert found["dags"]["study__fall"]["when"] == {
        "cron": "0 6 1 * *",
        "timezone": "Europe/Paris",
        "any_of": ["snds/flat/DCIR", "snds/flat/MCO"],
    }
    assert found["dags"]["study__fall"]["deadline"] == [
        "DagRunQueuedAtDeadline",
        48 * 3600,
        "parcours_airflow.mail.tell_deadline",
    ]
    there = read_dags(cohorts=studies(schedule="0 6 1 * *", timezone="UTC"))["dags"]["study__fall"]
    assert (there["when"]["timezone"], there["deadline"]) == ("UTC", None)


def test_mails_are_of_each_failure_and_of_the_report_and_only_where_somebody_gets_them(
    read_dags: Callable[..., Any], dumped: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARCOURS_MAIL_TO", "desk@example.org")
    for name, task in read_dags()["dags"]["study__fall"]["tasks"].items():
        told = ["signals_message"] if name == "report" else []
        assert task["mails"] == {"failure": ["failure_message"], "success": told}, name
        assert dumped["dags"]["study__fall"]["tasks"][name]["mails"] == {"failure": [], "success": []}, name


def test_dates_in_words_are_what_the_form_holds(read_dags: Callable[..., Any], studies: Callable[..., Path]) -> None:
    folder = studies()
    file = folder / "fall.yaml"
    file.write_text(file.read_text().replace("study_end: 2017-12-31", "study_end: last complete month"))
    field = read_dags(cohorts=folder)["dags"]["study__fall"]["params"]["study_end"]
    assert field["value"] == "last complete month"
    assert re.search(field["pattern"], "2017-12-31") and re.search(field["pattern"], field["value"])
    assert "last complete year" in field["examples"]


def test_the_last_month_of_the_data_may_be_named_or_left_empty(dumped: dict[str, Any]) -> None:
    field = dumped["dags"]["study__fall"]["params"]["data_until"]
    assert field["value"] == "" and set(field["type"]) == {"string", "null"}, "Airflow's form makes null of nothing"
    assert [text for text in ("", "2017-06", "2017-13", "June") if re.search(field["pattern"], text)] == ["", "2017-06"]


def test_a_live_study_file_that_breaks_keeps_its_last_good_version_and_says_so(
    read_dags: Callable[..., Any], studies: Callable[..., Path], tmp_path: Path
) -> None:
    folder, state = studies(schedule="0 6 1 * *"), tmp_path / "airflow"
    good = read_dags(cohorts=folder, airflow_home=state)["dags"]["study__fall"]
    text = (folder / "fall.yaml").read_text("utf-8")
    (folder / "fall.yaml").write_text(text.replace("age_minimum: 65", "age_minimun: 65"))
    found = read_dags(cohorts=folder, airflow_home=state)
    kept = found["dags"]["study__fall"]
    for name in ("when", "params", "tasks"):
        assert kept[name] == good[name], name
    assert "broken" in kept["tags"] and "broken" not in good["tags"]
    for place in ("doc_md", "description"):
        assert '"age_minimun" is not known (did you mean "age_minimum"?)' in kept[place], place
        assert "its last good version is what runs" in kept[place], place
    (folder / "fall.yaml").write_text(text.replace("age_minimum: 65", "age_minimum: 70"))
    mended = read_dags(cohorts=folder, airflow_home=state)["dags"]["study__fall"]
    assert mended["params"]["age_minimum"]["value"] == 70 and "broken" not in mended["tags"]


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
