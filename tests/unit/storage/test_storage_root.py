"""The root, manifests, fingerprints, publication, progress."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from parcours.errors import GateRefused, InputError
from parcours.storage.fingerprint import checksum, code_version, fingerprint, sources_version
from parcours.storage.manifest import committed_periods, read_manifest, write_manifest
from parcours.storage.publication import publish, published_periods
from parcours.storage.root import buckets_for, ensure_layout, open_root


def test_a_path_and_a_file_address_open_the_same_root(tmp_path):
    assert open_root(f"file://{tmp_path}/my%20root").path == tmp_path / "my root"
    assert open_root(str(tmp_path / "my root")).path == tmp_path / "my root"


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("hdfs://namenode/parcours", "names no namenode that is known"),
        ("hdfs:///parcours", "names no namenode"),
        ("s3://bucket/x", "cannot be used"),
        ("file://elsewhere/x", "cannot be used"),
    ],
)
def test_other_addresses_are_refused_with_a_sentence(uri, sentence):
    with pytest.raises(InputError, match=sentence):
        open_root(uri)


def test_a_file_is_not_a_root(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        open_root(str(tmp_path / "file"))


def test_the_number_of_person_buckets_is_set_once(tmp_path):
    root = open_root(str(tmp_path / "root"))
    assert ensure_layout(root, 4) == 4
    assert ensure_layout(root) == 4
    assert json.loads(root.layout_file.read_text()) == {"format": 1, "person_buckets": 4}


def test_another_format_is_refused(tmp_path):
    (tmp_path / "layout.json").write_text('{"format": 2, "person_buckets": 8}')
    with pytest.raises(InputError, match="format 2"):
        ensure_layout(open_root(str(tmp_path)))


def test_only_periods_with_a_manifest_are_committed(tmp_path):
    root = open_root(str(tmp_path))
    write_manifest(root.period("DCIR", "2016-02"), {"fingerprint": "b"})
    write_manifest(root.period("DCIR", "2016-01"), {"fingerprint": "a"})
    root.period("DCIR", "2016-03").mkdir()
    assert list(committed_periods(root, "DCIR")) == ["2016-01", "2016-02"]
    assert read_manifest(root.period("DCIR", "2016-03")) is None


def test_a_fingerprint_depends_on_values_and_not_on_the_order_of_keys():
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint({"b": [1, 2], "a": 1})
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})
    # SHA-256 of the two characters {}.
    assert fingerprint({}) == "44136fa355b3678a"


def test_a_checksum_is_that_of_sha256sum(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    expected = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert checksum(tmp_path / "file") == expected


def test_the_code_version_names_release_and_sources():
    assert code_version().startswith("0.")
    assert code_version().endswith(sources_version("")[:8])
    assert sources_version("storage") != sources_version("errors.py")


def test_published_periods_are_those_the_gate_saw(tmp_path):
    root = open_root(str(tmp_path))
    for period in ("2016-01", "2016-02", "2016-03"):
        write_manifest(root.period("DCIR", period), {"fingerprint": period})
    publish(root, "DCIR", tmp_path / "verdict.json", {"2016-01": "2016-01", "2016-02": "2016-02"})
    assert published_periods(root, "DCIR") == {
        "2016-01": root.period("DCIR", "2016-01"),
        "2016-02": root.period("DCIR", "2016-02"),
    }


def test_a_period_replaced_after_the_gate_is_refused(tmp_path):
    root = open_root(str(tmp_path))
    write_manifest(root.period("DCIR", "2016-01"), {"fingerprint": "old"})
    publish(root, "DCIR", tmp_path / "verdict.json", {"2016-01": "old"})
    write_manifest(root.period("DCIR", "2016-01"), {"fingerprint": "new"})
    with pytest.raises(GateRefused, match="2016-01, changed since"):
        published_periods(root, "DCIR")


def test_what_was_never_flattened_or_never_checked_is_named(tmp_path):
    root = open_root(str(tmp_path))
    with pytest.raises(InputError, match="parcours flatten"):
        published_periods(root, "DCIR")
    write_manifest(root.period("DCIR", "2016-01"), {"fingerprint": "a"})
    with pytest.raises(InputError, match="parcours check"):
        published_periods(root, "DCIR")


def test_storage_needs_nothing_but_the_standard_library():
    modules = ["root", "manifest", "commit", "fingerprint", "publication", "progress"]
    code = (
        "import sys\n"
        + "".join(f"import parcours.storage.{module}\n" for module in modules)
        + "heavy = {'numpy', 'pandas', 'pyarrow', 'pyspark', 'duckdb', 'yaml', 'airflow'} & set(sys.modules)\n"
        + "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path.cwd())
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("raw_bytes", "buckets"),
    [(0, 2), (2 << 30, 2), (200 << 30, 4), (32 << 40, 512), (1 << 60, 4096)],
)
def test_a_new_root_has_as_many_person_buckets_as_its_first_delivery_asks_for(raw_bytes, buckets):
    assert buckets_for(raw_bytes) == buckets
