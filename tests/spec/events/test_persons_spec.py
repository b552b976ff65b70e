"""Persons: one row each, from several rows of the referential."""

import pytest

from parcours.engine.duck import query
from parcours.errors import InputError
from parcours.events.persons import NO_RANK, Key, everybody, identifying_columns, linking, persons_told

REFERENTIAL = (
    "BEN_NIR_PSA string, BEN_RNG_GEM int, place int, certified boolean, BEN_SEX_COD bigint, BEN_NAI_ANN string,"
    " BEN_NAI_MOI string"
)
IDENTITY = "psa string, rank int, person_id bigint, ambiguous boolean"
PERSONS = "person_id bigint, certified boolean, sex int, birth date, ambiguous boolean"
KEY = Key("BEN_NIR_PSA", "BEN_RNG_GEM")


def linked(referential, identity, key):
    sql = linking("SELECT * FROM referential", "SELECT * FROM identity", key)
    return query(sql, referential=referential, identity=identity)


def known(referential, identity, collected):
    found = persons_told(linked(referential, identity, KEY))
    return collected(found, "person_id", "certified", "sex", "birth", "ambiguous")


def test_sex_and_birth_are_those_of_most_rows(table, rows, collected):
    referential = table(
        """
        BEN_NIR_PSA | BEN_RNG_GEM | place | certified | BEN_SEX_COD | BEN_NAI_ANN | BEN_NAI_MOI
        a           | 1           | 0     | true      | 2           | 1935        | 06
        b           | 1           | 0     | true      | 2           | 1935        | 06
        c           | 2           | 0     | true      | 1           | 1953        | 06
        d           | 1           | 0     | true      | 0           | 1600        | 00
        e           | 1           | 0     | true      | 1           | 1940        | 00
        f           | -           | 0     | true      | 1           | 1940        | 12
        z           | 1           | 0     | true      | 1           | 1940        | 12
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
        IDENTITY,
    )
    # 1 has three identifiers; 2 has placeholders only; 3 was born in an unknown month; 4 has no rank;
    # z is not in the identity table, so nobody.
    assert known(referential, identity, collected) == rows(
        """
        person_id | certified | sex | birth      | ambiguous
        1         | true      | 2   | 1935-06-15 | false
        2         | true      | -   | -          | false
        3         | true      | 1   | 1940-07-15 | true
        4         | true      | 1   | 1940-12-15 | false
        """,
        PERSONS,
    )


def test_the_archive_tells_of_the_couples_that_it_alone_holds(table, rows, collected):
    referential = table(
        """
        BEN_NIR_PSA | BEN_RNG_GEM | place | certified | BEN_SEX_COD | BEN_NAI_ANN | BEN_NAI_MOI
        left        | 1           | 1     | true      | 2           | 1930        | 03
        both        | 1           | 0     | false     | 1           | 1940        | 01
        both        | 1           | 1     | true      | 1           | 1940        | 01
        new         | 1           | 0     | true      | 2           | 1600        | 00
        old1        | 1           | 1     | true      | 1           | 1950        | 05
        old2        | 1           | 1     | true      | 1           | 1950        | 05
        doubtful    | 1           | 1     | false     | 1           | 1950        | 05
        twin        | 1           | 1     | true      | 1           | 1950        | 05
        half        | 1           | 0     | false     | 1           | 1925        | 05
        half        | 2           | 1     | true      | 2           | 1950        | 05
        """,
        REFERENTIAL,
    )
    identity = table(
        """
        psa      | rank | person_id | ambiguous
        left     | 1    | 1         | false
        both     | 1    | 2         | false
        new      | 1    | 3         | false
        old1     | 1    | 3         | false
        old2     | 1    | 3         | false
        doubtful | 1    | 4         | false
        twin     | 1    | 5         | true
        half     | 1    | 6         | true
        half     | 2    | 6         | false
        """,
        IDENTITY,
    )
    # 2: IR_BEN_R holds the couple, and does not certify it. 3: the sex of IR_BEN_R, the birth of two archived couples.
    # 6: the row that is certified speaks.
    assert known(referential, identity, collected) == rows(
        """
        person_id | certified | sex | birth      | ambiguous
        1         | true      | 2   | 1930-03-15 | false
        2         | false     | -   | -          | false
        3         | true      | 2   | 1950-05-15 | false
        4         | false     | -   | -          | false
        5         | true      | 1   | 1950-05-15 | true
        6         | true      | 2   | 1950-05-15 | false
        """,
        PERSONS,
    )


def test_everybody_with_care_or_in_a_referential_is_there_once(table, rows, collected):
    attributes = table(
        """
        person_id | certified | sex | birth      | ambiguous
        1         | true      | 2   | 1930-03-15 | false
        2         | false     | -   | -          | true
        """,
        PERSONS,
    )
    care = table(
        """
        person_id | start
        1         | 2015-01-01
        1         | 2015-01-02
        3         | 2015-01-01
        4         | 2015-01-01
        """,
        "person_id bigint, start date",
    )
    deaths = table(
        """
        person_id | death      | death_source         | deaths_disagree
        1         | 2016-02-01 | KI_CCI_R.BEN_DCD_DTE | true
        4         | 2015-01-31 | MCO_B.SOR_MOD        | false
        """,
        "person_id bigint, death date, death_source string, deaths_disagree boolean",
    )
    columns = ("person_id", "in_referential", "certified", "ambiguous", "death", "death_source", "deaths_disagree")
    assert collected(everybody(attributes, care, deaths), *columns) == rows(
        """
        person_id | in_referential | certified | ambiguous | death      | death_source         | deaths_disagree
        1         | true           | true      | false     | 2016-02-01 | KI_CCI_R.BEN_DCD_DTE | true
        2         | true           | false     | true      | -          | -                    | false
        3         | false          | false     | false     | -          | -                    | false
        4         | false          | false     | false     | 2015-01-31 | MCO_B.SOR_MOD        | false
        """,
        "person_id bigint, in_referential boolean, certified boolean, ambiguous boolean, death date,"
        " death_source string, deaths_disagree boolean",
    )


def test_the_columns_by_which_persons_were_identified_say_whose_a_row_is():
    stated = {"psa": "NUM_ENQ", "rank": "BEN_RNG_GEM", "unranked": True}
    assert identifying_columns("IR_BEN_R", ["NUM_ENQ", "BEN_SEX_COD"], stated) == Key("NUM_ENQ", None, NO_RANK)
    ranked = identifying_columns("IR_BEN_R", ["NUM_ENQ", "BEN_RNG_GEM"], stated)
    assert ranked == Key("NUM_ENQ", "BEN_RNG_GEM", NO_RANK)
    portal = {"psa": "BEN_NIR_PSA", "rank": "BEN_RNG_GEM", "unranked": False}
    assert identifying_columns("IR_BEN_R", ["BEN_NIR_PSA", "BEN_RNG_GEM"], portal) == KEY
    with pytest.raises(InputError, match="Flat IR_BEN_R has no column NUM_ENQ"):
        identifying_columns("IR_BEN_R", ["BEN_NIR_PSA", "BEN_SEX_COD"], stated)


@pytest.mark.parametrize("rank", ["BEN_RNG_GEM", None])
def test_a_pseudonym_without_rank_is_of_the_one_person_of_it(table, collected, rows, rank):
    referential = table("NUM_ENQ | BEN_RNG_GEM\nN1 | -\nN2 | -\nN3 | -", "NUM_ENQ string, BEN_RNG_GEM bigint")
    identity = table(
        """
        psa | rank | person_id | ambiguous
        N1  | -    | 1         | false
        N2  | 1    | 1         | false
        N2  | 2    | 1         | false
        N3  | -    | 2         | true
        N3  | -    | 3         | true
        """,
        "psa string, rank bigint, person_id bigint, ambiguous boolean",
    )
    found = linked(referential, identity, Key("NUM_ENQ", rank, NO_RANK))
    assert collected(found, "NUM_ENQ", "person_id") == rows(
        """
        NUM_ENQ | person_id
        N1      | 1
        N2      | 1
        """,
        "NUM_ENQ string, person_id bigint",
    )
