"""The generator's facts: medicines, curves and codes hold together and are found by the fracture rules."""

import csv
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from parcours.errors import InputError
from parcours.snds.contracts import load_product, load_table, product_names
from parcours.synth.curves import HORIZON_DAYS, relative_incidence
from parcours.synth.facts import cip13, codes, details, irregularity_rates, medicines, rows
from parcours.synth.population import trait_names
from parcours.synth.settings import FIRST_YEAR, LAST_YEAR, SynthSettings
from parcours.synth.truth import planted_medicines

CODELISTS = Path(__file__).parents[3] / "codelists"


def test_there_are_enough_medicines_of_each_kind():
    kinds = Counter(m.kind for m in medicines())
    assert len(medicines()) >= 60
    assert kinds["raises"] == 10 and kinds["lowers"] in (2, 3) and kinds["confounded"] == 5
    assert len({m.atc for m in medicines()}) == len(medicines())
    assert all(len(m.atc) == 7 for m in medicines())


def test_raising_medicines_cover_every_curve_twice():
    curves = Counter(m.curve for m in medicines() if m.kind == "raises")
    assert all(curves[name] >= 2 for name in ("early", "delayed", "constant", "decaying"))
    assert all(2.0 <= m.peak_ri <= 4.5 for m in medicines() if m.kind == "raises")
    assert all(0.25 <= m.peak_ri <= 0.5 for m in medicines() if m.kind == "lowers")
    assert all((m.curve, m.peak_ri) == ("none", 1.0) for m in medicines() if m.kind in ("null", "confounded"))


@pytest.mark.parametrize("cip7", [2970001, 3494972])
def test_cip13_passes_the_ean_check(cip7):
    digits = [int(digit) for digit in str(cip13(cip7))]
    assert len(digits) == 13
    assert (sum(digits[::2]) + 3 * sum(digits[1::2])) % 10 == 0
    assert str(cip13(cip7))[:12] == f"34009{cip7}"


def test_packs_are_all_different():
    numbers = [cip7 for m in medicines() for cip7 in m.cip7]
    assert len(set(numbers)) == len(numbers) == 2 * len(medicines())


def test_a_trait_that_confounds_exists_and_raises_the_hazard():
    hazards = {row["key"].partition(".")[2] for row in rows("priors.csv") if row["key"].startswith("trait_hazard.")}
    assert {m.trait for m in medicines()} <= {*trait_names(), "none"}
    assert {m.trait for m in medicines() if m.kind == "confounded"} <= hazards
    assert not {m.trait for m in medicines() if m.kind != "confounded"} & hazards


@pytest.mark.parametrize(
    ("curve", "day", "expected"),
    [
        ("early", 0, 3.0), ("early", 41, 3.0), ("early", 70, 3.0**0.5), ("early", 98, 1.0), ("early", 195, 1.0),
        ("delayed", 0, 1.0), ("delayed", 42, 1.0), ("delayed", 63, 3.0**0.5), ("delayed", 84, 3.0),
        ("delayed", 195, 3.0),
        ("constant", 0, 3.0), ("constant", 195, 3.0), ("decaying", 0, 3.0), ("decaying", 60, 3.0 ** np.exp(-1)),
    ],
)  # fmt: skip
def test_curves_pass_through_their_documented_points(curve, day, expected):
    assert relative_incidence(curve, 3.0)[day] == pytest.approx(expected)


def test_a_lowering_curve_mirrors_the_raising_one():
    np.testing.assert_allclose(relative_incidence("delayed", 0.5) * relative_incidence("delayed", 2.0), 1.0)


def test_truth_holds_each_medicine_of_the_table_with_its_curve():
    exposed = np.tile([40, 4], (len(medicines()), 1))
    truth = {row["atc"]: row for row in planted_medicines(exposed)}
    for row in rows("medicines.csv"):
        assert truth[row["atc"]]["kind"] == row["kind"]
        assert len(truth[row["atc"]]["relative_incidence"]) == HORIZON_DAYS == 196
        assert (truth[row["atc"]]["new_users"], truth[row["atc"]]["exposed_cases"]) == (40, 4)
        extreme = max(truth[row["atc"]]["relative_incidence"], key=lambda value: abs(np.log(value)))
        assert extreme == pytest.approx(float(row["peak_ri"]), abs=1e-6)


def _list(name: str, **where: str) -> list[str]:
    with (CODELISTS / name).open(encoding="utf-8") as file:
        return [r["code"] for r in csv.DictReader(file) if all(r[key] == value for key, value in where.items())]


def test_every_planted_fracture_is_found_by_the_fracture_rules():
    prefixes = tuple(_list("fracture_codes.csv", use="hospital_diagnosis"))
    acts = set(_list("fracture_codes.csv", use="outpatient_act"))
    for row in rows("fractures.csv"):
        assert row["code"].startswith(prefixes)
        assert (float(row["outpatient"]) == 0) == (row["outpatient_act"] == "")
        assert row["outpatient_act"] in acts | {""}


def test_what_is_not_a_fracture_is_not_found_by_the_fracture_rules():
    prefixes = tuple(_list("fracture_codes.csv", use="hospital_diagnosis"))
    acts = set(_list("fracture_codes.csv", use="outpatient_act"))
    assert not [row for row in rows("stays.csv") if row["diagnosis"].startswith(prefixes)]
    assert not [row for row in rows("items.csv") if row["code"] in acts]
    assert set(codes()["material_removal_acts"]) <= set(_list("fracture_codes.csv", use="material_removal"))


def test_every_table_of_a_product_is_written_or_was_gone_before_the_first_year():
    always = {"ER_PHA_F", "ER_CAM_F", "ER_ETE_F", "ER_UCD_F", "ER_BIO_F", "MCO_A", "MCO_D", "MCO_UM"}
    for product in map(load_product, product_names()):
        for table in {*product.joined, *product.where_present} - always - set(details()):
            assert not any(load_table(table).exists_in(year) for year in range(FIRST_YEAR, LAST_YEAR + 1)), table


def test_every_number_says_where_it_comes_from():
    for table in ("priors.csv", "irregularities.csv", "details.csv"):
        for row in rows(table):
            assert row["source"] and row["status"] in ("sourced", "derived", "guess"), row


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"persons": 0}, "persons is 0"),
        ({"years": (2017, 2014)}, "years are 2017-2014"),
        ({"years": (1999, 2001)}, "between 2009 and 2019"),
        ({"minimum_age": 5}, "minimum_age is 5"),
        ({"lines_per_person_year": 0.5}, "lines_per_person_year is 0.5"),
        ({"irregularities": {"two_psas": 0.1}}, "two_psas is not known"),
        ({"irregularities": {"two_psa": 1.5}}, "rate of irregularity two_psa is 1.5"),
        ({"faults": ("fire",)}, "Fault fire is not known"),
        ({"products": ("MCO", "ACE")}, "Product ACE is not known; known are DCIR, HAD"),
    ],
)
def test_a_setting_that_is_not_allowed_is_named_in_one_sentence(setting, sentence):
    with pytest.raises(InputError, match=sentence):
        SynthSettings(**setting).check()


def test_an_override_replaces_one_rate_only():
    settings = SynthSettings(irregularities={"malformed": 0.01})
    assert settings.rates == {**irregularity_rates(), "malformed": 0.01}
