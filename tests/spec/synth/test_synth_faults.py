"""Each named fault makes the violation that it documents, and only there."""

import json
from pathlib import Path

import pandas as pd
import pytest

from parcours.snds.contracts import load_product
from parcours.synth.delivery import write_delivery
from parcours.synth.facts import known_faults
from parcours.synth.settings import SynthSettings

KEY = list(load_product("DCIR").key)
MONTH = "2015-08"


def _write(out: Path, **changed: object) -> Path:
    write_delivery(
        SynthSettings(**{"persons": 150, "years": (2014, 2015), "seed": 3, "lines_per_person_year": 20, **changed}), out
    )
    return out / "raw"


def _claims(raw: Path, month: str = MONTH) -> pd.DataFrame:
    return pd.read_csv(raw / f"ER_PRS_F_{month}.csv", sep=";", dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write(tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every fault at once but the missing month, which would hide the others."""
    faults = tuple(name for name in known_faults() if name != "missing_flux_month")
    return _write(tmp_path_factory.mktemp("faulty"), faults=faults)


def test_duplicate_keys(clean, faulty):
    assert _claims(clean).duplicated(KEY).sum() == 0
    assert _claims(faulty).duplicated(KEY).sum() == 40
    assert not _claims(faulty).duplicated().any()


def test_missing_flux_month(tmp_path, clean):
    raw = _write(tmp_path, faults=("missing_flux_month",))
    gone = {path.name for path in clean.iterdir()} - {path.name for path in raw.iterdir()}
    assert gone == {f"ER_{name}_F_{MONTH}.csv" for name in ("PRS", "PHA", "CAM", "ETE", "UCD", "BIO")}


def test_amount_corruption(clean, faulty):
    assert _claims(clean)["PRS_PAI_MNT"].astype(float).max() < 10_000
    corrupt = _claims(faulty)["PRS_PAI_MNT"].astype(float) > 1_000_000
    assert 0.02 < corrupt.mean() < 0.08
    assert (_claims(faulty)["BSE_REM_BSE"].astype(float)[corrupt] < 0).all()


def test_future_dates(clean, faulty):
    assert not (_claims(clean)["EXE_SOI_DTD"] > _claims(clean)["FLX_DIS_DTD"]).any()
    assert 0.1 < (_claims(faulty)["EXE_SOI_DTD"] > _claims(faulty)["FLX_DIS_DTD"]).mean() < 0.3


def test_a_care_date_that_is_not_known_has_no_future(tmp_path):
    raw = _write(tmp_path, faults=("future_dates",), irregularities={"sentinel_care_date": 0.2})
    care = _claims(raw)["EXE_SOI_DTD"]
    assert (care == "0001-01-01").mean() > 0.02 and (care > "2025").mean() > 0.1


def test_null_person(clean, faulty):
    assert not (_claims(clean)["BEN_NIR_PSA"] == "").any()
    assert 0.08 < (_claims(faulty)["BEN_NIR_PSA"] == "").mean() < 0.22


def test_bad_return_codes(clean, faulty):
    for raw, low, high in ((clean, 0.0, 0.08), (faulty, 0.1, 0.3)):
        stays = pd.read_csv(raw / "T_MCO15C.csv", sep=";", dtype=str)
        assert low <= (stays[["NIR_RET", "NAI_RET", "SEX_RET", "SEJ_RET", "FHO_RET"]] != "0").any(axis=1).mean() <= high


def test_the_month_before_is_untouched(clean, faulty):
    pd.testing.assert_frame_equal(_claims(clean, "2015-07"), _claims(faulty, "2015-07"))


def test_the_truth_names_what_was_planted_and_where(faulty):
    planted = json.loads((faulty.parent / "truth.json").read_text())["faults"]
    assert {fault["name"]: fault["where"] for fault in planted} == {
        "duplicate_keys": MONTH, "amount_corruption": MONTH, "future_dates": MONTH, "null_person": MONTH,
        "bad_return_codes": "2015",
    }  # fmt: skip


def test_malformed_rows_are_as_many_as_counted(tmp_path):
    raw = _write(tmp_path, irregularities={"malformed": 0.01})
    planted = json.loads((tmp_path / "truth.json").read_text())["irregularities"]["malformed_lines"]
    width = len((raw / f"ER_PRS_F_{MONTH}.csv").read_text().split("\n", 1)[0].split(";"))
    broken = 0
    for path in raw.glob("ER_PRS_F_*.csv"):
        rows = [line.split(";") for line in path.read_text().split("\n")[1:-1]]
        broken += sum(len(row) != width or "X7" in row or "2016-13-45" in row for row in rows)
    assert broken == planted > 10
