"""How much of a new delivery the plan reads itself."""

import sys
from pathlib import Path

import pytest

from parcours.errors import InputError

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "plugins"))

from parcours_airflow.defaults import scan_here_gigabytes


@pytest.mark.parametrize(("given", "gigabytes"), [("", 16.0), ("0", 0.0), ("2.5", 2.5)])
def test_the_setting_is_a_number_of_gigabytes(monkeypatch: pytest.MonkeyPatch, given: str, gigabytes: float) -> None:
    monkeypatch.setenv("PARCOURS_SCAN_HERE_GB", given)
    assert scan_here_gigabytes() == gigabytes


@pytest.mark.parametrize("given", ["much", "-1", "nan", "inf", "16 GB"])
def test_anything_else_is_refused_with_a_sentence(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("PARCOURS_SCAN_HERE_GB", given)
    with pytest.raises(InputError, match=f"PARCOURS_SCAN_HERE_GB is '{given}'; give a number of gigabytes"):
        scan_here_gigabytes()
