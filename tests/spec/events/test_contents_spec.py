"""What a pack holds, from what IR_PHA_R says in words: its molecules, and the milligrams of the one that it has."""

import pyarrow as pa
import pytest

from parcours.events.references import CONTENT_COLUMNS, contents_of


def content(molecule, dose=None, unit=None, units=None, *others):
    """(molecules, milligrams) of one pack, which may have other rows."""
    rows = [(3400930000001, molecule, dose, unit, units), *((3400930000001, *other) for other in others)]
    types = (pa.int64(), *[pa.string()] * 4)
    columns = {name: pa.array([row[n] for row in rows], types[n]) for n, name in enumerate(CONTENT_COLUMNS)}
    told = contents_of(pa.table(columns)).to_pylist()
    assert len(told) == 1
    return told[0]["molecules"], told[0]["milligrams"]


@pytest.mark.parametrize(
    ("written", "molecules"),
    [
        ("bisoprolol", "BISOPROLOL"),
        ("Hydrochlorothiazide, BISOPROLOL", "BISOPROLOL_HYDROCHLOROTHIAZIDE"),
        ("HYDROCHLOROTHIAZIDE + BISOPROLOL (FUMARATE)", "BISOPROLOL FUMARATE_HYDROCHLOROTHIAZIDE"),
        ("ACIDE   ACETYLSALICYLIQUE,", "ACIDE ACETYLSALICYLIQUE"),
        ("A,A", "A"),
        (" ", None),
        ("{},;", None),
        (None, None),
    ],
)
def test_molecules_are_in_capitals_sorted_and_joined(written, molecules):
    assert content(written)[0] == molecules


@pytest.mark.parametrize(
    ("dose", "unit", "units", "milligrams"),
    [
        ("20", "MG", "30", 600),
        ("2,5", "mg", "30 CP", 75),
        ("0.5", "G", "10", 5000),
        ("50", "µg", "28 COMPRIMES", 1.4),
        ("50 MCG", None, "28", 1.4),
        ("100", "MG", "3 / 2 ML", 300),
        # What is not told, or not as one number of a weight in each of so many units.
        (None, "MG", "30", None),
        ("20", None, "30", None),
        ("20", "MG", None, None),
        ("100", "MG/ML", "3 / 2 ML", None),
        ("20+12.5", "MG", "30", None),
        ("1000000", "UI", "10", None),
        ("1", "%", "1", None),
        ("20", "MG", "3 CP + 5 SACHETS", None),
        ("20", "MG", "2 X 28", None),
        ("20", "MG", "FLACON", None),
    ],
)
def test_milligrams_are_those_of_so_many_units(dose, unit, units, milligrams):
    found = content("A", dose, unit, units)[1]
    assert found == (milligrams if milligrams is None else pytest.approx(milligrams))


def test_the_doses_of_several_molecules_do_not_add_up():
    assert content("A + B", "20", "MG", "30") == ("A_B", None)


def test_a_pack_has_one_content_whatever_rows_it_has():
    assert content("A", None, None, None, ("A", "20", "MG", "30")) == ("A", 600)
