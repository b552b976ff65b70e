"""`person:` of delivery.yaml in, the columns that say whose a row is out."""

import pytest

from parcours.errors import InputError
from parcours.snds.contracts import load_product
from parcours.snds.names import resolve
from parcours.snds.person_forms import columns_of_identity, columns_of_rows, declared_forms, needed_columns

PORTAL = {"psa": "BEN_NIR_PSA", "rank": "BEN_RNG_GEM"}
EXTRACTION = {"column": "NUM_ENQ"}
EACH = {"DCIR": {"column": "NUM_ENQ"}, "PMSI": {"column": "ID_PMSI"}, "SSR": {"psa": "NUM_SSR"}}


def found(person, product):
    columns = columns_of_rows(declared_forms("delivery.yaml", person), load_product(product))
    return columns and (columns.psa, columns.rank)


@pytest.mark.parametrize(
    ("person", "dcir", "mco", "ssr"),
    [
        (PORTAL, ("BEN_NIR_PSA", "BEN_RNG_GEM"), ("NIR_ANO_17", None), ("NIR_ANO_17", None)),
        ({"psa": "BEN_NIR_PSA"}, ("BEN_NIR_PSA", None), ("NIR_ANO_17", None), ("NIR_ANO_17", None)),
        (EXTRACTION, ("NUM_ENQ", "BEN_RNG_GEM"), ("NUM_ENQ", None), ("NUM_ENQ", None)),
        (EACH, ("NUM_ENQ", "BEN_RNG_GEM"), ("ID_PMSI", None), ("NUM_SSR", None)),
        ({"default": EXTRACTION}, ("NUM_ENQ", "BEN_RNG_GEM"), ("NUM_ENQ", None), ("NUM_ENQ", None)),
        ({"MCO": EXTRACTION}, ("BEN_NIR_PSA", "BEN_RNG_GEM"), ("NUM_ENQ", None), ("NIR_ANO_17", None)),
        ({"psa": "ben_nir_psa", "rank": "Ben_Rng_Gem"}, ("BEN_NIR_PSA", "BEN_RNG_GEM"), *[("NIR_ANO_17", None)] * 2),
    ],
)
def test_each_product_has_its_columns(person, dcir, mco, ssr):
    assert (found(person, "DCIR"), found(person, "MCO"), found(person, "SSR")) == (dcir, mco, ssr)
    assert found(person, "IR_BEN_R") is None
    assert found(person, "RIP3A") is None


def test_a_referential_is_read_as_dcir_is_unless_it_is_named():
    assert columns_of_identity(EACH).psa == "NUM_ENQ"
    assert columns_of_identity({**EACH, "IR_BEN_R": {"psa": "BEN_NIR_PSA", "rank": "BEN_RNG_GEM"}}).psa == "BEN_NIR_PSA"
    assert columns_of_identity({"psa": "BEN_NIR_PSA"}).rank == "BEN_RNG_GEM"


def test_where_a_product_names_persons_referentials_name_them_so_first():
    """DCIR knows pseudonyms, stays the person: both must have the same person_id."""
    person = {"DCIR": EXTRACTION, "MCO": {"column": "NUM_ANO"}}
    columns = columns_of_rows(person, load_product("MCO"))
    assert columns.names_persons
    assert columns_of_identity(person).names[0] == "NUM_ANO"
    assert columns_of_identity(EXTRACTION).names[0] == "BEN_IDT_ANO"


def test_what_a_reference_must_have():
    referential, correspondence, causes = (load_product(n) for n in ("IR_BEN_R", "TABLE_CORRESPONDANCE", "KI_CCI_R"))
    assert needed_columns(PORTAL, referential) == ("BEN_NIR_PSA", "BEN_RNG_GEM")
    assert needed_columns(EXTRACTION, referential) == ()
    assert needed_columns(PORTAL, correspondence) == ()
    assert needed_columns(EXTRACTION, causes) == ("BEN_IDT_ANO",)
    assert needed_columns(PORTAL, load_product("DCIR")) == ()


@pytest.mark.parametrize(
    ("person", "sentence"),
    [
        ({"DCRI": EXTRACTION}, "`person` names DCRI, which has no persons; it may name .*DCIR.*PMSI"),
        ({"IR_PHA_R": EXTRACTION}, "`person` names IR_PHA_R, which has no persons"),
        ({"DCIR": "NUM_ENQ"}, "`person` of DCIR must be {column: NUM_ENQ} or"),
        ({"DCIR": EXTRACTION, "column": "NUM_ENQ"}, "`person` must be {column: NUM_ENQ} or"),
        ({}, "`person` must be"),
        (None, "`person` must be"),
    ],
)
def test_what_is_no_form_is_told(person, sentence):
    with pytest.raises(InputError, match=sentence):
        declared_forms("delivery.yaml", person)


@pytest.mark.parametrize(
    "name", ["CORRESPONDANCE", "table_correspondance", "T_CORRESP_2017", "EXTRACTION_PATIENTS2017TR"]
)
def test_projects_name_their_table_of_correspondence_as_they_like(name):
    assert resolve(name) == ("TABLE_CORRESPONDANCE", None)
