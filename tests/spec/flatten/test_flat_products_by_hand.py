"""Small deliveries whose flat rows are written down by hand: the oracle and the code must both give them."""

import duckdb
import pytest
from flat_here import KEY, flatten_here, key, write_delivery
from flat_oracle import Oracle

from parcours.snds.delivery import load_delivery

STATEMENT = KEY.rsplit(";", 2)[0]
CLAIMS = f"{KEY};BEN_NIR_PSA;BEN_RNG_GEM\n"
ANNE, BOB = "ANNE", "BOB"


def statement(number, month="2016-01-01"):
    """The seven key columns of one statement."""
    return key(number, month).rsplit(";", 2)[0]


@pytest.fixture(params=["oracle", "code"])
def flat(request, tmp_path):
    """flat(tables, product, period): the flat rows of a delivery of these files, as a DuckDB relation."""

    def build(tables, product, period):
        folder = write_delivery(tmp_path / "d", tables)
        if request.param == "oracle":
            oracle = Oracle(load_delivery(folder))
            return oracle.sql.sql(f"FROM {oracle.flat(product, period)}")
        found = flatten_here(folder, product, tmp_path / "out").folder / period / "flat"
        return duckdb.read_parquet([str(path) for path in found.glob("*.parquet")], union_by_name=True)

    return build


def rows(relation, *columns):
    """The rows of these columns, sorted."""
    return sorted(relation.project(", ".join(f'"{name}"' for name in columns)).fetchall(), key=repr)


def columns_of(relation, table):
    """The columns that come from one table, without its name."""
    return {name.removeprefix(f"{table}__") for name in relation.columns if name.startswith(f"{table}__")}


def test_each_line_of_a_statement_has_its_header_and_a_second_header_doubles_them(flat):
    heads = [f"{statement(1)};01", f"{statement(2)};", f"{statement(2)};02", f"{statement(9)};03"]
    tables = {
        "ER_PRS_F": f"{CLAIMS}{key(1, order=1)};ANNE;1\n{key(1, order=2)};ANNE;1\n{key(2)};BOB;1\n{key(3)};BOB;1\n",
        "ER_DCT_F": "\n".join([f"{STATEMENT};DCT_INT_VER", *heads]),
    }
    found = flat(tables, "DCIR", "2016-01")
    assert rows(found, "DCT_ORD_NUM", "PRS_ORD_NUM", "ER_DCT_F__DCT_INT_VER", "claim_row") == [
        (1, 1, "01", 1),
        (1, 2, "01", 1),
        (2, 1, "02", 2),
        (2, 1, None, 1),
        (3, 1, None, 1),
    ]


def test_a_table_where_present_comes_after_the_five_and_multiplies_rows(flat):
    tables = {
        "ER_PRS_F": f"{CLAIMS}{key(1)};ANNE;1\n",
        "ER_PHA_F": f"{KEY};PHA_ACT_QSN\n{key(1)};2\n{key(1)};1\n",
        "ER_TIP_F": f"{KEY};TIP_ACT_QSN\n{key(1)};7\n{key(1)};5\n",
    }
    found = flat(tables, "DCIR", "2016-01")
    assert rows(found, "claim_row", "ER_PHA_F__PHA_ACT_QSN", "ER_TIP_F__TIP_ACT_QSN") == [
        (1, 1, 5),
        (2, 1, 7),
        (3, 2, 5),
        (4, 2, 7),
    ]


def test_a_table_where_present_has_columns_in_the_months_that_it_has_rows_of(flat):
    claims = f"{CLAIMS}{key(1)};ANNE;1\n{key(2, '2016-02-01')};ANNE;1\n"
    devices = f"{KEY};TIP_ACT_QSN\n{key(2, '2016-02-01')};7\n"
    january = flat({"ER_PRS_F": claims, "ER_TIP_F": devices}, "DCIR", "2016-01")
    assert columns_of(january, "ER_TIP_F") == set() != columns_of(january, "ER_PHA_F")


def test_a_rejected_row_is_a_row_of_its_month(flat):
    claims = f"{CLAIMS}{key(1)};ANNE;1\n"
    found = flat({"ER_PRS_F": claims, "ER_TIP_F": f"{KEY};TIP_ACT_QSN\n{key(1)};many\n"}, "DCIR", "2016-01")
    assert {"TIP_ACT_QSN", "TIP_PRS_IDE"} <= columns_of(found, "ER_TIP_F")
    assert rows(found, "DCT_ORD_NUM", "ER_TIP_F__TIP_ACT_QSN") == [(1, None)]


def test_a_file_without_rows_is_of_no_month_but_of_its_year(flat):
    claims = f"{CLAIMS}{key(1)};ANNE;1\n"
    found = flat({"ER_PRS_F": claims, "ER_TIP_F": f"{KEY};TIP_ACT_QSN\n"}, "DCIR", "2016-01")
    assert columns_of(found, "ER_TIP_F") == set()


WEEKS = "ETA_NUM;RHA_NUM;RHS_NUM;SEJ_ANT\n75;1;001;3\n75;1;002;3\n75;2;001;0\n"
STAYS = "ETA_NUM;RHA_NUM;NIR_ANO_17;EXE_SOI_DTD\n75;1;ANNE;2016-03-01\n75;3;BOB;2016-03-01\n"


def test_the_person_of_a_stay_is_that_of_each_of_its_weeks(flat):
    tables = {
        "SSR_B": (2016, WEEKS),
        "SSR_C": (2016, STAYS),
        "SSR_D": (2016, "ETA_NUM;RHA_NUM;RHS_NUM;DGN_COD\n75;1;002;I10\n75;1;002;E86\n"),
    }
    found = flat(tables, "SSR", "2016")
    assert rows(found, "RHA_NUM", "RHS_NUM", "NIR_ANO_17", "source_table", "SSR_D__DGN_COD", "claim_row") == [
        ("1", "001", ANNE, "SSR_D", None, 1),
        ("1", "002", ANNE, "SSR_D", "E86", 1),
        ("1", "002", ANNE, "SSR_D", "I10", 2),
        ("2", "001", None, "SSR_D", None, 1),
    ]
    people = dict(rows(found, "NIR_ANO_17", "person_id"))
    assert people[ANNE] is not None and people[None] is None


def test_a_joined_table_that_is_not_delivered_has_columns_one_where_present_has_none(flat):
    found = flat({"SSR_B": (2016, WEEKS), "SSR_C": (2016, STAYS)}, "SSR", "2016")
    assert {source for (source,) in rows(found, "source_table")} == {"SSR_B"}
    assert "DGN_COD" in columns_of(found, "SSR_D")
    assert columns_of(found, "SSR_A") == set()
    assert rows(found, "RHA_NUM", "RHS_NUM", "claim_row") == [("1", "001", 1), ("1", "002", 1), ("2", "001", 1)]


def test_a_table_where_present_without_rows_still_gives_each_week_a_row(flat):
    acts = "ETA_NUM;RHA_NUM;RHS_NUM;CDC_ACT\n"
    tables = {
        "SSR_B": (2016, WEEKS),
        "SSR_C": (2016, STAYS),
        "SSR_A": (2016, acts),
        "SSR_MED": (2016, "ETA_NUM;RHA_NUM;RHS_NUM;ADM_NBR\n75;1;001;2\n"),
    }
    found = flat(tables, "SSR", "2016")
    assert rows(found, "RHA_NUM", "RHS_NUM", "source_table", "SSR_MED__ADM_NBR", "claim_row") == [
        ("1", "001", "SSR_A", None, 2),
        ("1", "001", "SSR_MED", 2.0, 1),
        ("1", "002", "SSR_A", None, 2),
        ("1", "002", "SSR_MED", None, 1),
        ("2", "001", "SSR_A", None, 2),
        ("2", "001", "SSR_MED", None, 1),
    ]
    assert "CDC_ACT" in columns_of(found, "SSR_A")


def test_the_details_of_a_stay_at_home_are_joined_to_each_of_its_parts(flat):
    tables = {
        "HAD_B": (2016, "ETA_NUM_EPMSI;RHAD_NUM;SSEQ_NUM;SSEQ_NBJ\n75;1;0001;4\n75;1;0002;6\n"),
        "HAD_C": (2016, "ETA_NUM_EPMSI;RHAD_NUM;NIR_ANO_17\n75;1;ANNE\n"),
        "HAD_D": (2016, "ETA_NUM_EPMSI;RHAD_NUM;SSEQ_NUM;DGN_ASS\n75;1;0002;I10\n"),
    }
    found = flat(tables, "HAD", "2016")
    assert rows(found, "NIR_ANO_17", "HAD_B__SSEQ_NUM", "HAD_D__SSEQ_NUM", "HAD_D__DGN_ASS", "claim_row") == [
        (ANNE, "0001", "0002", "I10", 1),
        (ANNE, "0002", "0002", "I10", 1),
    ]


def test_an_ambulatory_psychiatric_act_is_of_no_person(flat):
    tables = {
        "RIP_R3A": (2016, "ETA_NUM_EPMSI;ORD_NUM;SEJ_IDT;IPP_IRR_CRY\n75;1;1;ANNE\n75;2;1;ANNE\n"),
        "RIP_R3AD": (2016, "ETA_NUM_EPMSI;ORD_NUM;SEJ_IDT;ASS_DGN\n75;2;1;F321\n"),
        "IR_BEN_R": "BEN_NIR_PSA;BEN_RNG_GEM;BEN_IDT_ANO\nANNE;1;A\n",
    }
    found = flat(tables, "RIP3A", "2016")
    assert rows(found, "ORD_NUM", "RIP_R3A__IPP_IRR_CRY", "RIP_R3AD__ASS_DGN", "person_id") == [
        ("1", ANNE, None, None),
        ("2", ANNE, "F321", None),
    ]


def test_two_invoices_of_one_visit_have_the_acts_each(flat):
    tables = {
        "MCO_FASTC": (2016, "ETA_NUM;SEQ_NUM;NUM_FAC\n75;1;001\n75;1;002\n"),
        "MCO_CSTC": (2016, "ETA_NUM;SEQ_NUM;NIR_ANO_17\n75;1;BOB\n"),
        "MCO_FMSTC": (2016, "ETA_NUM;SEQ_NUM;CCAM_COD\n75;1;DEQP003\n"),
        "MCO_VALOACE": (2016, "ETA_NUM;SEQ_NUM;MNT_BR\n75;1;23.5\n"),
    }
    found = flat(tables, "MCO_CE", "2016")
    names = ("MCO_FASTC__NUM_FAC", "claim_row", "source_table", "MCO_FMSTC__CCAM_COD", "MCO_VALOACE__MNT_BR")
    assert rows(found, *names) == [
        ("001", 1, "MCO_FMSTC", "DEQP003", None),
        ("001", 2, "MCO_VALOACE", None, 23.5),
        ("002", 1, "MCO_FMSTC", "DEQP003", None),
        ("002", 2, "MCO_VALOACE", None, 23.5),
    ]
    assert rows(found, "NIR_ANO_17") == [(BOB,)] * 4


def test_a_reference_is_its_rows_with_a_key(flat):
    certificates = "DCD_IDT_ENC;BEN_IDT_ANO;BEN_DCD_DTE\nc1;A;2016-01-05\nc2;;1600-01-01\n;B;2016-01-05\n"
    found = flat({"KI_CCI_R": certificates}, "KI_CCI_R", "all")
    assert "person_id" not in found.columns
    assert rows(found, "DCD_IDT_ENC", "BEN_IDT_ANO") == [("c1", "A"), ("c2", None)]
    assert dict(rows(found, "DCD_IDT_ENC", "BEN_DCD_DTE"))["c2"] is None
