"""SAS tables through Spark: the rows of the CSV files, read in ranges of pages; a broken one ends with its sentence."""

from unittest import mock

import pyarrow.parquet as pq
import pytest
from flat_here import write_delivery
from sas_files import sas_of, sas_table
from test_sas_tables import claims, deliver

from parcours.errors import InputError
from parcours.flatten import engine
from parcours.flatten.run import Selection, flatten
from parcours.snds.delivery import load_delivery
from parcours.storage.root import open_root

pytestmark = pytest.mark.spark
TABLES = claims(3000)


def flat(spark, folder, place):
    """All rows of all committed files, in one order."""
    root = open_root(str(place))
    flatten(spark, load_delivery(folder), root, Selection(), lambda *_: None)
    files = sorted(root.path.glob("flat/DCIR/period=*/*.parquet"))
    rows = [row for file in files for row in pq.read_table(file, partitioning=None).to_pylist()]
    return sorted(repr(sorted(row.items())) for row in rows)


def test_rows_of_page_ranges_are_those_of_the_csv_files(spark, tmp_path):
    lines = write_delivery(tmp_path / "csv", TABLES)
    pages = deliver(tmp_path / "sas", {table: sas_of(text, table, compressed=True) for table, text in TABLES.items()})
    expected = flat(spark, lines, tmp_path / "one")
    assert len(expected) == 3000
    # As for a large month: many tasks read, rows are shuffled.
    with mock.patch.multiple(engine, WHOLE_BYTES=0, TASK_BYTES=50_000, BUCKET_BYTES=100_000):
        assert flat(spark, pages, tmp_path / "other") == expected


def test_a_text_that_only_a_task_reads_ends_it_with_a_sentence(spark, tmp_path):
    """The scan looks at the months alone; the texts are read by the task that writes them."""
    content = sas_table({"PHA_CIP_C13": "", "PHA_NOM_PA": "$"}, [(1, "paracétamol")])
    folder = deliver(tmp_path / "d", {"IR_PHA_R": content.replace("é".encode(), b"\xe9x")})
    with pytest.raises(InputError, match=r"IR_PHA_R\.sas7bdat cannot be read as a SAS table \(a text of it is not of"):
        flat(spark, folder, tmp_path / "root")
