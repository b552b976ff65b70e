"""A purchase: what one person bought of one pack on one day, after cancellations."""

import datetime as dt

import pytest

from parcours.events.claims import drug_purchases

pytestmark = pytest.mark.spark

LINES = (
    "person_id bigint, day date, flux date, claim bigint, ordinal bigint, cip13 bigint, boxes bigint, part string,"
    " units bigint"
)
PURCHASES = "person_id bigint, value string, group_id string, weight double, start date"
BISOPROLOL, ZOLPIDEM, UNKNOWN = 3400930000001, 3400930000002, 3400930000003


@pytest.fixture(scope="module")
def packs(spark):
    return spark.createDataFrame(
        [(BISOPROLOL, "C07AB07", False), (ZOLPIDEM, "N05CF02", False)], "cip13 long, atc string, large boolean"
    )


@pytest.fixture(scope="module")
def dcir(spark, table):
    """A flat DCIR with the columns a purchase needs: one claim number stands for the key of nine columns."""

    def build(text: str):
        from pyspark.sql import functions as F

        lines = table(text, LINES)
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
            "ER_PHA_F__PHA_ACT_QSN": F.col("boxes"),
            "ER_PHA_F__PHA_DEC_TOP": F.col("part"),
            "ER_PHA_F__PHA_DEC_QSU": F.col("units"),
        }
        return lines.withColumns({**key, **detail})

    return build


@pytest.fixture(scope="module")
def purchases_of(dcir, packs, collected):
    return lambda text: collected(
        drug_purchases(dcir(text), packs), "person_id", "value", "group_id", "weight", "start"
    )


def test_a_purchase_is_named_by_the_atc_code_of_its_pack(purchases_of, rows):
    bought = purchases_of(
        """
        person_id | day        | flux       | claim | ordinal | cip13         | boxes | part | units
        1         | 2014-03-02 | 2014-04-01 | 10    | 1       | 3400930000001 | 2     | -    | -
        """
    )
    assert bought == rows(
        """
        person_id | value   | group_id      | weight | start
        1         | C07AB07 | 3400930000001 | 2      | 2014-03-02
        """,
        PURCHASES,
    )


def test_a_line_repeated_by_the_flat_form_counts_once(purchases_of):
    bought = purchases_of(
        """
        person_id | day        | flux       | claim | ordinal | cip13         | boxes | part | units
        1         | 2014-03-02 | 2014-04-01 | 10    | 1       | 3400930000001 | 1     | -    | -
        1         | 2014-03-02 | 2014-04-01 | 10    | 1       | 3400930000001 | 1     | -    | -
        """
    )
    assert [row[3] for row in bought] == [1.0]


def test_two_lines_of_one_claim_add_up(purchases_of):
    bought = purchases_of(
        """
        person_id | day        | flux       | claim | ordinal | cip13         | boxes | part | units
        1         | 2014-03-02 | 2014-04-01 | 10    | 1       | 3400930000001 | 1     | -    | -
        1         | 2014-03-02 | 2014-04-01 | 10    | 2       | 3400930000001 | 1     | -    | -
        """
    )
    assert [row[3] for row in bought] == [2.0]


def test_a_cancellation_in_a_later_flux_takes_the_purchase_away(purchases_of):
    bought = purchases_of(
        """
        person_id | day        | flux       | claim | ordinal | cip13         | boxes | part | units
        1         | 2014-03-02 | 2014-04-01 | 10    | 1       | 3400930000001 | 1     | -    | -
        1         | 2014-03-02 | 2014-06-01 | 99    | 1       | 3400930000001 | -1    | -    | -
        2         | 2014-03-02 | 2014-04-01 | 11    | 1       | 3400930000001 | 3     | -    | -
        2         | 2014-03-02 | 2014-06-01 | 98    | 1       | 3400930000001 | -1    | -    | -
        """
    )
    assert [(row[0], row[3]) for row in bought] == [(2, 2.0)]


def test_a_box_sold_in_parts_is_a_purchase(purchases_of):
    bought = purchases_of(
        """
        person_id | day        | flux       | claim | ordinal | cip13         | boxes | part | units
        1         | 2014-03-02 | 2014-04-01 | 10    | 1       | 3400930000002 | 0     | D    | 7
        """
    )
    assert [(row[1], row[3]) for row in bought] == [("N05CF02", 1.0)]


def test_a_pack_that_the_reference_does_not_know_keeps_its_code(purchases_of):
    bought = purchases_of(
        """
        person_id | day        | flux       | claim | ordinal | cip13         | boxes | part | units
        1         | 2014-03-02 | 2014-04-01 | 10    | 1       | 3400930000003 | 1     | -    | -
        """
    )
    assert bought == [(1, None, str(UNKNOWN), 1.0, dt.date(2014, 3, 2))]
