"""Small raw tables in, flat tables out: what each rule of the flat tables means."""

import hashlib
from datetime import date
from unittest import mock

import pytest
from flat_here import KEY, flatten_here, key, write_delivery

from parcours.errors import InputError
from parcours.flatten import engine

PRS = f"{KEY};BEN_NIR_PSA;BEN_RNG_GEM;EXE_SOI_DTD;PRS_PAI_MNT\n"
PHA = f"{KEY};PHA_PRS_C13\n"
CAM = f"{KEY};CAM_PRS_IDE\n"
REF = "BEN_NIR_PSA;BEN_RNG_GEM;BEN_IDT_ANO;BEN_DTE_MAJ\n"


def person(text):
    return int.from_bytes(hashlib.md5(text.encode()).digest()[:8], "big") >> 1


def test_a_claim_line_with_two_packs_and_two_acts_gives_their_four_combinations(tmp_path):
    delivery = write_delivery(
        tmp_path / "d",
        {
            "ER_PRS_F": PRS + f"{key(1)};ANNE;1;2016-01-03;10.5\n{key(2)};BOB;1;2016-01-04;2\n",
            "ER_PHA_F": PHA + f"{key(1)};3400900000002\n{key(1)};3400900000001\n",
            "ER_CAM_F": CAM + f"{key(1)};NZMA001\n{key(1)};MBCA001\n",
        },
    )
    flat = flatten_here(delivery, "DCIR", tmp_path / "out")
    assert flat.rows("DCT_ORD_NUM", "ER_PHA_F__PHA_PRS_C13", "ER_CAM_F__CAM_PRS_IDE", "claim_row") == [
        (1, 3400900000001, "MBCA001", 1),
        (1, 3400900000001, "NZMA001", 2),
        (1, 3400900000002, "MBCA001", 3),
        (1, 3400900000002, "NZMA001", 4),
        (2, None, None, 1),
    ]
    # The amount of a line counts once, however many rows it became.
    assert flat.summaries["2016-01"]["amounts"]["PRS_PAI_MNT"] == {"source": 12.5, "flat": 12.5}


def test_a_large_reference_has_the_same_files_whether_one_task_wrote_it_or_many(tmp_path):
    lines = "".join(f"PSA{number};1;ID{number};2016-01-01\n" for number in range(40))
    delivery = write_delivery(tmp_path / "d", {"IR_BEN_R": REF + lines})
    with mock.patch.multiple(engine, REFERENCE_BYTES=200):
        flat = flatten_here(delivery, "IR_BEN_R", tmp_path / "out")  # by both plans, and compares them
    files = [file["path"] for file in flat.summaries["all"]["files"] if file["rows"]]
    assert (len(files) > 3, len(flat.rows("BEN_NIR_PSA"))) == (True, 40)


@pytest.mark.parametrize("name", ["person_id", "claim_row", "source_table"])
def test_a_column_named_as_one_that_flattening_adds_is_refused(tmp_path, name):
    delivery = write_delivery(tmp_path / "d", {"IR_BEN_R": f"{REF[:-1]};{name}\nANNE;1;ID-A;2016-01-01;7\n"})
    with pytest.raises(InputError, match=f"column 5 is named {name}, as a column that flattening adds; rename it"):
        flatten_here(delivery, "IR_BEN_R", tmp_path / "out")


def test_equal_packs_are_numbered_like_any_others(tmp_path):
    delivery = write_delivery(
        tmp_path / "d",
        {
            "ER_PRS_F": PRS + f"{key(1)};ANNE;1;2016-01-03;1\n",
            "ER_PHA_F": PHA + f"{key(1)};34\n{key(1)};34\n",
            "ER_CAM_F": CAM + f"{key(1)};B\n{key(1)};A\n",
        },
    )
    flat = flatten_here(delivery, "DCIR", tmp_path / "out")
    assert flat.rows("claim_row", "ER_PHA_F__PHA_PRS_C13", "ER_CAM_F__CAM_PRS_IDE") == [
        (1, 34, "A"), (2, 34, "A"), (3, 34, "B"), (4, 34, "B"),
    ]  # fmt: skip


def test_two_main_rows_of_one_key_both_keep_their_children(tmp_path):
    delivery = write_delivery(
        tmp_path / "d",
        {
            "ER_PRS_F": PRS + f"{key(1)};ANNE;1;2016-01-03;1\n{key(1)};ANNE;1;2016-01-03;7\n",
            "ER_PHA_F": PHA + f"{key(1)};34\n",
        },
    )
    flat = flatten_here(delivery, "DCIR", tmp_path / "out")
    assert flat.rows("PRS_PAI_MNT", "ER_PHA_F__PHA_PRS_C13", "claim_row") == [(1.0, 34, 1), (7.0, 34, 1)]
    assert flat.summaries["2016-01"]["rows"]["joined"] == {"ER_PRS_F": 2, "ER_PHA_F": 1}


def test_a_detail_without_its_line_is_kept_as_an_orphan_of_its_own_month(tmp_path):
    delivery = write_delivery(
        tmp_path / "d",
        {
            "ER_PRS_F": PRS + f"{key(1)};ANNE;1;2016-01-03;1\n",
            "ER_PHA_F": PHA + f"{key(1)};34\n{key(9)};35\n{key(1, '2016-02-01')};36\n",
        },
    )
    flat = flatten_here(delivery, "DCIR", tmp_path / "out")
    assert flat.orphans("ER_PHA_F", "FLX_DIS_DTD", "PHA_PRS_C13") == [
        (date(2016, 1, 1), 35), (date(2016, 2, 1), 36),
    ]  # fmt: skip
    assert flat.summaries["2016-01"]["rows"]["orphaned"]["ER_PHA_F"] == 1
    assert flat.summaries["2016-02"]["rows"]["orphaned"]["ER_PHA_F"] == 1


def test_rows_that_cannot_be_read_are_rejected_whole_with_their_line(tmp_path):
    lines = [
        f"{key(1)};ANNE;1;2016-01-03;1",
        f"{key(2)};BOB;1;the third;1",
        f"{key(3)};CARL;1;2016-01-03",
        "",
        f"{key(4)};DORA;x;2016-01-03;1",
        f"{key(5)};EVE;1;2016-01-03;abc",
        f"{key('')};FAY;1;2016-01-03;2",
    ]
    delivery = write_delivery(tmp_path / "d", {"ER_PRS_F": PRS + "\r\n".join(lines)})
    flat = flatten_here(delivery, "DCIR", tmp_path / "out")
    assert flat.rows("BEN_NIR_PSA") == [("ANNE",)]
    assert [(line, column, reason) for _, line, column, reason, _ in flat.rejects()] == [
        (3, "EXE_SOI_DTD", "is not a date in the formats of the delivery"),
        (4, None, "12 fields where the header has 13"),
        (6, "BEN_RNG_GEM", "is not an integer"),
        (7, "PRS_PAI_MNT", "is not a decimal number (with a point)"),
        (8, "DCT_ORD_NUM", "the key is empty"),
    ]
    assert flat.rejects()[1][4] == lines[2]


def test_a_row_without_a_readable_month_is_of_unknown_period_unless_its_file_has_one_month(tmp_path):
    bad = f"{key(2, 'soon')};BOB;1;2016-01-03;1\n"
    january, february = f"{key(1)};A;1;2016-01-03;1\n", f"{key(3, '2016-02-01')};C;1;2016-01-03;1\n"
    one = write_delivery(tmp_path / "one", {"ER_PRS_F": PRS + january + bad})
    two = write_delivery(tmp_path / "two", {"ER_PRS_F": PRS + january + bad + february})
    assert set(flatten_here(one, "DCIR", tmp_path / "o1").summaries) == {"2016-01"}
    flat = flatten_here(two, "DCIR", tmp_path / "o2")
    assert {period: summary["rows"]["rejected"]["ER_PRS_F"] for period, summary in flat.summaries.items()} == {
        "2016-01": 0, "2016-02": 0, "unknown": 1,
    }  # fmt: skip


def test_unknown_columns_stay_missing_ones_are_null_and_both_are_drift(tmp_path):
    delivery = write_delivery(
        tmp_path / "d",
        {
            "ER_PRS_F": PRS.replace("PRS_PAI_MNT", "NEW_COLUMN") + f"{key(1)};ANNE;1;2016-01-03;12\n",
        },
    )
    flat = flatten_here(delivery, "DCIR", tmp_path / "out")
    assert flat.rows("NEW_COLUMN", "PRS_PAI_MNT") == [("12", None)]
    drift = flat.summaries["2016-01"]["drift"]["ER_PRS_F"]
    assert drift["unknown"] == ["NEW_COLUMN"]
    assert "PRS_PAI_MNT" in drift["missing"]


def test_one_person_has_one_number_whatever_the_psa(tmp_path):
    delivery = write_delivery(tmp_path / "d", {
        # Anne changed her PSA; Bob and Carl share one, by rank; Dora's IDT came with a later row; Eve has none.
        "IR_BEN_R": REF + "ANNE;1;ID-A;2015-01-01\nANNE-NEW;1;ID-A;2016-01-01\nTWIN;1;ID-B;2015-01-01\n"
        "TWIN;2;ID-C;2015-01-01\nDORA;1;OLD;2014-01-01\nDORA;1;ID-D;2016-01-01\nEVE;1;;2015-01-01\n",
        "ER_PRS_F": PRS + "".join(
            f"{key(n)};{psa};{rank};2016-01-03;1\n"
            for n, (psa, rank) in enumerate([
                ("ANNE", 1), ("ANNE-NEW", 1), ("TWIN", 1), ("TWIN", 2), ("DORA", 1), ("EVE", 1), ("FRED", 2),
                ("", 1),
            ])
        ),
        "MCO_B": (2016, "ETA_NUM;RSA_NUM\n1;1\n1;2\n1;3\n1;4\n"),
        "MCO_C": (2016, "ETA_NUM;RSA_NUM;NIR_ANO_17\n1;1;ANNE\n1;2;TWIN\n1;3;GUS\n1;4;\n"),
        "MCO_D": (2016, "ETA_NUM;RSA_NUM;ASS_DGN\n"),
    })  # fmt: skip
    claims = flatten_here(delivery, "DCIR", tmp_path / "claims").rows("DCT_ORD_NUM", "person_id")
    expected = ["ID-A", "ID-A", "ID-B", "ID-C", "ID-D", "EVE|1", "FRED|2"]
    assert claims == [*((n, person(text)) for n, text in enumerate(expected)), (7, None)]
    stays = flatten_here(delivery, "MCO", tmp_path / "stays")
    assert stays.rows("RSA_NUM", "person_id") == [
        ("1", person("ID-A")), ("2", None), ("3", person("GUS|1")), ("4", None),
    ]  # fmt: skip
    assert stays.summaries["2016"]["unidentified"] == 2


def test_persons_of_the_archive_are_known_and_the_referential_goes_before_it(tmp_path):
    delivery = write_delivery(tmp_path / "d", {
        "IR_BEN_R": REF + "ANNE;1;ID-A;2014-01-01\nTWIN;1;ID-B;2014-01-01\n",
        "IR_BEN_R_ARC": REF + "ANNE;1;OLD;2019-01-01\nTWIN;2;ID-C;2012-01-01\nDORA;1;ID-D;2012-01-01\n",
        "MCO_B": (2016, "ETA_NUM;RSA_NUM\n1;1\n1;2\n1;3\n"),
        "MCO_C": (2016, "ETA_NUM;RSA_NUM;NIR_ANO_17\n1;1;ANNE\n1;2;TWIN\n1;3;DORA\n"),
        "MCO_D": (2016, "ETA_NUM;RSA_NUM;ASS_DGN\n"),
    })  # fmt: skip
    stays = flatten_here(delivery, "MCO", tmp_path / "stays")
    assert stays.rows("RSA_NUM", "person_id") == [("1", person("ID-A")), ("2", None), ("3", person("ID-D"))]


def test_a_text_in_the_place_of_an_identifier_is_nobody(tmp_path):
    names = ["xxxxxxxxxxxxxxxxx", "XXXXXXXXXXXXXXXXD", "XXXXXXXXXXXXXXXXS", "ANNE"]
    delivery = write_delivery(tmp_path / "d", {
        "MCO_B": (2016, "ETA_NUM;RSA_NUM\n" + "".join(f"1;{n}\n" for n in range(4))),
        "MCO_C": (2016, "ETA_NUM;RSA_NUM;NIR_ANO_17\n" + "".join(f"1;{n};{name}\n" for n, name in enumerate(names))),
        "MCO_D": (2016, "ETA_NUM;RSA_NUM;ASS_DGN\n"),
    })  # fmt: skip
    stays = flatten_here(delivery, "MCO", tmp_path / "stays")
    assert stays.rows("NIR_ANO_17", "person_id", pattern="*/flat/unidentified.parquet") == [
        (name, None) for name in sorted(names[:3])
    ]
    assert stays.summaries["2016"]["unidentified"] == 3
    assert stays.rows("person_id", pattern="*/flat/[0-9]*.parquet") == [(person("ANNE|1"),)]


def test_where_one_column_is_the_person_it_is_taken_as_it_is(tmp_path):
    delivery = write_delivery(
        tmp_path / "d",
        {"ER_PRS_F": f"{KEY};NUM_ENQ;EXE_SOI_DTD\n{key(1)};ANNE;2016-01-03\n"},
        person={"column": "NUM_ENQ"},
    )
    flat = flatten_here(delivery, "DCIR", tmp_path / "out")
    assert flat.rows("NUM_ENQ", "person_id") == [("ANNE", person("ANNE"))]
    assert flat.summaries["2016-01"]["drift"]["ER_PRS_F"]["unknown"] == []


def test_a_stay_gives_one_row_for_each_act_and_each_diagnosis(tmp_path):
    delivery = write_delivery(
        tmp_path / "d",
        {
            "MCO_B": (2016, "ETA_NUM;RSA_NUM;DGN_PAL;SEJ_NBJ\n75;1;S720;4\n75;2;I10;1\n"),
            "MCO_C": (2016, "ETA_NUM;RSA_NUM;NIR_ANO_17;EXE_SOI_DTD\n75;1;ANNE;2016-03-01\n"),
            "MCO_A": (2016, "ETA_NUM;RSA_NUM;CDC_ACT\n75;1;NEKA020\n75;1;NEKA010\n"),
            "MCO_D": (2016, "ETA_NUM;RSA_NUM;ASS_DGN\n75;1;E119\n75;8;J18\n"),
        },
    )
    flat = flatten_here(delivery, "MCO", tmp_path / "out")
    columns = ("RSA_NUM", "claim_row", "source_table", "MCO_B__DGN_PAL", "MCO_A__CDC_ACT", "MCO_D__ASS_DGN")
    assert flat.rows(*columns) == [
        ("1", 1, "MCO_A", "S720", "NEKA010", None),
        ("1", 2, "MCO_A", "S720", "NEKA020", None),
        ("1", 3, "MCO_D", "S720", None, "E119"),
        ("2", 1, "MCO_A", "I10", None, None),
        ("2", 2, "MCO_D", "I10", None, None),
    ]
    assert flat.rows("RSA_NUM", "EXE_SOI_DTD")[0] == ("1", date(2016, 3, 1))
    assert flat.orphans("MCO_D", "RSA_NUM", "ASS_DGN") == [("8", "J18")]
    assert flat.summaries["2016"]["amounts"]["SEJ_NBJ"] == {"source": 5.0, "flat": 5.0}


def test_a_type_that_changed_with_the_year_is_read_as_that_year_declares_it(tmp_path):
    acts = "ETA_NUM;RSA_NUM;CDC_ACT;ENT_DAT_DEL\n75;1;NEKA020;{}\n"
    delivery = write_delivery(
        tmp_path / "d",
        {
            "MCO_B": [(2010, "ETA_NUM;RSA_NUM\n75;1\n"), (2011, "ETA_NUM;RSA_NUM\n75;1\n")],
            "MCO_C": [(2010, "ETA_NUM;RSA_NUM\n75;1\n"), (2011, "ETA_NUM;RSA_NUM\n75;1\n")],
            "MCO_A": [(2010, acts.format("1  ")), (2011, acts.format("1"))],
        },
    )
    flat = flatten_here(delivery, "MCO", tmp_path / "out")
    assert flat.rows("MCO_A__ENT_DAT_DEL", pattern="2010/flat/*.parquet") == [("1",)]
    assert flat.rows("MCO_A__ENT_DAT_DEL", pattern="2011/flat/*.parquet") == [(1,)]


@pytest.mark.parametrize("ending", ["csv.gz", "csv.zst", "parquet"])
def test_other_file_forms_give_the_same_rows(tmp_path, ending):
    import gzip

    import pyarrow as pa
    import pyarrow.parquet as pq
    import zstandard

    text = PRS + f"{key(1)};ANNE;1;2016-01-03;10.5\n{key(2)};BOB;1;not a day;2\n"
    delivery = write_delivery(tmp_path / "d", {"ER_PRS_F": text})
    expected = flatten_here(delivery, "DCIR", tmp_path / "plain")
    other = delivery / f"ER_PRS_F_0.{ending}"
    if ending == "csv.gz":
        other.write_bytes(gzip.compress(text.encode()))
    elif ending == "csv.zst":
        other.write_bytes(zstandard.compress(text.encode()))
    else:
        header, *lines = [line.split(";") for line in text.strip().split("\n")]
        table = pa.table({name: [line[at] for line in lines] for at, name in enumerate(header)})
        amount = table.schema.get_field_index("PRS_PAI_MNT")
        table = table.set_column(amount, "PRS_PAI_MNT", table["PRS_PAI_MNT"].cast(pa.float64()))
        pq.write_table(table, other)
    (delivery / "delivery.yaml").write_text(f"name: x\ntables:\n  ER_PRS_F: {{files: {other.name}}}\n")
    flat = flatten_here(delivery, "DCIR", tmp_path / "out")
    columns = ("DCT_ORD_NUM", "BEN_NIR_PSA", "EXE_SOI_DTD", "PRS_PAI_MNT", "person_id")
    assert flat.rows(*columns) == expected.rows(*columns)
    assert len(flat.rejects()) == len(expected.rejects()) == 1


def test_latin_1_byte_order_marks_and_quotes(tmp_path):
    text = f'"{KEY.replace(";", chr(34) + ";" + chr(34))}";"BEN_NIR_PSA";"EXE_SOI_DTD"\r\n'
    latin = write_delivery(
        tmp_path / "latin", {"ER_PRS_F": (text + f'{key(1)};"ÉVE;\nA";2016-01-03\r\n').encode("latin-1")},
        encoding="latin-1",
    )  # fmt: skip
    assert flatten_here(latin, "DCIR", tmp_path / "o1").rows("BEN_NIR_PSA") == [("ÉVE;\nA",)]
    marked = write_delivery(
        tmp_path / "bom",
        {"ER_PRS_F": b"\xef\xbb\xbf" + (text + f"{key(1)};ÉVE;2016-01-03\r\n{key(2)};\u00e9;2016-01-03").encode()},
    )
    assert flatten_here(marked, "DCIR", tmp_path / "o2").rows("BEN_NIR_PSA") == [("ÉVE",), ("é",)]
    broken = write_delivery(
        tmp_path / "broken",
        {
            "ER_PRS_F": text.encode()
            + f"{key(1)};A;2016-01-03\n".encode()
            + f"{key(2)};\xe9;2016-01-03\n".encode("latin-1")
        },
    )
    flat = flatten_here(broken, "DCIR", tmp_path / "o3")
    assert flat.rows("BEN_NIR_PSA") == [("A",)]
    assert [(line, reason) for _, line, _, reason, _ in flat.rejects()] == [(3, "holds bytes that are not utf-8")]


def test_sentinel_dates_become_null_and_are_counted(tmp_path):
    delivery = write_delivery(
        tmp_path / "d",
        {
            "ER_PRS_F": PRS + f"{key(1)};A;1;0001-01-01;1\n{key(2)};B;1;01/01/1600;1\n{key(3)};C;1;2016-01-02;1\n",
        },
    )
    flat = flatten_here(delivery, "DCIR", tmp_path / "out")
    assert flat.rows("EXE_SOI_DTD") == [(None,), (None,), (date(2016, 1, 2),)]
    assert flat.summaries["2016-01"]["sentinels"] == {"ER_PRS_F": {"EXE_SOI_DTD": 2}}
