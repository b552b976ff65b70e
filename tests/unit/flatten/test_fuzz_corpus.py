"""Raw files that once made flattening crash, hang or lose a row do so no more."""

from pathlib import Path

import pytest
from replay import outcome

CORPUS = Path(__file__).parents[2] / "fuzz" / "corpus"


# Whole files and files cut into many blocks.
@pytest.mark.parametrize("block", [150, 16 << 20])
@pytest.mark.parametrize("folder", sorted(CORPUS.iterdir()), ids=lambda folder: folder.name)
def test_a_file_that_once_failed_is_flattened_or_refused(folder, block):
    assert outcome(folder, folder.name.split("-")[0], block) in ("flat", "refused")
