"""The limits of the house: short functions, short files, light imports, and no path of somebody's machine."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

HOME = Path(__file__).resolve().parents[3]
FOLDERS = ("src", "dags", "plugins", "spark_jobs", "benchmarks", "tests")
SOURCES = sorted(file for folder in FOLDERS for file in (HOME / folder).rglob("*.py"))
LONGEST_FUNCTION, LONGEST_FILE, LONGEST_JOB = 60, 500, 40
HEAVY = ("pyspark", "pandas", "numpy", "pyarrow", "great_expectations", "mlflow", "duckdb", "airflow")


def name(file: Path) -> str:
    return str(file.relative_to(HOME))


@pytest.mark.parametrize("file", SOURCES, ids=name)
def test_functions_and_files_stay_short(file: Path) -> None:
    text = file.read_text("utf-8")
    assert text.count("\n") <= LONGEST_FILE
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = [node.name for node in functions if (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION]
    assert long == []


@pytest.mark.parametrize("file", sorted((HOME / "spark_jobs").glob("*.py")), ids=name)
def test_a_spark_job_is_arguments_session_library_commit_and_no_more(file: Path) -> None:
    assert file.read_text("utf-8").count("\n") <= LONGEST_JOB


@pytest.mark.parametrize(
    "module", ["parcours.cohort.study", "parcours.cohort.plan", "parcours.storage.root", "parcours.storage.manifest"]
)
def test_what_airflow_parses_imports_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("file", SOURCES, ids=name)
def test_no_module_has_a_name_that_says_nothing(file: Path) -> None:
    assert file.stem not in {"utils", "helpers", "common", "manager", "misc"}


def test_no_file_names_a_folder_of_one_machine() -> None:
    listed = subprocess.run(["git", "-C", str(HOME), "ls-files"], capture_output=True, text=True, check=True)
    machine_path = re.compile(r"(^|[^.\w])/(wo" r"rk|ho" r"me|ro" r"ot)/")
    texts = [HOME / line for line in listed.stdout.splitlines() if (HOME / line).suffix != ".lock"]
    found = [name(file) for file in texts if file.is_file() and machine_path.search(file.read_text("utf-8", "replace"))]
    assert found == []


def kernels_and_calls(file: Path) -> tuple[set[str], dict[str, set[str]]]:
    """Names of the compiled functions of a module that are no parts, and what each of its functions calls by name."""
    functions = [node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)]
    kernels = {
        node.name
        for node in functions
        if {one.id for one in node.decorator_list if isinstance(one, ast.Name)} & {"kernel"}
    }
    calls = {
        node.name: {
            one.func.id for one in ast.walk(node) if isinstance(one, ast.Call) and isinstance(one.func, ast.Name)
        }
        for node in functions
    }
    return kernels, calls


def test_no_kernel_calls_another_so_that_a_cached_one_gives_the_same_bits() -> None:
    found = [kernels_and_calls(file) for file in sorted((HOME / "src/parcours/models").glob("*.py"))]
    kernels = set().union(*(names for names, _ in found))
    assert "_expected" in kernels
    calls = {caller: called for _, each in found for caller, called in each.items() if caller in kernels}
    assert {caller: called & kernels for caller, called in calls.items() if called & kernels} == {}
