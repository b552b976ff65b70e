"""Acts outside hospital stays: of claims (DCIR), and of outpatients of public hospitals (MCO_CE)."""

ACTS = "person_id bigint, code string, weight double, source string, start date"


def test_an_act_of_a_claim_is_what_is_left_of_it_after_cancellations(flat, extracted, rows, collected):
    claims = flat(
        "DCIR",
        """
        person_id | EXE_SOI_DTD | DCT_ORD_NUM | CAM_ORD_NUM | CAM_PRS_IDE | PRS_ACT_QTE | PRS_PPU_SEC
        1         | 2015-03-02  | 10          | 1           | mzmp0040    | 1           | -
        1         | 2015-03-02  | 10          | 1           | mzmp0040    | 1           | -
        2         | 2015-03-02  | 20          | 1           | MZMP004     | -           | -
        3         | 2015-03-02  | 30          | 1           | MZMP004     | 1           | -
        3         | 2015-03-02  | 31          | 1           | MZMP004     | -1          | -
        4         | 2015-03-02  | 40          | 1           | MZMP004     | 1           | -
        4         | 2015-03-02  | 41          | 1           | MZMP004     | -1          | 1
        5         | 2015-03-02  | 50          | 1           | -           | 1           | -
        6         | 2015-03-02  | 60          | 1           | MZMP004     | 1           | -
        6         | 2015-03-02  | 60          | 2           | MZMP004     | 1           | -
        6         | 2015-03-03  | 61          | 1           | MZMP004     | 1           | -
        """,
    )
    found, counts = extracted(claims, "dcir_ccam_act")
    # 1: a line that the flat form repeats. 2: no quantity is one. 3: cancelled. 4: another place was cancelled.
    # 5: no act. 6: two acts of one claim add up; another day is another event.
    assert collected(found["dcir_ccam_act"], "person_id", "code", "weight", "source", "start") == rows(
        """
        person_id | code    | weight | source  | start
        1         | MZMP004 | 1      | liberal | 2015-03-02
        2         | MZMP004 | 1      | liberal | 2015-03-02
        4         | MZMP004 | 1      | liberal | 2015-03-02
        6         | MZMP004 | 2      | liberal | 2015-03-02
        6         | MZMP004 | 1      | liberal | 2015-03-03
        """,
        ACTS,
    )
    assert counts["dcir_ccam_act"] == {"read": 11, "became_events": 7, "netted": 3, "not_its_own": 1}


def test_an_act_of_a_claim_says_where_it_was_done(flat, extracted, rows, collected):
    claims = flat(
        "DCIR",
        """
        person_id | EXE_SOI_DTD | DCT_ORD_NUM | CAM_PRS_IDE | PRS_PPU_SEC | ETE_GHS_NUM | ETE_TYP_COD
        1         | 2015-03-02  | 10          | MZMP004     | -           | -           | 5
        2         | 2015-03-02  | 20          | MZMP004     | 2           | 0           | 4
        2         | 2015-03-02  | 21          | MZMP004     | 1           | 0           | 7
        2         | 2015-03-02  | 22          | MZMP004     | 2           | 1234        | 5
        2         | 2015-03-02  | 23          | MZMP004     | 2           | 0           | 1
        2         | 2015-03-02  | 24          | MZMP004     | -           | 0           | -
        """,
    )
    found, _ = extracted(claims, "dcir_ccam_act")
    assert collected(found["dcir_ccam_act"], "person_id", "code", "weight", "source", "start") == rows(
        """
        person_id | code    | weight | source             | start
        1         | MZMP004 | 1      | liberal            | 2015-03-02
        2         | MZMP004 | 1      | private_ambulatory | 2015-03-02
        2         | MZMP004 | 1      | public_ambulatory  | 2015-03-02
        2         | MZMP004 | 3      | unknown_source     | 2015-03-02
        """,
        ACTS,
    )


def test_acts_without_an_order_number_are_counted_beside_the_same_other_details(flat, extracted, rows, collected):
    claims = flat(
        "DCIR",
        """
        person_id | EXE_SOI_DTD | DCT_ORD_NUM | CAM_ORD_NUM | CAM_PRS_IDE | PHA_ORD_NUM | PHA_ACT_QSN
        1         | 2015-03-02  | 10          | -           | MZMP004     | 1           | 1
        1         | 2015-03-02  | 10          | -           | MZMP004     | 1           | 1
        2         | 2015-03-02  | 20          | -           | MZMP004     | 1           | 1
        2         | 2015-03-02  | 20          | -           | MZMP004     | 2           | 1
        3         | 2015-03-02  | 30          | -           | MZMP004     | -           | 1
        3         | 2015-03-02  | 30          | -           | MZMP004     | -           | 2
        """,
    )
    found, _ = extracted(claims, "dcir_ccam_act")
    # 1: two acts beside one medicine. 2: one act beside two medicines. 3: beside two whose numbers of boxes differ.
    assert collected(found["dcir_ccam_act"], "person_id", "weight") == rows(
        "person_id | weight\n1 | 2\n2 | 1\n3 | 1", "person_id bigint, weight double"
    )


def test_an_act_of_an_outpatient_is_of_its_visit_and_there_once(flat, extracted, rows, collected):
    visits = flat(
        "MCO_CE",
        """
        person_id | ETA_NUM   | SEQ_NUM | period | EXE_SOI_DTD | CCAM_COD | NIR_RET
        1         | 010000001 | 1       | 2015   | 2015-03-02  | mzmp0040 | 0
        1         | 010000001 | 1       | 2015   | 2015-03-02  | MZMP004  | 0
        1         | 010000001 | 2       | 2015   | 2015-03-02  | MZMP004  | 0
        1         | 010000001 | 3       | 2015   | -           | MZMP004  | 0
        1         | 010000001 | 4       | 2015   | 2015-03-02  | -        | 0
        1         | 010000001 | 5       | 2015   | 2015-03-02  | MZMP004  | 1
        1         | 010000001 | 6       | 2015   | 2015-03-02  |          | 0
        """,
    )
    found, counts = extracted(visits, "mco_ce_ccam_act")
    assert collected(found["mco_ce_ccam_act"], "code", "group", "source", "start", "weight") == rows(
        """
        code    | group            | source            | start      | weight
        MZMP004 | 010000001_1_2015 | public_ambulatory | 2015-03-02 | -
        MZMP004 | 010000001_2_2015 | public_ambulatory | 2015-03-02 | -
        """,
        "code string, group string, source string, start date, weight double",
    )
    assert counts["mco_ce_ccam_act"] == {
        "read": 7,
        "became_events": 3,
        "no_date": 1,
        "no_code": 1,
        "return_code_outpatient": 1,
        "not_its_own": 1,
    }
