"""The generated pages say what the sources say: errors with what to do, commands, forms of values, extractors."""

import sys
from pathlib import Path

HOME = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(HOME / "scripts"))
import command_line_page  # noqa: E402
import errors_page  # noqa: E402
import extractors_page  # noqa: E402
import forms_page  # noqa: E402


def test_the_page_is_that_of_the_sources() -> None:
    assert errors_page.PAGE.read_text("utf-8") == errors_page.page(), "write it again with `make docs`"


def test_a_sentence_is_told_with_the_names_of_what_it_shows() -> None:
    sentence = errors_page.Sentence("", 2, "‹path› is a file; give a folder.")
    assert errors_page.split(sentence) == ("‹path› is a file", "Give a folder")


def test_every_part_of_the_project_has_its_section() -> None:
    parts = {file.relative_to(HOME / "src/parcours").parts[0] for file in (HOME / "src/parcours").rglob("*.py")}
    folders = {part for part in parts if not part.endswith(".py")}
    assert folders <= set(errors_page.SECTIONS)


def test_the_page_of_commands_is_that_of_the_command_line() -> None:
    assert command_line_page.PAGE.read_text("utf-8") == command_line_page.page(), "write it again with `make docs`"


def test_the_page_of_forms_is_that_of_the_table_that_is_tested() -> None:
    assert forms_page.PAGE.read_text("utf-8") == forms_page.page(), "write it again with `make docs`"


def test_the_page_of_extractors_is_that_of_the_declarations() -> None:
    assert extractors_page.PAGE.read_text("utf-8") == extractors_page.page(), "write it again with `make docs`"
