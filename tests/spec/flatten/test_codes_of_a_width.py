"""Codes that came as numbers or days are the texts that they stand for; a header within a file is no row."""

from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from flat_here import flatten_here, write_delivery
from sas_files import sas_table

from parcours.flatten.job import reading
from parcours.flatten.rows import read_rows
from parcours.flatten.scan import scan_blocks, scan_file
from parcours.snds.codes import code_of
from parcours.snds.contracts import load_product, load_table, table_names
from parcours.snds.delivery import load_delivery

KEYS = {"ETA_NUM": ["010780054"], "RSA_NUM": ["0000000001"]}


def rows_of(folder, table, **columns):
    """The rows of one file of MCO: of a Parquet file with these columns, or of the one that is there."""
    if columns:
        pq.write_table(pa.table(KEYS | columns), folder / "t.parquet")
    settings = {"name": "x", "tables": {table: {"files": "t.*", "year": 2015}}}
    (folder / "delivery.yaml").write_text(yaml.safe_dump(settings))
    delivery, product = load_delivery(folder), load_product("MCO")
    scan = scan_file(delivery.files[0], delivery, product)
    ((block, span),) = scan_blocks(scan, scan.spans, ";")
    return read_rows(block, reading(product, delivery, scan), scan.span_periods(span))


@pytest.mark.parametrize(
    "number",
    [
        pa.array([10780054]),
        pa.array([10780054.0]),
        pa.array([10780054], pa.uint32()),
        pa.array([Decimal(10780054)]),
        pa.array([Decimal("10780054.00")]),
        pa.array([10780054]).dictionary_encode(),
        pa.array(["10780054.0"]),
    ],
    ids=str,
)
def test_a_hospital_whose_number_lost_its_zero_is_that_hospital(tmp_path, number):
    read = rows_of(tmp_path, "MCO_D", ETA_NUM=number)
    assert read.tables["2015"]["ETA_NUM"].to_pylist() == ["010780054"]
    assert read.counts["2015"].canonical == {"ETA_NUM": 1}


@pytest.mark.parametrize(
    ("column", "delivered", "becomes"),
    [
        ("ENT_DAT", pa.array([1032015]), "01032015"),
        ("ENT_DAT", pa.array([date(2015, 3, 1)]), "01032015"),
        ("SOR_DAT", pa.array([datetime(2015, 3, 1)]), "01032015"),
        ("EXE_SOI_AMD", pa.array([date(2015, 3, 1)]), "201503"),
        ("EXE_SOI_AMD", pa.array([201503.0]), "201503"),
        ("SOR_MOI", pa.array([3], pa.int8()), "03"),
        ("SOR_ANN", pa.array([2015.0]), "2015"),
        ("SOR_ANN", pa.array(["2015.0"]), "2015"),
    ],
)
def test_a_number_or_a_day_is_written_as_its_code(tmp_path, column, delivered, becomes):
    read = rows_of(tmp_path, "MCO_C", **{column: delivered})
    assert read.tables["2015"][column].to_pylist() == [becomes]
    assert read.counts["2015"].canonical == {column: 1}


def test_an_instant_that_is_not_midnight_is_no_code_of_a_day(tmp_path):
    read = rows_of(tmp_path, "MCO_C", ENT_DAT=pa.array([datetime(2015, 3, 1, 23)]))
    assert [(reject["column"], reject["reason"]) for reject in read.rejects] == [("ENT_DAT", "is not a text")]


def test_a_text_keeps_the_width_that_it_came_with(tmp_path):
    read = rows_of(tmp_path, "MCO_C", ENT_DAT=pa.array(["1032015"]))
    assert (read.tables["2015"]["ENT_DAT"].to_pylist(), read.counts["2015"].canonical) == (["1032015"], {})


def test_codes_are_texts_of_their_contracts():
    found = [
        (column.type, code_of(column.name).width <= (column.length or 99))
        for name in table_names()
        for column in load_table(name).columns
        if code_of(column.name)
    ]
    assert set(found) == {("string", True)}


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "byte order mark"])
@pytest.mark.parametrize("spelling", [str.upper, str.lower])
def test_a_header_within_a_file_is_no_row(tmp_path, mark, spelling):
    """All columns of MCO_D are texts: two files that were put one behind the other would have it as a diagnosis."""
    names = "ETA_NUM;RSA_NUM;ASS_DGN"
    text = f"{names}\nH;1;I10\n{mark}{spelling(names)}\nH;2;I11\n"
    delivery = write_delivery(tmp_path / "d", {"MCO_B": (2015, "ETA_NUM;RSA_NUM\nH;1\nH;2\n"), "MCO_D": (2015, text)})
    flat = flatten_here(delivery, "MCO", tmp_path / "out", persons=False)
    assert [(line, reason) for _, line, _, reason, _ in flat.rejects()] == [(3, "is the header again")]
    assert flat.orphans("MCO_D", "ETA_NUM") == []


def test_a_sas_format_of_zeros_shows_them_in_each_row(tmp_path):
    forms = {"ETA_NUM": "Z9", "RSA_NUM": "$", "NEW_COLUMN": "Z3"}
    rows = [(10780054.0, "1", 7.0), (690780101.0, "2", -1.0), (10780054.0, "3", None), (10780054.0, "4", 1234.0)]
    (tmp_path / "t.sas7bdat").write_bytes(sas_table(forms, rows))
    read = rows_of(tmp_path, "MCO_D")
    table = read.tables["2015"]
    assert table["ETA_NUM"].to_pylist() == ["010780054", "690780101", "010780054", "010780054"]
    assert table["NEW_COLUMN"].to_pylist() == ["007", "-1", None, "1234"]
