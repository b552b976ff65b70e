"""SAS tables: the same flat rows as from the CSV file of the same table, or one sentence."""

import gzip
import random
from datetime import date, datetime
from pathlib import Path
from unittest import mock

import pyarrow.parquet as pq
import pytest
import yaml
from flat_here import KEY, flatten_here, key, write_delivery
from hypothesis import given, settings
from hypothesis import strategies as st
from sas_files import Missing, days, sas_of, sas_table, seconds

from parcours.errors import InputError
from parcours.flatten import engine, source
from parcours.flatten.sas import page_ranges, read_pages, sas_columns, survey_of
from parcours.flatten.scan import scan_file
from parcours.snds.contracts import load_product
from parcours.snds.delivery import load_delivery

FIXTURES = Path(__file__).parent / "sas"
PRS = f"{KEY};BEN_NIR_PSA;BEN_RNG_GEM;EXE_SOI_DTD;PRS_PAI_MNT\n"
PHA = f"{KEY};PHA_PRS_C13\n"
CAM = f"{KEY};CAM_PRS_IDE\n"


def claims(number):
    """Lines of two months, one a person; each has a pack, every third an act."""
    months = ("2016-01-01", "2016-02-01")
    keys = [key(line, months[line % 2]) for line in range(number)]
    return {
        "ER_PRS_F": PRS + "".join(f"{k};PSA{at};1;2016-01-{1 + at % 28:02d};{at}.25\n" for at, k in enumerate(keys)),
        "ER_PHA_F": PHA + "".join(f"{k};34009{at:08d}\n" for at, k in enumerate(keys)),
        "ER_CAM_F": CAM + "".join(f"{k};NZMA{at:03d}\n" for at, k in enumerate(keys[::3])),
    }


def stays(number):
    keys = [f"750712184;{88000 + at}" for at in range(number)]
    return {
        "MCO_B": "ETA_NUM;RSA_NUM;DGN_PAL;SEJ_NBJ\n" + "".join(f"{k};S72{at % 9};{at}\n" for at, k in enumerate(keys)),
        "MCO_C": "ETA_NUM;RSA_NUM;NIR_ANO_17;EXE_SOI_DTD\n"
        + "".join(f"{k};PSA{at};2016-03-0{1 + at % 9}\n" for at, k in enumerate(keys)),
    }


def deliver(folder, files, **settings):
    """A delivery of files: table -> bytes of a SAS table."""
    folder.mkdir(parents=True)
    for table, content in files.items():
        (folder / f"{table}.sas7bdat").write_bytes(content)
    entries = {table: {"files": f"{table}.sas7bdat", "year": "2016"} for table in files}
    (folder / "delivery.yaml").write_text(yaml.safe_dump({"name": "sas", "tables": entries, **settings}))
    return folder


def flat_rows(flat):
    """All rows of all flat files, whatever their order."""
    tables = [pq.read_table(path) for path in sorted(flat.folder.glob("*/flat/*.parquet"))]
    return sorted((repr(sorted(row.items())) for table in tables for row in table.to_pylist()), key=str)


FORMS = pytest.mark.parametrize(
    "form",
    [{}, {"compressed": True}, {"wide": False}, {"compressed": True, "wide": False}, {"dates": "DATETIME20"}],
    ids=["64 bits", "compressed", "32 bits", "compressed 32 bits", "datetimes"],
)


@FORMS
@pytest.mark.parametrize(("product", "tables"), [("DCIR", claims(400)), ("MCO", stays(400))], ids=["DCIR", "MCO"])
def test_flat_rows_are_those_of_the_csv_files(tmp_path, product, tables, form):
    lines = write_delivery(tmp_path / "csv", {table: ("2016", text) for table, text in tables.items()})
    pages = deliver(tmp_path / "sas", {table: sas_of(text, table, **form) for table, text in tables.items()})
    expected = flatten_here(lines, product, tmp_path / "one")
    # One page a block, a few pages a task: flat_here also compares the one task with the shuffled ones.
    with mock.patch.object(source, "BLOCK", 150), mock.patch.object(engine, "TASK_BYTES", 20_000):
        found = flatten_here(pages, product, tmp_path / "other")
    assert flat_rows(found) == flat_rows(expected) != []
    for period, summary in expected.summaries.items():
        assert found.summaries[period]["rows"] == summary["rows"]
        assert found.summaries[period]["amounts"] == summary["amounts"]


def test_a_table_is_cut_into_spans_of_pages_that_hold_all_its_rows_once(tmp_path):
    folder = deliver(tmp_path / "d", {"ER_PRS_F": sas_of(claims(2000)["ER_PRS_F"], "ER_PRS_F")})
    delivery = load_delivery(folder)
    with mock.patch.object(source, "BLOCK", 40_000):
        scan = scan_file(delivery.files[0], delivery, load_product("DCIR"))
    assert scan.splittable
    assert len(scan.spans) > 5
    assert [span.first_line for span in scan.spans] == [
        1 + sum(span.lines for span in scan.spans[:at]) for at in range(len(scan.spans))
    ]
    assert scan.periods == {"2016-01": 1000, "2016-02": 1000}


# --- values ------------------------------------------------------------------------------------------------------


def read(content, path, block=1):
    """All rows of a table, page by page, as rows."""
    path.write_bytes(content)
    found = survey_of(path)
    columns = sas_columns(path, found.frame)
    parts = [read_pages(path, found.frame, pages) for pages in page_ranges(found, columns.width, block)]
    return [row for part in parts for row in part.to_pylist()]


def column(path, form, *values):
    """What one column of a table becomes."""
    content = sas_table({"A": form, "B": "$"}, [(value, "x") for value in values])
    return [row["A"] for row in read(content, path / "a.sas7bdat")]


@pytest.mark.parametrize(
    ("form", "value", "becomes"),
    [
        ("", 3400930000001, 3400930000001),
        ("", 2**53, 2**53),
        ("", -7, -7),
        ("BEST12", 12.25, 12.25),
        ("Z13", 1, 1),
        ("", None, None),
        ("", Missing("A"), None),
        ("", Missing("Z"), None),
        ("", Missing("_"), None),
        ("DATE9", date(2016, 2, 29), date(2016, 2, 29)),
        ("DDMMYY10", date(1600, 1, 1), date(1600, 1, 1)),
        ("YYMMDDN8", date(1, 1, 1), date(1, 1, 1)),
        ("E8601DA10", date(9999, 12, 31), date(9999, 12, 31)),
        ("DATE9", Missing("B"), None),
        ("DATE9", days(date(2016, 2, 29)) + 0.5, datetime(2016, 2, 29, 12)),
        ("DATE9", 1e9, "number 1000000000"),
        ("DATETIME20", datetime(2016, 2, 29), datetime(2016, 2, 29)),
        ("DATETIME20", datetime(2016, 2, 29, 13, 45), datetime(2016, 2, 29, 13, 45)),
        ("E8601DT19", datetime(1600, 1, 1), datetime(1600, 1, 1)),
        ("DTDATE9", datetime(2016, 2, 29), datetime(2016, 2, 29)),
        ("DATETIME20", None, None),
        ("$", "N02BE01", "N02BE01"),
        ("$", "  padded  ", "  padded"),
        ("$", "paracétamol", "paracétamol"),
        ("$", "", ""),
        ("$DATE9", "2016", "2016"),
    ],
)
def test_one_value(tmp_path, form, value, becomes):
    assert column(tmp_path, form, value) == [becomes]


def test_a_number_of_no_calendar_is_rejected_and_its_neighbours_are_days(tmp_path):
    found = column(tmp_path, "DATETIME20", datetime(2016, 2, 29), 1e15, None)
    assert found == ["2016-02-29 00:00:00", "number 1e+15", None]


@settings(deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.none() | st.integers(-(2**53), 2**53),
            st.none() | st.floats(-1e12, 1e12).filter(lambda x: x != int(x)),
            st.none() | st.dates(),
            st.text(st.characters(codec="utf-8", exclude_categories=("C",)), max_size=20),
        ),
        min_size=1,
        max_size=60,
    ),
    compressed=st.booleans(),
    wide=st.booleans(),
    block=st.sampled_from([1, 9000]),
)
def test_any_table_is_read_as_it_was_written(tmp_path_factory, rows, compressed, wide, block):
    columns = {"N": "", "X": "", "D": "DATE9", "T": "$"}
    content = sas_table(columns, rows, compressed=compressed, wide=wide)
    found = read(content, tmp_path_factory.mktemp("sas") / "a.sas7bdat", block)
    read_back = [(row["N"], row["X"], row["D"], row["T"]) for row in found]
    assert read_back == [(n, x, d, text.rstrip(" ")) for n, x, d, text in rows]


# --- one sentence ------------------------------------------------------------------------------------------------


def refused(tmp_path, files, product, **settings):
    folder = deliver(tmp_path / "d", files, **settings)
    with pytest.raises(InputError) as told:
        flatten_here(folder, product, tmp_path / "out")
    return str(told.value)


def packs(form, value):
    return sas_table({"PHA_CIP_C13": "", "PHA_DTD_ALM": form}, [(3400930000001, value)])


def test_a_bare_number_is_no_date(tmp_path):
    told = refused(tmp_path, {"IR_PHA_R": packs("", 20468)}, "IR_PHA_R")
    assert "column PHA_DTD_ALM is a date in the contract of IR_PHA_R and a number without a format of dates" in told


def test_a_bare_number_without_a_value_is_nothing(tmp_path):
    flat = flatten_here(deliver(tmp_path / "d", {"IR_PHA_R": packs("", None)}), "IR_PHA_R", tmp_path / "out")
    assert flat.rows("PHA_CIP_C13", "PHA_DTD_ALM") == [(3400930000001, None)]


def test_a_bare_number_is_a_date_where_the_delivery_writes_dates_so(tmp_path):
    folder = deliver(tmp_path / "d", {"IR_PHA_R": packs("", 20160115)}, date_formats=["%Y%m%d"])
    flat = flatten_here(folder, "IR_PHA_R", tmp_path / "out")
    assert flat.rows("PHA_DTD_ALM") == [(date(2016, 1, 15),)]


def test_instants_that_are_not_midnight_need_a_zone(tmp_path):
    files = {"IR_PHA_R": packs("DATETIME20", datetime(2016, 1, 15, 23, 30))}
    told = refused(tmp_path, files, "IR_PHA_R")
    assert "column PHA_DTD_ALM of IR_PHA_R holds instants that are not midnight; write `time_zone:`" in told
    zoned = deliver(tmp_path / "zoned", files, time_zone="UTC")
    assert flatten_here(zoned, "IR_PHA_R", tmp_path / "other").rows("PHA_DTD_ALM") == [(date(2016, 1, 15),)]


def test_names_in_another_case_and_numbers_that_are_codes(tmp_path):
    """A decimal among the codes makes the whole column one of floats; none is written as 3.4E12."""
    content = sas_table({"pha_cip_c13": "", "Pha_Atc_C07": ""}, [(1, 3400930000012), (2, 0.5), (3, None)])
    flat = flatten_here(deliver(tmp_path / "d", {"IR_PHA_R": content}), "IR_PHA_R", tmp_path / "out")
    assert flat.rows("PHA_CIP_C13", "PHA_ATC_C07") == [(1, "3400930000012"), (2, "0.5"), (3, None)]
    assert flat.summaries["all"]["drift"]["IR_PHA_R"]["unknown"] == []


def test_a_table_without_its_key(tmp_path):
    told = refused(tmp_path, {"IR_PHA_R": sas_table({"PHA_ATC_C07": "$"}, [("N02BE01",)])}, "IR_PHA_R")
    assert "there is no column PHA_CIP_C13, which is a key of IR_PHA_R" in told


@pytest.mark.parametrize("form", ["MONYY7", "YYMMN6", "YEAR4", "TIME8", "HHMM5"])
def test_a_format_that_shows_a_part_of_the_value_is_refused(tmp_path, form):
    told = refused(tmp_path, {"IR_PHA_R": packs(form, 20468)}, "IR_PHA_R")
    assert f"column 2 has the format {form}, which shows a part" in told


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("pha_cip_c13", "columns 1 and 2 of the header have one name"),
        ("PHA_CIP_C13", "two columns have one name"),
    ],
)
def test_two_sas_columns_one_name_in_any_case(tmp_path, name, sentence):
    content = sas_table({"PHA_CIP_C13": "", "PHA_CIP_C14": ""}, [(1, 2)]).replace(b"PHA_CIP_C14", name.encode())
    assert sentence in refused(tmp_path, {"IR_PHA_R": content}, "IR_PHA_R")


def test_a_compressed_file_of_a_table(tmp_path):
    folder = deliver(tmp_path / "d", {"IR_PHA_R": packs("DATE9", 1)})
    (folder / "IR_PHA_R.sas7bdat").rename(folder / "IR_PHA_R.sas7bdat.gz")
    (folder / "delivery.yaml").write_text("tables: {IR_PHA_R: {files: IR_PHA_R.sas7bdat.gz}}\n")
    with pytest.raises(InputError, match=r"is a compressed table; deliver IR_PHA_R.sas7bdat itself, decompressed"):
        flatten_here(folder, "IR_PHA_R", tmp_path / "out")


WHOLE = sas_of(claims(300)["ER_PHA_F"], "ER_PHA_F")


@pytest.mark.parametrize("size", [0, 1, 100, 1024, 4096, 8192, len(WHOLE) - 4096, len(WHOLE) - 1])
def test_a_table_that_is_cut_short(tmp_path, size):
    told = refused(tmp_path, {"ER_PRS_F": WHOLE[:size]}, "DCIR")
    assert "cannot be read as a SAS table (it is n" in told
    assert "deliver it again" in told


def test_a_table_without_its_last_page_that_says_so(tmp_path):
    """A head that was mended to the length of the file does not hide the rows that are missing."""
    path = tmp_path / "a.sas7bdat"
    path.write_bytes(WHOLE)
    layout = survey_of(path).layout
    path.write_bytes(layout.header_of(layout.pages - 1) + WHOLE[len(layout.header) : -layout.page_size])
    with pytest.raises(InputError, match="its pages do not hold as many rows as it says"):
        survey_of(path)


def test_deleted_rows_are_not_read_as_rows(tmp_path):
    path = tmp_path / "a.sas7bdat"
    path.write_bytes(WHOLE)
    layout = survey_of(path).layout
    spoiled = bytearray(WHOLE)
    spoiled[layout.start(layout.pages - 1) + 32] |= 0x80
    path.write_bytes(spoiled)
    with pytest.raises(InputError, match="holds rows that were deleted; copy it with a DATA step"):
        survey_of(path)


def test_texts_that_are_not_of_the_stated_encoding(tmp_path):
    content = sas_table({"PHA_CIP_C13": "", "PHA_NOM_PA": "$"}, [(1, "paracétamol")])
    spoiled = content.replace("é".encode(), b"\xe9x")
    told = refused(tmp_path, {"IR_PHA_R": spoiled}, "IR_PHA_R")
    assert "a text of it is not of the encoding that it states" in told
    assert "parac" not in told


def test_no_row(tmp_path):
    flat = flatten_here(
        deliver(tmp_path / "d", {"IR_PHA_R": sas_table({"PHA_CIP_C13": "", "PHA_NOM_PA": "$"}, [])}),
        "IR_PHA_R",
        tmp_path / "out",
    )
    assert flat.rows("PHA_CIP_C13") == []
    assert list(flat.summaries) == ["all"]


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_table_is_read_or_refused(tmp_path, seed):
    """No other error, and never fewer rows than the pages hold."""
    rng, spoiled = random.Random(seed), bytearray(WHOLE)
    for _ in range(rng.choice((1, 3, 20))):
        spoiled[rng.randrange(2 * 8192)] ^= 1 << rng.randrange(8)
    try:
        found = read(bytes(spoiled), tmp_path / "a.sas7bdat")
    except InputError as told:
        assert "cannot be read as a SAS table" in str(told)
    else:
        assert len(found) == 300


# --- files of other writers --------------------------------------------------------------------------------------


def test_a_table_that_sas_wrote(tmp_path):
    """150 rows on one page that also describes the columns, in Windows-1252, 32 bits."""
    content = gzip.decompress((FIXTURES / "written_by_sas.sas7bdat.gz").read_bytes())
    found = read(content, tmp_path / "iris.sas7bdat")
    assert len(found) == 150
    assert found[149:] == [
        {"Sepal_Length": 5.9, "Sepal_Width": 3.0, "Petal_Length": 5.1, "Petal_Width": 1.8, "Species": "virgin"}
    ]


def test_a_reference_that_haven_wrote(tmp_path):
    folder = deliver(tmp_path / "d", {"IR_PHA_R": (FIXTURES / "haven.sas7bdat").read_bytes()})
    flat = flatten_here(folder, "IR_PHA_R", tmp_path / "out")
    assert flat.rows("PHA_CIP_C13", "PHA_ATC_C07", "PHA_NOM_PA", "PHA_DTD_ALM") == [
        (3400930000001, "N02BE01", "paracétamol", date(2001, 5, 11)),
        (3400936512345, "B01AC06", "acétylsalicylique", None),
        (3400937777777, None, None, None),
        (3400938888888, "J01CA04", "amoxicilline", date(2016, 2, 29)),
    ]
    assert flat.summaries["all"]["sentinels"] == {"IR_PHA_R": {"PHA_DTD_ALM": 1}}


def test_seconds_and_days_are_counted_from_1960():
    assert (days(date(1960, 1, 1)), days(date(2016, 1, 15))) == (0, 20468)
    assert seconds(datetime(2016, 1, 15)) == 20468 * 86400
