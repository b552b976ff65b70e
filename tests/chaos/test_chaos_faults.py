"""A machine or a delivery that breaks: the right exit code, one sentence, and nothing half-committed."""

import gzip
import os
import subprocess
import time
from pathlib import Path

import pytest
import zstandard
from deliveries import PRS, claims, deliver
from killing import JVM, command, ended, kill, processes_of, soon
from roots import content, differences, left_in_staging

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]
MONTHS = (("01",), ("02",), ("03", "04"))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, and what changes its size."""
    place = tmp_path / "disk"
    place.mkdir()
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    options = f"size=64k,uid={os.getuid()}"
    subprocess.run([*as_root, "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)
    yield place, lambda size: subprocess.run([*as_root, "mount", "-o", f"remount,size={size}", str(place)], check=True)
    subprocess.run([*as_root, "umount", "--lazy", str(place)], check=True)


def flattened(delivery: Path, root: Path) -> tuple[int, str]:
    return ended(command(delivery, root))


def last_line(said: str) -> str:
    """The command's own sentence; Spark's log comes before it."""
    return said.strip().splitlines()[-1]


def assert_whole(root: Path, expected: dict) -> None:
    """What is committed is, each directory by itself, what an undisturbed run commits; nothing else is left."""
    found = content(root)
    assert differences(found, {name: expected[name] for name in found}) == []
    assert left_in_staging(root) == []


@pytest.fixture
def delivery(tmp_path):
    return deliver(tmp_path / "delivery", 2, MONTHS)


@pytest.fixture
def expected(delivery, tmp_path):
    code, said = flattened(delivery, tmp_path / "undisturbed")
    assert code == 0, said
    return content(tmp_path / "undisturbed")


def test_a_full_disk(delivery, expected, small_disk):
    place, resize = small_disk
    for size in ("64k", "400k"):
        resize(size)
        code, said = flattened(delivery, place / "root")
        assert (code, "No space left on device. Mend it" in last_line(said)) == (3, True), f"{size}: {code} {said}"
        assert_whole(place / "root", expected)
    resize("64m")
    assert flattened(delivery, place / "root")[0] == 0
    assert differences(content(place / "root"), expected) == []


def _gzip_cut(folder: Path) -> None:
    whole = gzip.compress((PRS + claims("05", 2, 5000)).encode())
    (folder / "prs9.csv.gz").write_bytes(whole[: len(whole) * 2 // 3])


def _zstd_cut(folder: Path) -> None:
    whole = zstandard.compress((PRS + claims("05", 2, 5000)).encode())
    (folder / "prs9.csv.zst").write_bytes(whole[: len(whole) * 2 // 3])


def _nowhere(folder: Path) -> None:
    (folder / "prs9.csv").symlink_to(folder / "was-moved.csv")


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "prs9.csv")


def _folder(folder: Path) -> None:
    (folder / "prs9.csv").mkdir()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_gzip_cut, "prs9.csv.gz is broken"),
        (_zstd_cut, "prs9.csv.zst is broken"),
        (_nowhere, "prs9.csv is a link to a file that is not there"),
        (_pipe, "prs9.csv is no file"),
        (_folder, "prs9.csv is no file"),
    ],
    ids=["gzip", "zstd", "link", "pipe", "folder"],
)
def test_a_file_that_cannot_be_read(delivery, tmp_path, spoil, sentence):
    spoil(delivery)
    code, said = flattened(delivery, tmp_path / "root")
    assert (code, sentence in last_line(said), "Traceback" in said) == (2, True, False), said
    assert content(tmp_path / "root") == {}


def test_a_file_that_grows_while_it_is_read(delivery, expected, tmp_path):
    """It grows once the first period is being written: scanned before, read after."""
    root = tmp_path / "root"
    whole = (delivery / "prs2.csv").read_text()
    job = command(delivery, root)
    while not any((root / "_staging").glob("*/*")) and job.poll() is None:
        time.sleep(0.005)
    with (delivery / "prs2.csv").open("a") as file:
        while job.poll() is None:
            file.write(claims("03", 2))
            file.flush()
            time.sleep(0.01)
    code, said = ended(job)
    assert (code, "prs2.csv changed while it was read" in last_line(said)) == (3, True), said
    assert_whole(root, expected)
    assert not {"flat/DCIR/period=2016-03", "flat/DCIR/period=2016-04"} & content(root).keys()
    (delivery / "prs2.csv").write_text(whole)
    assert flattened(delivery, root)[0] == 0
    assert differences(content(root), expected) == []


def test_two_writers_at_once(delivery, expected, tmp_path):
    """Whoever comes second is told so and ends; or comes late enough to find all done."""
    jobs = [command(delivery, tmp_path / "root") for _ in range(2)]
    results = [ended(job) for job in jobs]
    codes = sorted(code for code, _ in results)
    assert codes[0] == 0, results
    assert codes[1] in (0, 3), results
    for code, said in results:
        assert code == 0 or "Another writer" in last_line(said), said
    assert differences(content(tmp_path / "root"), expected) == []
    assert left_in_staging(tmp_path / "root") == []


@pytest.mark.parametrize("later", [0, 0.5, 1.0, 2.0, 3.0])
def test_the_jvm_is_killed_while_spark_starts(delivery, tmp_path, later):
    job = command(delivery, tmp_path / "root")
    soon(lambda: processes_of(job.pid, JVM), lambda: job.poll() is None)
    time.sleep(later)
    assert [kill(pid) for pid in processes_of(job.pid, JVM)].count(True) > 0  # the shell that becomes it, too
    code, said = ended(job)
    assert (code, "Java process of Spark ended" in last_line(said)) == (3, True), said
    assert left_in_staging(tmp_path / "root") == []
