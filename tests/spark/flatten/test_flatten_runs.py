"""Whole runs: reuse, replacement, two writers, kill -9, wrong input, plans, progress."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from parcours.errors import InputError, RetryableFault
from parcours.flatten import run
from parcours.flatten.run import flatten
from parcours.flatten.selection import Selection
from parcours.snds.delivery import load_delivery
from parcours.stages.flatten import plan_flatten, run_scan, scan_here, unread_gigabytes
from parcours.storage.commit import exclusive_writer
from parcours.storage.manifest import committed_periods, read_manifest
from parcours.storage.progress import running_jobs
from parcours.storage.root import ensure_layout, open_root

pytestmark = pytest.mark.spark
KEY = "DCT_ORD_NUM;FLX_DIS_DTD;FLX_EMT_NUM;FLX_EMT_ORD;FLX_EMT_TYP;FLX_TRT_DTD;ORG_CLE_NUM;PRS_ORD_NUM;REM_TYP_AFF"
PRS = f"{KEY};BEN_NIR_PSA;BEN_RNG_GEM;EXE_SOI_DTD;PRS_PAI_MNT\n"
PHA = f"{KEY};PHA_PRS_C13\n"
REF = "BEN_NIR_PSA;BEN_RNG_GEM;BEN_IDT_ANO;BEN_DTE_MAJ\nA;1;ID-A;2015-01-01\n"


def claims(month, amount=1.0, persons="ABCDEFGH"):
    return "".join(
        f"{number};2016-{month}-01;1;1;1;2016-01-15;01C731001;1;0;{psa};1;2016-{month}-0{1 + number % 5};{amount}\n"
        for number, psa in enumerate(persons)
    )


def deliver(folder: Path, **amounts: float) -> Path:
    """Months 01 and 02, and their one pack; an amount can be given by month (m01=..., m02=...)."""
    folder.mkdir(exist_ok=True)
    for month in ("01", "02"):
        text = PRS + claims(month, amounts.get(f"m{month}", 1.0))
        (folder / f"prs{month}.csv").write_text(text)
        (folder / f"pha{month}.csv").write_text(PHA + f"0;2016-{month}-01;1;1;1;2016-01-15;01C731001;1;0;34\n")
    (folder / "ben.csv").write_text(REF)
    tables = {
        "ER_PRS_F": {"files": "prs*.csv"},
        "ER_PHA_F": {"files": "pha*.csv"},
        "IR_BEN_R": {"files": "ben.csv"},
    }
    (folder / "delivery.yaml").write_text(yaml.safe_dump({"name": "small", "tables": tables}))
    return folder


def run_once(spark, folder, root, **selection):
    return flatten(spark, load_delivery(folder), root, Selection(**selection), lambda *_: None)


def paid(root, period):
    files = sorted(root.period("DCIR", period).glob("*.parquet"))
    return sum(sum(pq.read_table(file, columns=["PRS_PAI_MNT"])["PRS_PAI_MNT"].to_pylist()) for file in files)


@pytest.fixture
def root(tmp_path):
    return open_root(str(tmp_path / "root"))


def test_a_run_its_rerun_and_a_corrected_month(spark, tmp_path, root):
    folder = deliver(tmp_path / "d")
    plan = {(p["product"], p["period"]): p["status"] for p in plan_flatten(folder, str(root.path))}
    assert plan == dict.fromkeys([("IR_BEN_R", "all"), ("DCIR", "2016-01"), ("DCIR", "2016-02")], "compute")
    first = run_once(spark, folder, root)
    assert first["products"]["DCIR"] == {"2016-01": "done", "2016-02": "done"}
    assert running_jobs(root) == []
    before = committed_periods(root, "DCIR")

    again = run_once(spark, folder, root)
    assert again["status"] == "reused"
    assert committed_periods(root, "DCIR") == before

    deliver(folder, m02=5.0)
    plan = {p["period"]: p["status"] for p in plan_flatten(folder, str(root.path), ["DCIR"])}
    assert plan == {"2016-01": "reuse", "2016-02": "replace"}
    assert run_once(spark, folder, root)["products"]["DCIR"] == {"2016-01": "reused", "2016-02": "done"}
    assert (paid(root, "2016-01"), paid(root, "2016-02")) == (8.0, 40.0)
    assert not list((root.path / "_staging").glob("*/*"))


def test_a_delivery_that_spark_has_read_is_planned_without_reading(spark, tmp_path, root):
    folder = deliver(tmp_path / "d")
    read = run_scan(folder, str(root.path))
    assert (read["status"], read["files"], read["bytes"]) == (
        "done",
        5,
        sum(f.stat().st_size for f in folder.glob("*.csv")),
    )
    assert unread_gigabytes(folder, str(root.path)) == 0.0
    assert run_scan(folder, str(root.path))["status"] == "reused"
    planned = run.plan(root, load_delivery(folder), Selection(), lambda unread: [1 / 0 for _ in unread])
    assert [len(periods) for _, periods in planned] == [1, 2]
    (folder / "prs02.csv").write_text(PRS + claims("02", 5.0))
    assert unread_gigabytes(folder, str(root.path)) == (folder / "prs02.csv").stat().st_size / 1e9


def test_what_was_read_before_a_fault_is_not_read_again(tmp_path, root):
    folder = deliver(tmp_path / "d")
    (folder / "pha02.csv").write_text("")
    with pytest.raises(InputError, match=r"pha02\.csv"):
        plan_flatten(folder, str(root.path))
    assert len(list((root.path / "_scans").iterdir())) == 4


def test_a_plan_that_another_job_overtook_replaces_nothing(spark, tmp_path, root):
    """A job plans in the morning and comes to a product in the afternoon; at noon a newer delivery was flattened."""
    folder = deliver(tmp_path / "d")
    run_once(spark, folder, root, products=["DCIR"])
    deliver(folder, m01=2.0, m02=2.0)
    delivery = load_delivery(folder)
    ((product, planned),) = run.plan(root, delivery, Selection(["DCIR"]), scan_here)
    deliver(folder, m02=5.0)
    run_once(spark, folder, root, products=["DCIR"])
    with pytest.raises(RetryableFault, match="DCIR 2016-02 was flattened by another job since this one was planned"):
        list(run.flatten_product(spark, delivery, root, product, planned))
    assert (paid(root, "2016-01"), paid(root, "2016-02")) == (8.0, 40.0)


def test_what_another_job_did_meanwhile_is_not_done_again(spark, tmp_path, root):
    folder = deliver(tmp_path / "d")
    delivery = load_delivery(folder)
    ((product, planned),) = run.plan(root, delivery, Selection(["DCIR"]), scan_here)
    run_once(spark, folder, root, products=["DCIR"], periods=["2016-01"])
    states = dict(run.flatten_product(spark, delivery, root, product, planned))
    assert states == {"2016-01": "reused", "2016-02": "done"}


def test_what_a_committed_period_holds(spark, tmp_path, root):
    run_once(spark, deliver(tmp_path / "d"), root, products=["DCIR"], periods=["2016-01"])
    assert list(committed_periods(root, "DCIR")) == ["2016-01"]
    manifest = read_manifest(root.period("DCIR", "2016-01"))
    assert manifest["rows"] == {
        "read": {"ER_PRS_F": 8, "ER_PHA_F": 1},
        "joined": {"ER_PRS_F": 8, "ER_PHA_F": 1},
        "written": 8,
        "rejected": {"ER_PRS_F": 0, "ER_PHA_F": 0},
        "orphaned": {"ER_PRS_F": 0, "ER_PHA_F": 0},
    }
    assert sorted(Path(one["path"]).name for one in manifest["inputs"]) == ["pha01.csv", "prs01.csv"]
    assert manifest["amounts"]["PRS_PAI_MNT"] == {"source": 8.0, "flat": 8.0}
    assert manifest["absent"] == ["ER_CAM_F", "ER_ETE_F", "ER_UCD_F", "ER_BIO_F"]
    rows = 0
    for file in manifest["files"]:
        table = pq.read_table(root.period("DCIR", "2016-01") / file["path"])
        persons = table["person_id"].to_pylist()
        order = list(zip(persons, table["EXE_SOI_DTD"].to_pylist(), strict=True))
        assert order == sorted(order)
        assert {str(person % ensure_layout(root)) for person in persons} == {file["path"].removesuffix(".parquet")}
        assert table.num_rows == file["rows"]
        rows += table.num_rows
    assert rows == manifest["rows"]["written"]
    identity = pq.read_table(root.identity / "identity.parquet").to_pylist()
    assert [(row["psa"], row["rank"], row["source"]) for row in identity] == [("A", 1, "IDT")]


def test_a_new_referential_gives_rows_to_persons_again(spark, tmp_path, root):
    folder = deliver(tmp_path / "d")
    run_once(spark, folder, root, periods=["2016-01"])
    (folder / "ben.csv").write_text(REF + "B;1;ID-A;2015-01-01\n")
    assert run_once(spark, folder, root, periods=["2016-01"])["products"]["DCIR"] == {"2016-01": "done"}
    tables = [pq.read_table(file) for file in root.period("DCIR", "2016-01").glob("*.parquet")]
    owners = {row["BEN_NIR_PSA"]: row["person_id"] for table in tables for row in table.to_pylist()}
    assert owners["A"] == owners["B"] != owners["C"]


def test_a_period_that_another_writer_works_on_is_refused(spark, tmp_path, root):
    folder = deliver(tmp_path / "d")
    with exclusive_writer(root, root.period("DCIR", "2016-02")), pytest.raises(RetryableFault, match="2016-02"):
        run_once(spark, folder, root, products=["DCIR"])
    assert committed_periods(root, "DCIR") == {}


def test_a_lost_row_commits_nothing(spark, tmp_path, root, monkeypatch):
    real = run.run_job

    def lossy(*arguments):
        reported = real(*arguments)
        for entry in reported["2016-02"]:
            if "joined" in entry:
                entry["joined"]["ER_PRS_F"] -= 1
        return reported

    monkeypatch.setattr(run, "run_job", lossy)
    with pytest.raises(Exception, match="rows of ER_PRS_F read and accounted for differ by fewer than 11 rows"):
        run_once(spark, deliver(tmp_path / "d"), root, products=["DCIR"])
    assert list(committed_periods(root, "DCIR")) == ["2016-01"]


KILLED = """
import sys
from pathlib import Path
from parcours.stages.flatten import run_flatten
run_flatten(Path(sys.argv[1]), sys.argv[2], on_progress=lambda done, total, label: print(done, label, flush=True))
"""


def test_kill_9_in_the_middle_leaves_whole_periods_and_the_next_run_completes(spark, tmp_path, root):
    folder = deliver(tmp_path / "d")
    run_once(spark, folder, root)
    old = committed_periods(root, "DCIR")
    deliver(folder, m01=3.0, m02=3.0)
    job = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder), str(root.path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert job.stdout is not None
    for line in job.stdout:
        if "IR_BEN_R" in line:
            break
    for _ in range(600):  # until it has begun to write
        if list((root.path / "_staging").rglob("*.parquet")) or job.poll() is not None:
            break
        time.sleep(0.05)
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    for period, manifest in committed_periods(root, "DCIR").items():
        expected = 8.0 if manifest == old[period] else 24.0
        assert paid(root, period) == expected
    run_once(spark, folder, root)
    assert (paid(root, "2016-01"), paid(root, "2016-02")) == (24.0, 24.0)


@pytest.mark.parametrize(
    ("mend", "sentence"),
    [
        (lambda folder: (folder / "prs01.csv").write_text(""), "prs01.csv is empty"),
        (lambda folder: (folder / "prs01.csv").write_text("A;B;A\n1;2;3\n"), "columns 1 and 3 of the header"),
        (lambda folder: (folder / "prs01.csv").rename(folder / "prs01.csv.gz"), "prs01.csv.gz cannot be read"),
        (lambda folder: (folder / "prs01.csv").rename(folder / "prs01.parquet"), "not a Parquet file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(spark, tmp_path, root, mend, sentence):
    folder = deliver(tmp_path / "d")
    mend(folder)
    declared = yaml.safe_load((folder / "delivery.yaml").read_text())
    declared["tables"]["ER_PRS_F"]["files"] = "prs*"
    (folder / "delivery.yaml").write_text(yaml.safe_dump(declared))
    with pytest.raises(InputError, match=sentence):
        run_once(spark, folder, root, products=["DCIR"])
    with pytest.raises(InputError, match=sentence):
        plan_flatten(folder, str(root.path), ["DCIR"])


def test_what_was_not_delivered_is_said(spark, tmp_path, root):
    folder = deliver(tmp_path / "d")
    with pytest.raises(InputError, match="MCO_B, the main table of MCO"):
        run_once(spark, folder, root, products=["MCO"])
    with pytest.raises(InputError, match="Product DICR is not known"):
        run_once(spark, folder, root, products=["DICR"])
    with pytest.raises(InputError, match="2019-01 was delivered; ask for what is there: DCIR holds 2016-01 to 2016-02"):
        run_once(spark, folder, root, products=["DCIR"], periods=["2019-01"])
    assert not root.identity.exists()


def test_a_year_is_all_its_months_of_claims_and_what_it_misses_of_a_product_is_told(spark, tmp_path, root, caplog):
    folder = deliver(tmp_path / "d")
    (folder / "b.csv").write_text("ETA_NUM;RSA_NUM\n1;2\n")
    described = yaml.safe_load((folder / "delivery.yaml").read_text())
    described["tables"]["MCO_B"] = {"files": "b.csv", "year": 2015}
    (folder / "delivery.yaml").write_text(yaml.safe_dump(described))
    planned = [(p["product"], p["period"]) for p in plan_flatten(folder, str(root.path), None, ["2016"])]
    assert planned == [("IR_BEN_R", "all"), ("DCIR", "2016-01"), ("DCIR", "2016-02")]
    assert "Nothing of MCO is in period 2016: MCO holds 2015." in caplog.messages
    assert set(run_once(spark, folder, root, periods=["2016"])["products"]["DCIR"]) == {"2016-01", "2016-02"}


def test_a_stay_file_needs_its_year(tmp_path):
    (tmp_path / "b.csv").write_text("ETA_NUM;RSA_NUM\n1;2\n")
    (tmp_path / "delivery.yaml").write_text("name: x\ntables:\n  MCO_B: {files: b.csv}\n")
    with pytest.raises(InputError, match="write `year:` beside it"):
        plan_flatten(tmp_path, str(tmp_path / "root"))


def test_a_delivery_of_headers_alone_gives_empty_tables(spark, tmp_path, root):
    (tmp_path / "b.csv").write_text("ETA_NUM;RSA_NUM\n")
    (tmp_path / "delivery.yaml").write_text("name: x\ntables:\n  MCO_B: {files: b.csv, year: 2016}\n")
    assert run_once(spark, tmp_path, root)["products"] == {"MCO": {"2016": "done"}}
    table = pq.read_table(root.period("MCO", "2016") / "0.parquet")
    assert table.num_rows == 0
    assert {"ETA_NUM", "MCO_B__DGN_PAL", "MCO_A__CDC_ACT", "source_table", "person_id"} <= set(table.column_names)
    assert json.loads((root.period("MCO", "2016") / "_MANIFEST.json").read_text())["rows"]["written"] == 0


def test_rows_of_no_known_month_are_committed_once_whatever_is_asked_for(spark, tmp_path, root):
    folder = deliver(tmp_path / "d")
    lost = "9;soon;1;1;1;2016-01-15;01C731001;1;0;Z;1;2016-01-05;1\n"
    (folder / "prs01.csv").write_text(PRS + claims("01") + claims("02") + lost)
    (folder / "prs02.csv").unlink()
    first = run_once(spark, folder, root, products=["DCIR"], periods=["2016-01"])
    assert first["products"]["DCIR"] == {"2016-01": "done", "unknown": "done"}
    second = run_once(spark, folder, root, products=["DCIR"], years=[2016])
    assert second["products"]["DCIR"] == {"2016-01": "reused", "unknown": "reused", "2016-02": "done"}
    assert list(committed_periods(root, "DCIR")) == ["2016-01", "2016-02"]
    rejects = pq.read_table(root.rejects("DCIR", "unknown") / "0.parquet").to_pylist()
    assert [(row["line"], row["raw"]) for row in rejects] == [(18, lost.strip())]
    assert read_manifest(root.rejects("DCIR", "unknown"))["rows"]["rejected"] == {"ER_PRS_F": 1}
