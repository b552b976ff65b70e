"""A live study file that breaks keeps its last good version."""

import shutil
from pathlib import Path

import pytest

from parcours.cohort.kept_studies import live_study
from parcours.errors import InputError

HOME = Path(__file__).parents[3]


@pytest.fixture
def checkout(tmp_path):
    """A copy of the study and its code lists that may be changed."""
    for name in ("cohorts", "codelists"):
        shutil.copytree(HOME / name, tmp_path / "checkout" / name)
    return tmp_path / "checkout"


@pytest.fixture
def kept(tmp_path):
    return tmp_path / "kept"


def change(file, word, by):
    file.write_text(file.read_text("utf-8").replace(word, by), "utf-8")


def test_the_last_version_without_a_mistake_goes_on_with_the_mistake_told(checkout, kept):
    file = checkout / "cohorts/fall.yaml"
    for age in ("66", "67"):
        change(file, "age_minimum: 6", f"age_minimum: {age} # 6")
        study, mistake = live_study(file, kept)
        assert (study.population.age_minimum, study.file, mistake) == (int(age), file, None)
    change(file, "age_minimum:", "age_minimun:")
    study, mistake = live_study(file, kept)
    assert (study.population.age_minimum, study.file) == (67, kept / "fall.yaml")
    assert study.codelists == checkout / "codelists", "those beside the live file"
    assert mistake.startswith(
        "The study file has a mistake, so its last good version is what runs. Mend it: "
        f'{file}: population: "age_minimun" is not known (did you mean "age_minimum"?)'
    )
    change(file, "age_minimun:", "age_minimum:")
    assert live_study(file, kept)[1] is None


def test_a_file_that_is_empty_or_no_yaml_is_a_mistake_too(checkout, kept):
    file = checkout / "cohorts/fall.yaml"
    live_study(file, kept)
    for content in ("", "cohort: [", "\ufffd"):
        file.write_text(content, "utf-8")
        assert live_study(file, kept)[1]


def test_a_study_that_never_was_good_is_refused(checkout, kept):
    file = checkout / "cohorts/fall.yaml"
    change(file, "age_minimum:", "age_minimun:")
    with pytest.raises(InputError, match="age_minimun"):
        live_study(file, kept)
    assert not kept.exists()


def test_broken_code_lists_break_the_good_version_too(checkout, kept):
    file = checkout / "cohorts/fall.yaml"
    kept.mkdir()
    shutil.copy(file, kept)
    shutil.rmtree(checkout / "codelists")
    with pytest.raises(InputError, match="fracture"):
        live_study(file, kept)


def test_a_version_that_is_kept_already_is_not_written_again(checkout, kept):
    file = checkout / "cohorts/fall.yaml"
    live_study(file, kept)
    before = (kept / "fall.yaml").stat()
    live_study(file, kept)
    after = (kept / "fall.yaml").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
