"""A purchase: what one person bought of one pack on one day, after cancellations."""

import pyarrow as pa
import pytest

from parcours.engine.duck import query
from parcours.events.references import pack_references, packs_of
from parcours.events.schema import EVENT_SCHEMA

LINES = (
    "person_id bigint, day date, flux date, claim bigint, ordinal bigint, cip13 bigint, cip7 bigint, boxes bigint,"
    " part string, units bigint, beside bigint"
)
PURCHASES = "person_id bigint, code string, weight double, start date"
PACKS = "PHA_CIP_C13 bigint, PHA_PRS_IDE bigint, PHA_ATC_C07 string, PHA_CND_TOP string"
# One claim number stands for the key of nine columns.
FLAT = """
    SELECT person_id, day AS EXE_SOI_DTD, flux AS FLX_DIS_DTD, flux AS FLX_TRT_DTD, 1 AS FLX_EMT_TYP, 1 AS FLX_EMT_NUM,
      1 AS FLX_EMT_ORD, '01C01' AS ORG_CLE_NUM, claim AS DCT_ORD_NUM, 1 AS PRS_ORD_NUM, 1 AS REM_TYP_AFF,
      1 AS PRS_ACT_QTE, ordinal AS ER_PHA_F__PHA_ORD_NUM, cip13 AS ER_PHA_F__PHA_PRS_C13,
      cip7 AS ER_PHA_F__PHA_PRS_IDE, boxes AS ER_PHA_F__PHA_ACT_QSN, part AS ER_PHA_F__PHA_DEC_TOP,
      units AS ER_PHA_F__PHA_DEC_QSU, beside AS ER_CAM_F__CAM_ORD_NUM
    FROM lines
"""


@pytest.fixture(scope="module")
def packs(table):
    bisoprolol_and_zolpidem = """
        PHA_CIP_C13   | PHA_PRS_IDE | PHA_ATC_C07 | PHA_CND_TOP
        3400930000001 | 3000000     | C07AB07     | -
        3400930000002 | 3000001     | N05CF02     | -
    """
    return packs_of(table(bisoprolol_and_zolpidem, PACKS))


@pytest.fixture(scope="module")
def lines(flat, table):
    """Flat rows of DCIR with one medicine each."""
    return lambda text: flat("DCIR", query(FLAT, lines=table(text, LINES)))


BOUGHT = """
    person_id | day        | flux       | claim | ordinal | cip13         | cip7    | boxes | part | units | beside
    1         | 2014-03-02 | 2014-04-01 | 10    | 1       | 3400930000001 | -       | 2     | -    | -     | -
    2         | 2014-03-02 | 2014-04-01 | 20    | 1       | 3400930000001 | -       | 1     | -    | -     | 1
    2         | 2014-03-02 | 2014-04-01 | 20    | 1       | 3400930000001 | -       | 1     | -    | -     | 2
    3         | 2014-03-02 | 2014-04-01 | 30    | 1       | 3400930000001 | -       | 1     | -    | -     | -
    3         | 2014-03-02 | 2014-04-01 | 30    | 2       | 3400930000001 | -       | 1     | -    | -     | -
    4         | 2014-03-02 | 2014-04-01 | 40    | 1       | 3400930000001 | -       | 1     | -    | -     | -
    4         | 2014-03-02 | 2014-06-01 | 41    | 1       | 3400930000001 | -       | -1    | -    | -     | -
    5         | 2014-03-02 | 2014-04-01 | 50    | 1       | 3400930000001 | -       | 3     | -    | -     | -
    5         | 2014-03-02 | 2014-06-01 | 51    | 1       | 3400930000001 | -       | -1    | -    | -     | -
    6         | 2014-03-02 | 2014-04-01 | 60    | 1       | 3400930000002 | -       | 0     | D    | 7     | -
    7         | 2014-03-02 | 2014-04-01 | 70    | 1       | 3400930000003 | -       | 1     | -    | -     | -
    8         | 2014-03-02 | 2014-04-01 | 80    | 1       | -             | 3000001 | 1     | -    | -     | -
    9         | 2014-03-02 | 2014-04-01 | 90    | 1       | -             | 3999999 | 1     | -    | -     | -
    10        | 2014-03-02 | 2014-04-01 | 100   | 1       | 3400930000001 | 3000000 | 1     | -    | -     | -
    10        | 2014-03-02 | 2014-06-01 | 101   | 1       | -             | 3000000 | -1    | -    | -     | -
    11        | 2014-03-02 | 2014-04-01 | 110   | 1       | 9             | 3000001 | 1     | -    | -     | -
    12        | 2014-03-02 | 2014-04-01 | 120   | -       | 3400930000001 | -       | 1     | -    | -     | -
    12        | 2014-03-02 | 2014-04-01 | 120   | -       | 3400930000001 | -       | 2     | -    | -     | -
    13        | 2014-03-02 | 2014-04-01 | 130   | -       | 3400930000001 | -       | 1     | -    | -     | 1
    13        | 2014-03-02 | 2014-04-01 | 130   | -       | 3400930000001 | -       | 1     | -    | -     | 1
    13        | 2014-03-02 | 2014-04-01 | 130   | -       | 3400930000001 | -       | 1     | -    | -     | 2
    13        | 2014-03-02 | 2014-04-01 | 130   | -       | 3400930000001 | -       | 1     | -    | -     | 2
    14        | 2014-03-02 | 2014-04-01 | 140   | 1       | 3400930000001 | -       | -     | -    | -     | -
"""
# 2: one line that the flat form repeats for another detail of the claim counts once. 3: two lines of one claim add up.
# 4: a cancellation in a later flux takes the purchase away. 5: a partial one leaves two boxes.
# 6: part of a box is a purchase. 7: a pack that the reference does not know keeps its CIP13.
# 8: the old code alone is of the pack that has it. 9: one that no pack has stays. 10: a cancellation
# by the old code. 11: a CIP13 that is none. 12, 13: two deliveries without an order number, the second beside two acts.
# 14: a line without boxes is what its claim says, one.
EXPECTED = """
    person_id | code          | weight | start
    1         | 3400930000001 | 2      | 2014-03-02
    2         | 3400930000001 | 1      | 2014-03-02
    3         | 3400930000001 | 2      | 2014-03-02
    5         | 3400930000001 | 2      | 2014-03-02
    6         | 3400930000002 | 1      | 2014-03-02
    7         | 3400930000003 | 1      | 2014-03-02
    8         | 3400930000002 | 1      | 2014-03-02
    9         | 3999999       | 1      | 2014-03-02
    11        | 3400930000002 | 1      | 2014-03-02
    12        | 3400930000001 | 3      | 2014-03-02
    13        | 3400930000001 | 2      | 2014-03-02
    14        | 3400930000001 | 1      | 2014-03-02
"""


def test_a_purchase_is_what_is_left_of_a_pack_after_cancellations(lines, packs, extracted, rows, collected):
    found, counts = extracted(lines(BOUGHT), "drug_purchase", packs=packs)
    bought = found["drug_purchase"]
    assert bought.schema == EVENT_SCHEMA
    assert collected(bought, "person_id", "code", "weight", "start") == rows(EXPECTED, PURCHASES)
    # The rows of what was cancelled whole (4, 10) are netted; all others stand behind some purchase.
    assert counts["drug_purchase"] == {"read": 23, "became_events": 19, "netted": 4}


def test_lines_of_one_statement_are_one_group(flat, packs, extracted):
    # Zolpidem and bisoprolol are two lines of one sheet, reimbursed at two rates.
    found, _ = extracted(
        flat(
            "DCIR",
            """
            person_id | EXE_SOI_DTD | DCT_ORD_NUM | PRS_ORD_NUM | PHA_ORD_NUM | PHA_PRS_C13
            1         | 2014-03-02  | 1           | 1           | 1           | 3400930000001
            1         | 2014-03-02  | 1           | 2           | 1           | 3400930000002
            1         | 2014-03-02  | 2           | 1           | 1           | 3400930000003
            """,
        ),
        "prescribed_purchase",
        packs=packs,
    )
    one, two, other = (row["group"] for row in found["prescribed_purchase"].to_pylist())
    assert one == two != other


def test_packs_of_one_claim_and_day_are_one_group(lines, packs, extracted):
    found, _ = extracted(
        lines(
            """
    person_id | day        | flux       | claim | ordinal | cip13         | cip7    | boxes | part | units | beside
    1         | 2014-03-02 | 2014-04-01 | 10    | 1       | 3400930000001 | -       | 1     | -    | -     | -
    1         | 2014-03-02 | 2014-04-01 | 10    | 2       | 3400930000002 | -       | 1     | -    | -     | -
    1         | 2014-03-02 | 2014-04-01 | 11    | 1       | 3400930000003 | -       | 1     | -    | -     | -
    1         | 2014-03-02 | 2014-06-01 | 12    | 1       | 3400930000003 | -       | 2     | -    | -     | -
    1         | 2014-03-02 | 2014-06-01 | 13    | 1       | 3400930000003 | -       | -1    | -    | -     | -
    1         | 2014-03-03 | 2014-04-01 | 14    | 1       | 3400930000001 | -       | 1     | -    | -     | -
    """
        ),
        "prescribed_purchase",
        packs=packs,
    )
    # One pack of two claims is one purchase: one of the claims that brought boxes stands for both.
    one, two, other, later = found["prescribed_purchase"].to_pylist()
    assert [row["code"][-1] for row in (one, two, other, later)] == ["1", "2", "3", "1"]
    assert [row["weight"] for row in (one, two, other, later)] == [1, 1, 2, 1]
    assert one["group"] == two["group"]
    assert len({row["group"] for row in (one, other, later)}) == 3
    assert all(row["group"].isdigit() for row in (one, other, later))


def test_a_row_that_a_filter_or_nobody_leaves_out_is_counted_once(flat, packs, extracted):
    found, counts = extracted(
        flat(
            "DCIR",
            """
            person_id | EXE_SOI_DTD | DCT_ORD_NUM | PHA_ORD_NUM | PHA_PRS_C13   | DPN_QLF | CPL_MAJ_TOP
            1         | 2014-03-02  | 1           | 1           | 3400930000001 | 0       | 0
            1         | 2014-03-02  | 2           | 1           | 3400930000001 | 71      | 2
            1         | 2014-03-02  | 3           | 1           | 3400930000001 | 0       | 2
            1         | -           | 4           | 1           | 3400930000001 | 0       | 0
            -         | 2014-03-02  | 5           | 1           | 3400930000001 | 0       | 0
            1         | 2014-03-02  | 6           | -           | -             | 71      | 0
            """,
        ),
        "drug_purchase",
        packs=packs,
    )
    assert found["drug_purchase"].num_rows == 1
    assert counts["drug_purchase"] == {
        "read": 6,
        "became_events": 1,
        "no_person": 1,
        "no_care_date": 1,
        "information_line": 1,
        "surcharge_line": 1,
        "not_its_own": 1,
    }


def test_a_pack_has_one_row_whatever_the_reference_repeats(table, rows, collected):
    reference = table(
        """
        PHA_CIP_C13   | PHA_PRS_IDE | PHA_ATC_C07 | PHA_CND_TOP
        3400930000001 | -           | -           | -
        3400930000001 | -           | c07ab07     | GC
        3400930000002 | 3000001     | N05CF02     | NC
        3400930000003 | 3000001     | N05CF02     | -
        9             | -           | N05CF02     | -
        -             | 3000009     | N05CF02     | -
        """,
        PACKS,
    )
    packs = packs_of(reference)
    # 1: its CIP7 is in its CIP13. 9: no CIP13, in which there is none.
    assert collected(packs, "cip13", "cip7", "atc", "large") == rows(
        """
        cip13         | cip7    | atc     | large
        3400930000001 | 3000000 | C07AB07 | true
        3400930000002 | 3000001 | N05CF02 | false
        3400930000003 | 3000001 | N05CF02 | false
        9             | -       | N05CF02 | false
        """,
        "cip13 string, cip7 bigint, atc string, large boolean",
    )
    # Of several packs with one CIP7 the smallest CIP13 stands for all.
    assert pack_references(packs)["old_packs"] == pa.table(
        {"cip7": [3000000, 3000001], "cip13": ["3400930000001", "3400930000002"]}
    )
