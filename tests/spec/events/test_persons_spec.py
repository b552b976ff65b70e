"""Persons: one row each, from several rows of the referential."""

import pytest

from parcours.errors import InputError
from parcours.events.persons import identifying_columns, persons

pytestmark = pytest.mark.spark

REFERENTIAL = (
    "BEN_NIR_PSA string, BEN_RNG_GEM int, BEN_SEX_COD bigint, BEN_NAI_ANN string, BEN_NAI_MOI string,"
    " BEN_DCD_DTE date, BEN_DTE_MAJ date"
)


def test_sex_and_birth_by_majority_death_by_the_latest_row(table, rows, collected):
    referential = table(
        """
        BEN_NIR_PSA | BEN_RNG_GEM | BEN_SEX_COD | BEN_NAI_ANN | BEN_NAI_MOI | BEN_DCD_DTE | BEN_DTE_MAJ
        a           | 1           | 2           | 1935        | 06          | -           | 2013-01-01
        b           | 1           | 2           | 1935        | 06          | 2016-02-01  | 2017-01-01
        c           | 2           | 1           | 1953        | 06          | 2016-03-01  | 2015-01-01
        d           | 1           | 0           | 1600        | 00          | -           | 2015-01-01
        e           | 1           | 1           | 1940        | 00          | -           | 2015-01-01
        f           | -           | 1           | 1940        | 12          | 2015-05-05  | -
        z           | 1           | 1           | 1940        | 12          | -           | 2015-01-01
        """,
        REFERENTIAL,
    )
    identity = table(
        """
        psa | rank | person_id | ambiguous
        a   | 1    | 1         | false
        b   | 1    | 1         | false
        c   | 2    | 1         | false
        d   | 1    | 2         | false
        e   | 1    | 3         | true
        f   | 1    | 4         | false
        """,
        "psa string, rank int, person_id bigint, ambiguous boolean",
    )
    # 1 has three identifiers; 2 has placeholders only; 3 was born in an unknown month; 4 has no rank;
    # z is not in the identity table, so nobody.
    found = collected(
        persons(referential, identity, ("BEN_NIR_PSA", "BEN_RNG_GEM")),
        "person_id",
        "sex",
        "birth",
        "death",
        "ambiguous",
    )
    assert found == rows(
        """
        person_id | sex | birth      | death      | ambiguous
        1         | 2   | 1935-06-15 | 2016-02-01 | false
        2         | -   | -          | -          | false
        3         | 1   | 1940-07-15 | -          | true
        4         | 1   | 1940-12-15 | 2015-05-05 | false
        """,
        "person_id bigint, sex int, birth date, death date, ambiguous boolean",
    )


def test_a_project_extraction_names_the_person_by_one_column():
    assert identifying_columns(["NUM_ENQ", "BEN_SEX_COD"]) == ("NUM_ENQ", None)
    with pytest.raises(InputError, match="neither BEN_NIR_PSA nor NUM_ENQ"):
        identifying_columns(["BEN_SEX_COD"])
