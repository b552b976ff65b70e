"""What the documentation of the models shows is what they do."""

import doctest
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]
PAGE = HOME / "docs" / "reference" / "models.md"


def test_the_examples_of_the_page_give_what_it_shows():
    text = PAGE.read_text("utf-8").replace("\n```\n", "\n\n")  # a fence would be read as output
    page = doctest.DocTestParser().get_doctest(text, {}, "models.md", str(PAGE), 0)
    said = []
    results = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(page, out=said.append)
    assert results.attempted > 15
    assert results.failed == 0, "".join(said)


@pytest.mark.parametrize(("drug", "flag"), [("raises", "raised"), ("brought", "rise before exposure"), ("nothing", "")])
def test_the_picture_shows_medicines_that_have_the_flags_of_its_titles(drug, flag, pictured):
    assert pictured.flag[drug] == flag


@pytest.fixture(scope="module")
def pictured():
    from scripts.model_picture import fitted

    return fitted().peaks().set_index("drug")
