"""Deaths: what each source tells, which of it is credible, and the one date that everything uses."""

import pyarrow as pa

from parcours.engine.duck import query
from parcours.events.death_sources import DISCHARGE, death_sources
from parcours.events.deaths import (
    care_after_death,
    decided,
    holders,
    judged,
    told_by_certificates,
    told_by_referential,
    told_by_stays,
    with_holder,
)
from parcours.events.extractors import extractors
from parcours.snds.contracts import load_product, load_table

TOLD = "person_id bigint, source string, first date, last date"
ROWS = "person_id bigint, psa string, rank int, BEN_DCD_DTE date, BEN_DCD_AME string, BEN_DTE_MAJ date"
EVENTS = "person_id bigint, category string, weight double, start date, end date"


def told_in(found, collected):
    return collected(found, "person_id", "source", "first", "last")


def test_every_source_is_a_column_of_a_published_product():
    for source in death_sources():
        table, _, column = source.column.partition(".")
        assert table in (load_product(source.product).main, *load_product(source.product).joined)
        assert column in {one.name for one in load_table(table).columns}
        assert (source.category in extractors()) == (source.gives == DISCHARGE)


def test_a_referential_tells_a_day_and_a_month_and_the_row_updated_last_counts(table, rows, collected):
    referential = table(
        """
        person_id | psa | rank | BEN_DCD_DTE | BEN_DCD_AME | BEN_DTE_MAJ
        1         | a   | 1    | 2015-08-14  | 201508      | 2016-01-01
        2         | b   | 1    | -           | 201502      | 2016-01-01
        3         | c   | 1    | -           | 160001      | 2016-01-01
        4         | d   | 1    | -           | 201513      | 2016-01-01
        5         | e   | 1    | 2015-03-01  | -           | 2015-04-01
        5         | e   | 1    | 2015-03-11  | -           | 2016-01-01
        5         | e   | 1    | -           | -           | 2017-01-01
        6         | f   | 1    | 2015-05-05  | -           | -
        6         | g   | 1    | 2015-06-06  | -           | -
        7         | h   | 1    | 1600-01-01  | 000101      | 2016-01-01
        """,
        ROWS,
    )
    # 3, 4, 7: no month, no year of a death. 5: a correction. 6: two couples of one person, each tells.
    assert told_in(told_by_referential(referential, "IR_BEN_R"), collected) == rows(
        """
        person_id | source               | first      | last
        1         | IR_BEN_R.BEN_DCD_DTE | 2015-08-14 | 2015-08-14
        1         | IR_BEN_R.BEN_DCD_AME | 2015-08-01 | 2015-08-31
        2         | IR_BEN_R.BEN_DCD_AME | 2015-02-01 | 2015-02-28
        5         | IR_BEN_R.BEN_DCD_DTE | 2015-03-11 | 2015-03-11
        6         | IR_BEN_R.BEN_DCD_DTE | 2015-05-05 | 2015-05-05
        6         | IR_BEN_R.BEN_DCD_DTE | 2015-06-06 | 2015-06-06
        """,
        TOLD,
    )


def test_a_certificate_is_of_the_person_who_holds_its_identifier(table, rows, collected):
    referential = table(
        """
        person_id | psa  | rank | BEN_IDT_ANO | BEN_NIR_ANO
        1         | psa1 | 1    | IDT1        | NIR1
        1         | psa2 | 1    | IDT1        | NIR1
        2         | psa3 | 2    | -           | -
        3         | psa4 | 1    | IDT3        | TWICE
        4         | psa5 | 1    | IDT4        | TWICE
        5         | psa6 | 1    | -           | xxxxxxxxxxxxxxxxx
        """,
        "person_id bigint, psa string, rank int, BEN_IDT_ANO string, BEN_NIR_ANO string",
    )
    certificates = table(
        """
        BEN_IDT_ANO | BEN_NIR_ANO       | DCD_IDT_TOP | BEN_DCD_DTE | BEN_DCD_AME
        IDT1        | NIR1              | 1           | 2015-01-01  | 201501
        IDT1        | -                 | -           | 2015-01-02  | -
        psa32       | -                 | 1           | 2015-01-03  | -
        -           | NIR1              | 1           | 2015-01-04  | -
        -           | TWICE             | 1           | 2015-01-05  | -
        IDT9        | NIR9              | 1           | 2015-01-06  | -
        -           | -                 | 0           | 2015-01-07  | -
        IDT1        | NIR1              | 0           | 2015-01-08  | -
        -           | xxxxxxxxxxxxxxxxx | 1           | 2015-01-09  | -
        IDT3        | TWICE             | 1           | -           | 201510
        IDT4        | TWICE             | 1           | 1600-01-01  | 160001
        """,
        "BEN_IDT_ANO string, BEN_NIR_ANO string, DCD_IDT_TOP int, BEN_DCD_DTE date, BEN_DCD_AME string",
    )
    sql = with_holder("SELECT * FROM certificates", holders("SELECT * FROM referential"))
    named = query(sql, certificates=certificates, referential=referential)
    assert collected(query("FROM named WHERE NOT matched", named=named), "BEN_DCD_DTE", "person_id") == rows(
        """
        BEN_DCD_DTE | person_id
        2015-01-07  | -
        2015-01-08  | -
        2015-01-09  | -
        """,
        "BEN_DCD_DTE date, person_id bigint",
    )
    # A number of two persons (01-05) and one that no referential knows (01-06) are of nobody.
    told = query(told_by_certificates("SELECT * FROM named"), named=named)
    assert told_in(told, collected) == rows(
        """
        person_id | source               | first      | last
        1         | KI_CCI_R.BEN_DCD_DTE | 2015-01-01 | 2015-01-01
        1         | KI_CCI_R.BEN_DCD_AME | 2015-01-01 | 2015-01-31
        1         | KI_CCI_R.BEN_DCD_DTE | 2015-01-02 | 2015-01-02
        2         | KI_CCI_R.BEN_DCD_DTE | 2015-01-03 | 2015-01-03
        1         | KI_CCI_R.BEN_DCD_DTE | 2015-01-04 | 2015-01-04
        3         | KI_CCI_R.BEN_DCD_AME | 2015-10-01 | 2015-10-31
        """,
        TOLD,
    )


def test_a_stay_that_ended_in_death_tells_its_last_day(table, rows, collected):
    events = table(
        """
        person_id | category          | weight | start      | end
        1         | mco_hospital_stay | 9      | 2015-03-01 | 2015-03-06
        2         | mco_hospital_stay | 8      | 2015-03-01 | 2015-03-06
        3         | ssr_hospital_stay | 9      | 2015-03-01 | -
        4         | drug_purchase     | 9      | 2015-03-01 | 2015-03-01
        5         | rip_hospital_stay | 9      | 2015-03-01 | 2015-04-01
        6         | had_hospital_stay | 9      | 2015-03-01 | 2015-03-01
        7         | mco_hospital_stay | -      | 2015-03-01 | 2015-03-06
        8         | mco_hospital_stay | 9      | 1600-01-01 | 1600-01-01
        """,
        EVENTS,
    )
    # 3: somebody died in a stay that began in March, nobody knows when.
    assert told_in(told_by_stays(events), collected) == rows(
        """
        person_id | source          | first      | last
        1         | MCO_B.SOR_MOD   | 2015-03-06 | 2015-03-06
        5         | RIP_RSA.SOR_MOD | 2015-04-01 | 2015-04-01
        6         | HAD_B.SOR_MOD   | 2015-03-01 | 2015-03-01
        """,
        TOLD,
    )


def test_a_week_of_a_stay_that_ended_in_death_tells_the_last_day_of_the_stay(flat, extracted, rows, collected):
    weeks = flat(
        "SSR",
        """
        person_id | ETA_NUM | RHA_NUM | period | SOR_MOD | EXE_SOI_DTD | EXE_SOI_DTF | SOR_DAT
        1         | H       | 1       | 2015   | -       | 2015-04-01  | 2015-04-20  | -
        1         | H       | 1       | 2015   | 9       | 2015-04-01  | 2015-04-20  | -
        2         | H       | 2       | 2015   | 9       | -           | -           | 20042015
        3         | H       | 3       | 2015   | 9       | -           | -           | -
        4         | H       | 4       | 2015   | 8       | -           | 2015-04-20  | -
        5         | H       | 5       | 2015   | 9       | 2015-04-01  | -           | -
        """,
    )
    found, _ = extracted(weeks, "ssr_hospital_stay")
    assert told_in(told_by_stays(found["ssr_hospital_stay"]), collected) == rows(
        """
        person_id | source        | first      | last
        1         | SSR_B.SOR_MOD | 2015-04-20 | 2015-04-20
        2         | SSR_B.SOR_MOD | 2015-04-20 | 2015-04-20
        """,
        TOLD,
    )


def test_a_death_is_not_believed_before_birth_nor_before_another_death_in_hospital_nor_when_care_goes_on(
    table, rows, collected
):
    told = table(
        """
        person_id | source               | first      | last
        1         | IR_BEN_R.BEN_DCD_DTE | 1934-12-31 | 1934-12-31
        2         | MCO_B.SOR_MOD        | 2015-03-06 | 2015-03-06
        2         | SSR_B.SOR_MOD        | 2015-06-01 | 2015-06-01
        3         | MCO_B.SOR_MOD        | 2015-03-06 | 2015-03-06
        3         | HAD_B.SOR_MOD        | 2015-03-07 | 2015-03-07
        4         | IR_BEN_R.BEN_DCD_DTE | 2014-01-01 | 2014-01-01
        5         | IR_BEN_R.BEN_DCD_DTE | 2014-01-01 | 2014-01-01
        6         | IR_BEN_R.BEN_DCD_DTE | 2014-01-01 | 2014-01-01
        7         | IR_BEN_R.BEN_DCD_DTE | 1990-01-01 | 1990-01-01
        """,
        TOLD,
    )
    births = table(
        """
        person_id | birth
        1         | 1935-06-15
        4         | -
        7         | 1990-07-15
        """,
        "person_id bigint, birth date",
    )
    # 4: two days of care more than a year later. 5: both within a year. 6: one day (an error of that line).
    care = table(
        """
        person_id | category      | weight | start      | end
        4         | drug_purchase | 1      | 2015-01-02 | -
        4         | dcir_ccam_act | 1      | 2015-01-03 | -
        5         | drug_purchase | 1      | 2014-12-31 | -
        5         | dcir_ccam_act | 1      | 2015-01-01 | -
        6         | drug_purchase | 1      | 2015-01-02 | -
        6         | dcir_ccam_act | 1      | 2015-01-02 | -
        """,
        EVENTS,
    )
    found = judged(pa.concat_tables([told, told]), births, care)
    assert collected(found, "person_id", "source", "verdict") == rows(
        """
        person_id | source               | verdict
        1         | IR_BEN_R.BEN_DCD_DTE | before_birth
        2         | MCO_B.SOR_MOD        | died_later_in_hospital
        2         | SSR_B.SOR_MOD        | credible
        3         | MCO_B.SOR_MOD        | credible
        3         | HAD_B.SOR_MOD        | credible
        4         | IR_BEN_R.BEN_DCD_DTE | care_after
        5         | IR_BEN_R.BEN_DCD_DTE | credible
        6         | IR_BEN_R.BEN_DCD_DTE | credible
        7         | IR_BEN_R.BEN_DCD_DTE | credible
        """,
        "person_id bigint, source string, verdict string",
    )


def test_the_earliest_credible_death_counts_and_precedence_names_its_source(table, rows, collected):
    told = table(
        """
        person_id | source                   | first      | last       | verdict
        1         | KI_CCI_R.BEN_DCD_DTE     | 2015-08-14 | 2015-08-14 | credible
        1         | IR_BEN_R.BEN_DCD_DTE     | 2015-08-14 | 2015-08-14 | credible
        1         | IR_BEN_R.BEN_DCD_AME     | 2015-08-01 | 2015-08-31 | credible
        2         | IR_BEN_R.BEN_DCD_DTE     | 2016-01-01 | 2016-01-01 | credible
        2         | KI_CCI_R.BEN_DCD_DTE     | 2015-08-14 | 2015-08-14 | credible
        3         | IR_BEN_R.BEN_DCD_AME     | 2015-08-01 | 2015-08-31 | credible
        4         | IR_BEN_R.BEN_DCD_AME     | 2015-08-01 | 2015-08-31 | credible
        4         | MCO_B.SOR_MOD            | 2015-08-31 | 2015-08-31 | credible
        5         | IR_BEN_R.BEN_DCD_DTE     | 2015-08-14 | 2015-08-14 | credible
        5         | MCO_B.SOR_MOD            | 2015-08-15 | 2015-08-15 | credible
        6         | MCO_B.SOR_MOD            | 2015-03-06 | 2015-03-06 | care_after
        6         | IR_BEN_R_ARC.BEN_DCD_DTE | 2016-08-14 | 2016-08-14 | credible
        7         | IR_BEN_R.BEN_DCD_DTE     | 1934-12-31 | 1934-12-31 | before_birth
        8         | KI_CCI_R.BEN_DCD_DTE     | 2015-08-14 | 2015-08-14 | credible
        8         | KI_CCI_R.BEN_DCD_DTE     | 2015-08-20 | 2015-08-20 | credible
        9         | MCO_B.SOR_MOD            | 2015-09-02 | 2015-09-02 | credible
        9         | IR_BEN_R.BEN_DCD_AME     | 2015-08-01 | 2015-08-31 | credible
        """,
        f"{TOLD}, verdict string",
    )
    # 5: within a day of each other. 9: told for August and for September: the first day of August.
    found = collected(decided(told), "person_id", "death", "death_source", "deaths_disagree")
    assert found == rows(
        """
        person_id | death      | death_source             | deaths_disagree
        1         | 2015-08-14 | IR_BEN_R.BEN_DCD_DTE     | false
        2         | 2015-08-14 | KI_CCI_R.BEN_DCD_DTE     | true
        3         | 2015-08-01 | IR_BEN_R.BEN_DCD_AME     | false
        4         | 2015-08-31 | MCO_B.SOR_MOD            | false
        5         | 2015-08-14 | IR_BEN_R.BEN_DCD_DTE     | false
        6         | 2016-08-14 | IR_BEN_R_ARC.BEN_DCD_DTE | false
        8         | 2015-08-14 | KI_CCI_R.BEN_DCD_DTE     | true
        9         | 2015-08-01 | IR_BEN_R.BEN_DCD_AME     | true
        """,
        "person_id bigint, death date, death_source string, deaths_disagree boolean",
    )


def test_care_after_a_death_is_counted_by_category(table):
    care = table(
        """
        person_id | category      | start
        1         | drug_purchase | 2015-01-02
        1         | drug_purchase | 2015-01-01
        1         | dcir_ccam_act | 2015-06-01
        2         | drug_purchase | 2015-06-01
        """,
        "person_id bigint, category string, start date",
    )
    persons = table("person_id | death\n1 | 2015-01-01\n2 | -", "person_id bigint, death date")
    assert care_after_death(care, persons) == {"dcir_ccam_act": 1, "drug_purchase": 1}
