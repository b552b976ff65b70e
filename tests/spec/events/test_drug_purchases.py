"""A purchase: what one person bought of one pack on one day, after cancellations."""

import pytest

from parcours.events.claims import OTHER_DETAILS, claim_events

pytestmark = pytest.mark.spark

LINES = (
    "person_id bigint, day date, flux date, claim bigint, ordinal bigint, cip13 bigint, cip7 bigint, boxes bigint,"
    " part string, units bigint, beside bigint"
)
PURCHASES = "person_id bigint, value string, group_id string, weight double, start date"
BISOPROLOL, ZOLPIDEM = 3400930000001, 3400930000002


@pytest.fixture(scope="module")
def packs(spark):
    return spark.createDataFrame(
        [(BISOPROLOL, 3000000, "C07AB07", False), (ZOLPIDEM, 3000001, "N05CF02", False)],
        "cip13 long, cip7 long, atc string, large boolean",
    )


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
# 6: part of a box is a purchase. 7: a pack that the reference does not know keeps its CIP13 and has no ATC code.
# 8: the old code alone is of the pack that has it. 9: one that no pack has stays, without ATC code. 10: a cancellation
# by the old code. 11: a CIP13 that is none. 12, 13: two deliveries without an order number, the second beside two acts.
# 14: a line without boxes is what its claim says, one.
EXPECTED = """
    person_id | value   | group_id      | weight | start
    1         | C07AB07 | 3400930000001 | 2      | 2014-03-02
    2         | C07AB07 | 3400930000001 | 1      | 2014-03-02
    3         | C07AB07 | 3400930000001 | 2      | 2014-03-02
    5         | C07AB07 | 3400930000001 | 2      | 2014-03-02
    6         | N05CF02 | 3400930000002 | 1      | 2014-03-02
    7         | -       | 3400930000003 | 1      | 2014-03-02
    8         | N05CF02 | 3400930000002 | 1      | 2014-03-02
    9         | -       | 3999999       | 1      | 2014-03-02
    11        | N05CF02 | 3400930000002 | 1      | 2014-03-02
    12        | C07AB07 | 3400930000001 | 3      | 2014-03-02
    13        | C07AB07 | 3400930000001 | 2      | 2014-03-02
    14        | C07AB07 | 3400930000001 | 1      | 2014-03-02
"""


def test_a_purchase_is_what_is_left_of_a_pack_after_cancellations(spark, table, packs, rows, collected):
    from pyspark.sql import functions as F

    lines = table(BOUGHT, LINES)
    # One claim number stands for the key of nine columns.
    key = {
        "FLX_DIS_DTD": F.col("flux"),
        "FLX_TRT_DTD": F.col("flux"),
        "FLX_EMT_TYP": F.lit(1),
        "FLX_EMT_NUM": F.lit(1),
        "FLX_EMT_ORD": F.lit(1),
        "ORG_CLE_NUM": F.lit("01C01"),
        "DCT_ORD_NUM": F.col("claim"),
        "PRS_ORD_NUM": F.lit(1),
        "REM_TYP_AFF": F.lit(1),
    }
    detail = {
        "EXE_SOI_DTD": F.col("day"),
        "ER_PHA_F__PHA_ORD_NUM": F.col("ordinal"),
        "ER_PHA_F__PHA_PRS_C13": F.col("cip13"),
        "ER_PHA_F__PHA_PRS_IDE": F.col("cip7"),
        "ER_PHA_F__PHA_ACT_QSN": F.col("boxes"),
        "ER_PHA_F__PHA_DEC_TOP": F.col("part"),
        "ER_PHA_F__PHA_DEC_QSU": F.col("units"),
    }
    no_act = {
        "ER_CAM_F__CAM_PRS_IDE": F.lit(None).cast("string"),
        "ER_CAM_F__CAM_ORD_NUM": F.col("beside"),
        "PRS_ACT_QTE": F.lit(1),
        "ER_ETE_F__PRS_PPU_SEC": F.lit(None).cast("long"),
        "ER_ETE_F__ETE_GHS_NUM": F.lit(None).cast("long"),
        "ER_ETE_F__ETE_TYP_COD": F.lit(None).cast("long"),
        **dict.fromkeys(OTHER_DETAILS[4:], F.lit(None).cast("long")),
    }
    uses = {"drug_purchase": F.lit(True), "dcir_ccam_act": F.lit(False)}
    bought = claim_events(lines.withColumns({**key, **detail, **no_act, **uses}).drop("cip13", "cip7"), packs)
    assert collected(bought, "person_id", "value", "group_id", "weight", "start") == rows(EXPECTED, PURCHASES)
