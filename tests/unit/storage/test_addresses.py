"""Small files at an address."""

from pathlib import Path

import pytest

from parcours.errors import InputError
from parcours.storage.addresses import read_text, stamps, write_text


@pytest.mark.parametrize("form", ["{path}", "file://{path}"])
def test_a_text_is_written_whole_and_read_back(tmp_path: Path, form: str) -> None:
    address = form.format(path=tmp_path / "new" / "a file.json")
    assert read_text(address) is None
    write_text(address, "é")
    write_text(address, "è")
    assert read_text(address) == "è"
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["a file.json"]


def test_a_scheme_that_is_not_known_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"s3:.*cannot be used"):
        read_text("s3://bucket/status.json")


def test_stamps_change_with_the_files_and_are_of_the_folder_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.csv").write_text("1")
    (tmp_path / "run.json").write_text("{}")
    first = stamps(str(tmp_path), "**/*")
    assert [(name, stamp[0]) for name, stamp in first] == [("a/1.csv", 1), ("run.json", 2)]
    assert stamps(str(tmp_path / "run.json"), "**/*") == first
    assert [name for name, *_ in stamps(str(tmp_path / "a"), "../*.json")] == ["../run.json"]
    (tmp_path / "a" / "1.csv").write_text("22")
    assert stamps(str(tmp_path), "**/*") != first
    assert stamps(str(tmp_path / "nowhere"), "*") == []
