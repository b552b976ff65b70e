"""What a second report may tell after a first one, as small tables."""

import pytest

from parcours.release.cells import PERSONS, Cell, Told
from parcours.release.withhold import withhold

# Cases of 65 and over were reported first; then those of 75 and over are asked for, with all else equal.
EVERYBODY = "cases of the study"


def cases(count, ages, source=EVERYBODY):
    return Cell(PERSONS, "cases", count, count, source, ages=ages)


def site(label, count, shown, ages, source=EVERYBODY):
    return Cell("events by site", label, count, shown, f"{source} {label}", source, True, ages)


def exposed(drug, count, shown, ages, source=EVERYBODY):
    return Cell("exposed cases", drug, count, shown, f"{source} {drug}", source, False, ages)


def released(*reports):
    """What of each report is told, {label: told}, one after the other: (name of the run, its cells)."""
    former, told = [], []
    for run, cells in reports:
        left = withhold(former, run, "fall", cells)
        former += [Told(run, "fall", cell) for cell in left]
        told.append({cell.label: cell.shown for cell in left})
    return told


def test_75_and_over_after_65_and_over():
    #                65+   75+   65 to 74
    #  cases         200   164         36
    #  hip           100    80         20
    #  wrist          60    55          5    withheld: 60 - 55 would give 5
    #  spine          40    29         11    withheld: with hip and the total it would give the wrist
    #  zolpidem       45    40          5    withheld
    #  furosemide    120   100         20
    older = [
        *(cases(164, (75, 120)), site("hip", 80, 80, (75, 120)), site("wrist", 55, 55, (75, 120))),
        *(site("spine", 29, 29, (75, 120)), exposed("zolpidem", 40, 40, (75, 120))),
        exposed("furosemide", 100, 100, (75, 120)),
    ]
    all_ages = [
        *(cases(200, (65, 120)), site("hip", 100, 100, (65, 120)), site("wrist", 60, 60, (65, 120))),
        *(site("spine", 40, 40, (65, 120)), exposed("zolpidem", 45, 45, (65, 120))),
        exposed("furosemide", 120, 120, (65, 120)),
    ]
    first, second = released(("65+", all_ages), ("75+", older))
    assert set(first.values()) == {200, 100, 60, 40, 45, 120}, "the first report tells all it would tell alone"
    assert second == {
        **{"cases": 164, "hip": 80, "wrist": "withheld", "spine": "withheld"},
        **{"zolpidem": "withheld", "furosemide": 100},
    }


@pytest.mark.parametrize(("older", "told"), [(200, 200), (199, "withheld"), (190, "withheld"), (189, 189)])
def test_a_count_is_withheld_that_lies_1_to_10_below_one_that_left(older, told):
    assert released(("65+", [cases(200, (65, 120))]), ("75+", [cases(older, (75, 120))]))[1] == {"cases": told}


def test_who_came_first_does_not_matter():
    assert released(("75+", [cases(195, (75, 120))]), ("65+", [cases(200, (65, 120))]))[1] == {"cases": "withheld"}


def test_the_third_of_three_ages_is_not_told_that_would_give_the_rest():
    #  65 and over 200, 65 to 74 100, 75 to 84 93: that leaves 7 of 85 and over
    ranges = [("65+", 200, (65, 120)), ("65-74", 100, (65, 74)), ("75-84", 93, (75, 84))]
    told = released(*((name, [cases(count, ages)]) for name, count, ages in ranges))
    assert [each["cases"] for each in told] == [200, 100, "withheld"]


def test_of_ages_that_exclude_each_other_near_counts_tell_nothing():
    told = released(("65-74", [cases(100, (65, 74))]), ("75-84", [cases(95, (75, 84))]))
    assert [each["cases"] for each in told] == [100, 95]


def test_a_small_count_is_not_narrowed_by_another_report():
    #  65+ has 14 exposed, and 6 of 75+ leave as <11: 65 to 74 are 4 to 13, ten values
    first, second = released(
        ("65+", [exposed("zolpidem", 14, 14, (65, 120))]), ("75+", [exposed("zolpidem", 6, "<11", (75, 120))])
    )
    assert (first["zolpidem"], second["zolpidem"]) == (14, "<11")
    #  but of 75+ with 12 of 14, 65 to 74 are 2
    assert released(
        ("65+", [exposed("zolpidem", 14, 14, (65, 120))]), ("75+", [exposed("zolpidem", 12, 12, (75, 120))])
    )[1] == {"zolpidem": "withheld"}


def test_the_few_who_were_not_exposed_are_not_told_either():
    #  65+: 200 cases, 100 exposed; 75+: 150 and 57. The 50 of 65 to 74 were exposed but for 7.
    first = [cases(200, (65, 120)), exposed("zolpidem", 100, 100, (65, 120))]
    second = [cases(150, (75, 120)), exposed("zolpidem", 57, 57, (75, 120))]
    assert released(("65+", first), ("75+", second))[1] == {"cases": 150, "zolpidem": "withheld"}


@pytest.mark.parametrize(("later", "told"), [(205, "withheld"), (200, 200), (211, 211)])
def test_other_data_or_another_washout_is_compared_although_nobody_knows_how_the_persons_overlap(later, told):
    first = [cases(200, (65, 120))]
    second = [cases(later, (65, 120), source="cases of the study on later data")]
    assert released(("june", first), ("july", second))[1] == {"cases": told}


def test_equal_counts_of_two_versions_of_the_data_do_not_hide_the_cell_that_differs():
    #  june 100 60 40 = 200, july 100 60 55 = 215; then 100 64 51: two differ by 4, the total tells neither
    new = "cases on later data"
    june = [cases(200, (65, 120)), site("hip", 100, 100, (65, 120)), site("wrist", 60, 60, (65, 120))]
    july = [cases(211, (65, 120), new), site("hip", 104, 104, (65, 120), new), site("wrist", 67, 67, (65, 120), new)]
    june.append(site("spine", 40, 40, (65, 120)))
    july.append(site("spine", 40, 40, (65, 120), new))
    told = released(("june", june), ("july", july))[1]
    assert told == {"cases": 211, "hip": "withheld", "wrist": "withheld", "spine": 40}


def test_counts_that_cannot_be_true_together_do_not_leave(caplog):
    _, second = released(("65+", [cases(200, (65, 120))]), ("75+", [cases(260, (75, 120))]))
    assert second == {"cases": "withheld"}
    assert "The counts that left of 75+ (attrition) and of earlier reports (65+) contradict each other" in caplog.text
