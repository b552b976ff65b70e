"""References of persons: each row is given to its person, and becomes events of that person's bucket."""

from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from parcours.engine.work import run_work
from parcours.errors import InputError
from parcours.events.extraction import LinkedPass
from parcours.events.extractors import extractors, passes
from parcours.events.linked import NOBODY, Linking, LinkingRows
from parcours.snds.identity import build_identity, person_id
from parcours.snds.person_columns import PersonColumns
from parcours.storage.manifest import write_json

CODELISTS, BUCKETS = Path(__file__).parents[3] / "codelists", 4
PSA = PersonColumns("BEN_NIR_PSA", "BEN_RNG_GEM")
REFERENTIAL = """
    BEN_NIR_PSA | BEN_RNG_GEM | BEN_IDT_ANO | BEN_NIR_ANO
    a           | 1           | IDT1        | NIR1
    a2          | 1           | IDT1        | NIR1
    b           | 1           | IDT2        | NIR2
    twins       | 1           | IDT3        | NIR3
    twins       | 2           | IDT4        | NIR4
"""
TYPES = {"BEN_RNG_GEM": pa.int64(), "IMB_ETM_NAT": pa.int64(), "DCD_IDT_TOP": pa.int64()}


def written(folder: Path, product: str, text: str) -> Path:
    """A flat reference, of text."""
    path = folder / "flat" / product / "period=all/0.parquet"
    path.parent.mkdir(parents=True)
    header, *lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    columns = {
        name: pa.array([None if line[n] == "-" else line[n] for line in lines], pa.string()).cast(
            TYPES.get(name, pa.date32() if name.endswith(("_DTD", "_DTF", "_DTE")) else pa.string())
        )
        for n, name in enumerate(header)
    }
    pq.write_table(pa.table(columns), path)
    return path


def events_in(folder: Path, product: str, text: str, category: str) -> tuple[list[tuple], dict[str, int]]:
    """(bucket, person, code, start) of each event of a reference, and its counts."""
    referential = written(folder, "IR_BEN_R", REFERENTIAL)
    identity = build_identity({"IR_BEN_R": [pq.read_table(referential)]}, PSA, folder / "identity")
    write_json(folder / "identity/_MANIFEST.json", {"mapping": identity.mapping})
    files = {"IR_BEN_R": [referential], product: [written(folder, product, text)]}
    linking = Linking(files, folder / "identity", asdict(PSA), BUCKETS, lambda: CODELISTS)
    columns = frozenset(passes()[product].columns([extractors()[category]]))
    run_work(LinkingRows(product, columns, linking).work(), folder / "linked", None, 1)
    linked = (folder / "linked" / product / f"{product}-0.parquet",)
    buckets = [*map(str, range(BUCKETS)), NOBODY]
    reports = run_work(
        LinkedPass(product, dict.fromkeys(buckets, linked), [category], lambda: CODELISTS).work(), folder, None, 1
    )
    counts: dict[str, int] = {}
    for report in reports:
        for rule, rows in report["counts"]["rows"][category].items():
            counts[rule] = counts.get(rule, 0) + rows
    found = [
        (file.stem, row["person_id"], row["code"], row["start"].isoformat())
        for file in sorted((folder / category).glob("*.parquet"))
        for row in pq.read_table(file).to_pylist()
    ]
    return found, counts


def of(identifier: str, code: str, start: str) -> tuple:
    person = person_id(identifier)
    return f"{person % BUCKETS}-0", person, code, start


def test_a_row_of_a_reference_finds_its_person_as_a_claim_does(tmp_path):
    found, counts = events_in(
        tmp_path,
        "IR_IMB_R",
        """
        BEN_NIR_PSA       | BEN_RNG_GEM | MED_MTF_COD | IMB_ALD_DTD | IMB_ALD_DTF | IMB_ETM_NAT
        a                 | 1           | E11         | 2010-01-01  | -           | 41
        a2                | 1           | G20         | 2011-01-01  | -           | 41
        b                 | 7           | I10         | 2012-01-01  | -           | 41
        twins             | 2           | F03         | 2013-01-01  | -           | 41
        twins             | 9           | F03         | 2014-01-01  | -           | 41
        unknown           | 1           | C50         | 2015-01-01  | -           | 41
        xxxxxxxxxxxxxxxxx | 1           | C50         | 2016-01-01  | -           | 41
        a                 | 1           | E11         | 2010-01-01  | -           | 11
        """,
        "imb_diagnosis",
    )
    # b: no referential knows rank 7, and its identifier is of one person. Of the twins none has rank 9.
    assert sorted(found) == sorted(
        [
            of("IDT1", "E11", "2010-01-01"),
            of("IDT1", "G20", "2011-01-01"),
            of("IDT2", "I10", "2012-01-01"),
            of("IDT4", "F03", "2013-01-01"),
            of("unknown|1", "C50", "2015-01-01"),
        ]
    )
    assert counts == {"read": 8, "became_events": 5, "no_person": 2, "other_exemption": 1}


@pytest.mark.parametrize(
    ("product", "column", "category"),
    [("KI_CCI_R", "DCD_CIM_COD", "initial_cause_of_death"), ("KI_ECD_R", "ECD_CIM_COD", "cause_of_death")],
)
def test_a_cause_of_death_is_of_the_person_who_holds_the_identifier_of_its_certificate(
    tmp_path, product, column, category
):
    found, counts = events_in(
        tmp_path,
        product,
        f"""
        BEN_IDT_ANO | BEN_NIR_ANO | DCD_IDT_TOP | BEN_DCD_DTE | {column}
        IDT1        | NIR1        | 1           | 2015-08-14  | C349
        -           | NIR2        | -           | 2015-08-15  | I21
        IDT9        | NIR9        | 1           | 2015-08-16  | I21
        IDT2        | NIR2        | 0           | 2015-08-17  | I21
        -           | -           | 1           | 2015-08-18  | I21
        """,
        category,
    )
    assert sorted(found) == sorted([of("IDT1", "C349", "2015-08-14"), of("IDT2", "I21", "2015-08-15")])
    assert counts == {"read": 5, "became_events": 2, "no_person": 2, "certificate_not_matched": 1}


def test_a_reference_without_the_identifier_is_refused(tmp_path):
    with pytest.raises(InputError, match="Flat IR_IMB_R has no column BEN_NIR_PSA"):
        events_in(tmp_path, "IR_IMB_R", "MED_MTF_COD | IMB_ALD_DTD\nE11 | 2010-01-01", "imb_diagnosis")
