"""The SNDS filters: what each removes, and that an empty cell removes nothing."""

from pathlib import Path

import pyarrow as pa
import pytest

from parcours.engine.duck import query
from parcours.events.columns import PERIOD, column_type
from parcours.events.filters import columns_of, filter_table, filters_of, left_out_by

CODELISTS = Path(__file__).parents[3] / "codelists"
# One row for each filter: the cells that matter, and the filter that must remove the row (None: the row stays).
DCIR = [
    ({"DPN_QLF": 71}, "information_line"),
    ({"DPN_QLF": 72}, "information_line"),
    ({"DPN_QLF": 0}, None),
    ({"PRS_DPN_QLP": 71}, "information_line_as_sent"),
    ({"PRS_DPN_QLP": 71, "DPN_QLF": 0}, "information_line_as_sent"),
    ({"BSE_PRS_NAT": 0}, "no_base_act"),
    ({"BSE_PRS_NAT": 3313}, None),
    ({"CPL_MAJ_TOP": 2}, "surcharge_line"),
    ({"CPL_MAJ_TOP": 1}, None),
    ({"RGM_COD": 888, "RGM_GRG_COD": 1}, "fictive_person"),
    ({"RGM_COD": 888, "RGM_GRG_COD": 2}, None),
    ({"CPL_AFF_COD": 16}, "flat_fee"),
    # A real flat fee is no information line, but no act either.
    ({"PRS_DPN_QLP": 71, "DPN_QLF": 0, "CPL_AFF_COD": 16}, "flat_fee"),
    ({"ER_ETE_F__ETE_IND_TAA": 1}, "public_hospital_activity"),
    ({"ER_ETE_F__ETE_IND_TAA": 0}, None),
    ({"EXE_SOI_DTD": None}, "no_care_date"),
    ({"person_id": None}, "no_person"),
    ({}, None),
]
MCO = [
    ({"MCO_B__GRG_GHM": "90Z00Z"}, "grouping_error"),
    ({"MCO_B__GRG_GHM": "05M090"}, None),  # a valid group that only contains 90
    ({"MCO_B__GHS_NUM": "9999"}, "ungrouped_tariff"),
    ({"MCO_B__GRG_GHM": "14Z08Z"}, "anonymous_stay"),
    ({"MCO_B__TYP_GEN_RSA": "1"}, "generated_summary"),
    ({"MCO_B__TYP_GEN_RSA": "0"}, None),
    ({"MCO_B__SEJ_TYP": "B"}, "service_for_another_hospital"),
    ({"MCO_B__SEJ_TYP": "B", "MCO_B__GRG_GHM": "28Z14Z"}, None),
    ({"MCO_B__SEJ_TYP": "A"}, None),
    ({"MCO_B__ENT_MOD": "0", "MCO_B__SOR_MOD": "0"}, "service_for_another_hospital_by_mode"),
    ({"MCO_B__ENT_MOD": "8", "MCO_B__SOR_MOD": "0"}, None),
    ({"NIR_RET": "1"}, "return_code"),
    ({"COH_SEX_RET": "2"}, "return_code"),
    ({"NIR_RET": "0", "DAT_RET": "0"}, None),
    ({"NIR_ANO_17": "XXXXXXXXXXXXXXXXD"}, "dummy_identifier"),
    ({"ETA_NUM": "130780521"}, "doubled_hospital"),
    ({"ETA_NUM": "130780521", "period": "2018"}, None),
    ({}, None),
]
PERSONS = [({"BEN_CDI_NIR": "03"}, "uncertified_identifier"), ({"BEN_CDI_NIR": "00"}, None), ({}, None)]


@pytest.mark.parametrize(
    ("product", "category", "cases"),
    [("DCIR", "dcir_ccam_act", DCIR), ("MCO", "mco_hospital_stay", MCO), ("IR_BEN_R", None, PERSONS)],
    ids=["DCIR", "MCO", "IR_BEN_R"],
)
def test_each_filter_removes_its_rows_and_no_row_with_an_empty_cell(product, category, cases):
    filters = filters_of(product, category)
    kinds = {column: column_type(product, column) for column in columns_of(filters) - {PERIOD}} | {PERIOD: "VARCHAR"}
    usual = {"person_id": 1, "EXE_SOI_DTD": "2015-01-01", PERIOD: "2015", "ETA_NUM": "010000001"}
    told = [{"number": number, **dict.fromkeys(kinds), **usual, **cells} for number, (cells, _) in enumerate(cases)]
    typed = ", ".join(f"{column}::{kind} AS {column}" for column, kind in kinds.items())
    marked = query(
        f"SELECT number, {left_out_by(filters, CODELISTS)} AS rule FROM (SELECT number, {typed} FROM rows)",
        rows=pa.table({name: [row.get(name) for row in told] for name in ("number", *kinds)}),
    )
    found = {row["number"]: row["rule"] for row in marked.to_pylist()}
    assert [(cells, found[number]) for number, (cells, _) in enumerate(cases)] == cases
    assert {expected for _, expected in cases if expected} == {f.id for f in filters} - unseen(product)


def unseen(product):
    return {"no_person"} if product == "MCO" else set()


def test_medicines_are_not_filtered_as_acts_are():
    acts, medicines = ({f.id for f in filters_of("DCIR", name)} for name in ("dcir_ccam_act", "drug_purchase"))
    assert acts - medicines == {"public_hospital_activity", "flat_fee"}


def test_every_filter_says_why_and_on_whose_word():
    assert all(one.meaning and one.source for one in filter_table())
    assert len({one.id for one in filter_table()}) == len(filter_table())
