"""Small deliveries with something of everything: rejects, orphans, rows of no known month, a referential, a file of
each form."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import yaml
from sas_files import sas_of

KEY = "DCT_ORD_NUM;FLX_DIS_DTD;FLX_EMT_NUM;FLX_EMT_ORD;FLX_EMT_TYP;FLX_TRT_DTD;ORG_CLE_NUM;PRS_ORD_NUM;REM_TYP_AFF"
PRS = f"{KEY};BEN_NIR_PSA;BEN_RNG_GEM;EXE_SOI_DTD;PRS_PAI_MNT\n"
PHA = f"{KEY};PHA_PRS_C13\n"
REFERENTIAL = "BEN_NIR_PSA;BEN_RNG_GEM;BEN_IDT_ANO;BEN_DTE_MAJ\n"
BROKEN = "zero;2016-01-01;1;1;1;2016-01-15;01C731001;1;0;A;1;2016-01-05;1\n"
TABLES = {"ER_PRS_F": {"files": "prs*"}, "ER_PHA_F": {"files": "pha*"}, "IR_BEN_R": {"files": "ben.parquet"}}


def claims(month: str, amount: float, lines: int = 40) -> str:
    return "".join(
        f"{number};2016-{month}-01;1;1;1;2016-01-15;01C731001;1;0;P{number % 11};1;2016-01-0{1 + number % 5};{amount}\n"
        for number in range(lines)
    )


def packs(month: str, code: int, lines: int = 45) -> str:
    """One pack a claim line, and five more whose line is not there."""
    return "".join(f"{number};2016-{month}-01;1;1;1;2016-01-15;01C731001;1;0;34009{code}\n" for number in range(lines))


def deliver(folder: Path, amount: int, files: tuple[tuple[str, ...], ...]) -> Path:
    """One pair of files for each tuple of months; the amount of each line tells which delivery a row is of.

    The packs of the second pair are a SAS table, the persons a Parquet file, all else CSV.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, months in enumerate(files):
        lines = "".join(claims(month, amount) for month in months)
        (folder / f"prs{number}.csv").write_text(PRS + lines + (BROKEN if number == 0 else ""))
        text = PHA + "".join(packs(month, amount) for month in months)
        if number == 1:
            (folder / f"pha{number}.sas7bdat").write_bytes(sas_of(text, "ER_PHA_F", compressed=True))
        else:
            (folder / f"pha{number}.csv").write_text(text)
    (folder / "prs-lost.csv").write_text(PRS + BROKEN.replace("zero;2016-01-01", f"{amount};soon"))
    persons = "".join(f"P{number};1;ID-{amount}-{number};2015-01-01\n" for number in range(6))
    (folder / "ben.parquet").write_bytes(parquet_of(REFERENTIAL + persons))
    (folder / "delivery.yaml").write_text(yaml.safe_dump({"name": "small", "tables": TABLES}))
    return folder


def parquet_of(text: str) -> bytes:
    """A CSV file as a Parquet file of two row groups, of the types that its values have themselves."""
    table = pa_csv.read_csv(pa.BufferReader(text.encode()), parse_options=pa_csv.ParseOptions(delimiter=";"))
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=3)
    return sink.getvalue()
