"""Hospital stays: acute care (MCO), psychiatry (RIP), rehabilitation (SSR) and hospital at home (HAD)."""

import pytest

from parcours.events.extractors import passes

MCO = tuple(one.category for one in passes()["MCO"].extractors)
EVENTS = ("category", "person_id", "code", "group", "start", "end", "weight")
TYPES = "category string, person_id bigint, code string, group string, start date, end date, weight double"
# Each row carries the stay, and one act, diagnosis or unit.
STAYS = """
    person_id | claim_row | source_table | RSA_NUM | GRG_GHM | DGN_PAL | DGN_REL | ASS_DGN | CDC_ACT  | ENT_DAT_DEL
    1         | 1         | MCO_A        | 7       | 08C471  | S72.00  | -       | -       | NBCA0060 | 2
    1         | 2         | MCO_A        | 7       | 08C471  | S72.00  | -       | -       | nbca006  | 2
    1         | 3         | MCO_A        | 7       | 08C471  | S72.00  | -       | -       | NBCA006  | -
    1         | 4         | MCO_D        | 7       | 08C471  | S72.00  | -       | i10     | -        | -
    1         | 5         | MCO_D        | 7       | 08C471  | S72.00  | -       | I1 0    | -        | -
    1         | 6         | MCO_UM       | 7       | 08C471  | S72.00  | -       | -       | -        | -
    1         | 1         | MCO_D        | 8       | -       | S720    | W19     | -       | -        | -
    1         | 2         | MCO_UM       | 8       | -       | S720    | W19     | I10     | NBCA006  | 0
    2         | 1         | MCO_A        | 9       | 90Z00Z  | S720    | W19     | -       | NBCA006  | 0
    -         | 1         | MCO_A        | 10      | 08C471  | S720    | W19     | -       | NBCA006  | 0
"""


@pytest.fixture(scope="module")
def stays(flat):
    """The rows of STAYS, of one hospital, from 2 to 6 March."""
    rows = flat("MCO", STAYS)
    same = {"ETA_NUM": "H", "period": "2015", "ENT_DAT": "02032015", "SOR_DAT": "06032015", "MCO_B__SOR_MOD": "8"}
    for column, value in same.items():
        rows = rows.set_column(rows.column_names.index(column), column, [[value] * rows.num_rows])
    return rows


def test_what_is_of_a_stay_comes_from_its_first_row_and_details_from_theirs(stays, extracted, rows, collected):
    found, counts = extracted(stays, *MCO)
    assert [row for one in found.values() for row in collected(one, *EVENTS)] == [
        row
        for category in MCO
        for row in rows(
            """
        category                 | person_id | code    | group    | start      | end        | weight
        mco_hospital_stay        | 1         | 08C471  | H_7_2015 | 2015-03-02 | 2015-03-06 | 8
        mco_hospital_stay        | 1         | unknown | H_8_2015 | 2015-03-02 | 2015-03-06 | 8
        ghm                      | 1         | 08C471  | H_7_2015 | 2015-03-02 | -          | -
        mco_main_diagnosis       | 1         | S7200   | H_7_2015 | 2015-03-02 | -          | -
        mco_main_diagnosis       | 1         | S720    | H_8_2015 | 2015-03-02 | -          | -
        mco_linked_diagnosis     | 1         | W19     | H_8_2015 | 2015-03-02 | -          | -
        mco_associated_diagnosis | 1         | I10     | H_7_2015 | 2015-03-02 | -          | -
        mco_ccam_act             | 1         | NBCA006 | H_7_2015 | 2015-03-02 | -          | -
        mco_ccam_act             | 1         | NBCA006 | H_7_2015 | 2015-03-04 | -          | -
        """,
            TYPES,
        )
        if row[0] == category
    ]
    # Rows, not events: an act or a diagnosis that is there twice is one event of two rows.
    out = {"grouping_error": 1, "no_person": 1}
    assert counts == {
        "mco_hospital_stay": {"read": 10, "became_events": 2, "not_its_own": 6, **out},
        "ghm": {"read": 10, "became_events": 1, "not_its_own": 7, **out},
        "mco_main_diagnosis": {"read": 10, "became_events": 2, "not_its_own": 6, **out},
        "mco_linked_diagnosis": {"read": 10, "became_events": 1, "not_its_own": 7, **out},
        "mco_associated_diagnosis": {"read": 10, "became_events": 2, "not_its_own": 8},
        "mco_ccam_act": {"read": 10, "became_events": 3, "not_its_own": 5, **out},
    }


def test_a_stay_has_the_best_dates_that_there_are(flat, extracted, rows, collected):
    stays = flat(
        "MCO",
        """
        person_id | claim_row | EXE_SOI_DTD | EXE_SOI_DTF | ENT_DAT  | SOR_DAT  | SOR_MOI | SOR_ANN | SEJ_NBJ
        1         | 1         | 2015-03-02  | 2015-03-06  | 01032015 | 07032015 | 04      | 2015    | 9
        2         | 1         | -           | -           | 01032015 | 07032015 | 04      | 2015    | 9
        3         | 1         | -           | -           | -        | 07032015 | 04      | 2015    | 4
        4         | 1         | -           | -           | -        | -        | 3       | 2015    | 4
        5         | 1         | -           | -           | -        | -        | 3       | 2015    | -
        6         | 1         | -           | -           | 01032015 | -        | 04      | 2015    | 4
        7         | 1         | -           | -           | 1032015  | 31022015 | -       | 2015    | 4
        8         | 1         | -           | -           | -        | -        | -       | -       | -
        9         | 1         | -           | -           | -        | -        | 3       | 15      | 4
        10        | 1         | -           | -           | -        | -        | 3       | 20155   | 4
        """,
    )
    found, counts = extracted(stays, "mco_hospital_stay")
    # 3: its length before its last day. 4: its length before the first day of its month of exit; it ends that day.
    # 7: texts that are no days, and a year without a month. 9, 10: texts that are no year.
    assert collected(found["mco_hospital_stay"], "person_id", "start", "end") == rows(
        """
        person_id | start      | end
        1         | 2015-03-02 | 2015-03-06
        2         | 2015-03-01 | 2015-03-07
        3         | 2015-03-03 | 2015-03-07
        4         | 2015-02-25 | 2015-03-01
        5         | 2015-03-01 | 2015-03-01
        6         | 2015-03-01 | 2015-03-05
        """,
        "person_id bigint, start date, end date",
    )
    assert counts["mco_hospital_stay"] == {"read": 10, "became_events": 6, "no_date": 4}


@pytest.mark.parametrize(
    ("product", "number", "hospital", "care", "code"),
    [
        ("RIP", "RIP_NUM", "ETA_NUM_EPMSI", "NAT_PEC", "01"),
        ("SSR", "RHA_NUM", "ETA_NUM", "GRG_GME", "0147A1"),
        ("HAD", "RHAD_NUM", "ETA_NUM_EPMSI", "PEC_PAL", "01"),
    ],
)
def test_a_stay_of_several_summaries_is_one_event(
    flat, extracted, rows, collected, product, number, hospital, care, code
):
    summaries = flat(
        product,
        f"""
        person_id | {hospital} | {number} | period | {care} | SOR_MOD | EXE_SOI_DTD | EXE_SOI_DTF | ENT_DAT  | SOR_DAT
        1         | H          | 7        | 2015   | {code} | 8       | 2015-03-02  | 2015-05-06  | -        | -
        1         | H          | 7        | 2015   | {code} | 8       | 2015-03-02  | 2015-05-06  | -        | -
        1         | H          | 8        | 2015   | -      | 9       | -           | -           | 02062015 | 06062015
        1         | H          | 9        | 2015   | {code} | -       | -           | -           | -        | 06072015
        2         | H          | 7        | 2014   | {code} | x       | 2014-03-02  | -           | -        | -
        2         | H          | 9        | 2014   | {code} | 8       | -           | -           | -        | -
        -         | H          | 9        | 2014   | {code} | 8       | 2014-03-02  | -           | -        | -
        """,
    )
    category = f"{product.lower()}_hospital_stay"
    found, counts = extracted(summaries, category)
    assert collected(found[category], *EVENTS) == rows(
        f"""
        category   | person_id | code    | group    | start      | end        | weight
        {category} | 1         | {code}  | H_7_2015 | 2015-03-02 | 2015-05-06 | 8
        {category} | 1         | unknown | H_8_2015 | 2015-06-02 | 2015-06-06 | 9
        {category} | 1         | {code}  | H_9_2015 | 2015-07-06 | 2015-07-06 | -
        {category} | 2         | {code}  | H_7_2014 | 2014-03-02 | -          | -
        """,
        TYPES,
    )
    assert counts[category] == {"read": 7, "became_events": 5, "no_date": 1, "no_person": 1}
