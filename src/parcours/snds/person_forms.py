"""`person:` of delivery.yaml: which columns say whose a row is, in one form for all products or a form for each."""

from typing import Any

from parcours.errors import InputError
from parcours.snds.contracts import Product, load_product, product_names
from parcours.snds.person_columns import (
    PersonColumns,
    correspondence_tables,
    person_names,
    referential_tables,
)
from parcours.snds.spelling import person_spelled

FIELDS: tuple[set[str], ...] = ({"column"}, {"psa"}, {"psa", "rank"})
NAMES = {"column", "psa", "rank"}
# In the place of a product: those of hospitals, and those that are not named.
HOSPITALS, OTHERS = "PMSI", "default"
# Tables whose columns `person` names.
HOLDERS = ("IR_BEN_R", "ER_PRS_F", "MCO_C", "RIP_C")

Form = dict[str, str]
Forms = dict[str, Any]


def declared_forms(where: str, person: Any) -> Forms:
    """What `person:` declares, with columns as contracts spell them: a form, or {product: form}.

    Raises InputError when it is neither.
    """
    if not isinstance(person, dict) or not person or set(person) & NAMES:
        return _form(where, "`person`", person)
    known = {*(name for name in product_names() if load_product(name).person), HOSPITALS, OTHERS}
    if unknown := sorted(map(str, set(person) - known)):
        raise InputError(
            f"{where}: `person` names {', '.join(unknown)}, which has no persons; "
            f"it may name {', '.join(sorted(known))}."
        )
    return {name: _form(where, f"`person` of {name}", form) for name, form in person.items()}


def _form(where: str, what: str, form: Any) -> Form:
    if (
        not isinstance(form, dict)
        or set(form) not in FIELDS
        or not all(isinstance(column, str) and column for column in form.values())
    ):
        raise InputError(f"{where}: {what} must be {{column: NUM_ENQ}} or {{psa: BEN_NIR_PSA, rank: BEN_RNG_GEM}}.")
    return person_spelled(form, HOLDERS)


def named_columns(person: Forms) -> tuple[str, ...]:
    """Every column that some form names."""
    return tuple(dict.fromkeys(column for form in _all(person) for column in form.values()))


def columns_of_rows(person: Forms, product: Product) -> PersonColumns | None:
    """The columns that say whose a row of a product is; None for references and products that know no persons.

    The same form for all names the columns of claims; a PSA of stays is where their contract has it. A pseudonym has
    the rank of its product, where it has one.
    """
    if product.form == "reference" or not product.person:
        return None
    if product.form == "union" and set(person) & NAMES and "psa" in person:
        return _columns(person, {"psa": product.person["psa"]}, None)
    form = _form_of(person, product, *((HOSPITALS,) if product.form == "union" else ()))
    return _columns(person, form, product.person.get("rank") if "column" in form else None)


def columns_of_identity(person: Forms) -> PersonColumns:
    """The columns of the tables that say who an identifier is.

    They have a rank even where the delivery's claims have none: that is how a PSA of several persons is known.
    """
    referential = load_product(referential_tables()[0])
    return _columns(person, _form_of(person, referential, "DCIR"), referential.person["rank"])


def needed_columns(person: Forms, product: Product) -> tuple[str, ...]:
    """The columns without which a reference says of nobody what it says.

    A pseudonym is a matter of the identity, which is of no person without it. Claims and stays without theirs are rows
    of nobody, which their manifest counts.
    """
    if product.form != "reference" or not product.person:
        return ()
    if "identity" in product.person:
        return tuple(product.person.values())
    form = _form_of(person, product, "DCIR")
    return () if "column" in form or product.name in correspondence_tables() else tuple(form.values())


def _form_of(person: Forms, product: Product, *others: str) -> Form:
    if set(person) & NAMES:
        return person
    names = (product.name, *others, OTHERS)
    return next((person[name] for name in names if name in person), product.person)


def _columns(person: Forms, form: Form, rank: str | None) -> PersonColumns:
    pseudonym = any("column" in form for form in _all(person))
    first = tuple(column for column in named_columns(person) if column in person_names())
    return PersonColumns(
        psa=form.get("column") or form["psa"],
        rank=form.get("rank", rank),
        pseudonym=pseudonym,
        unranked=pseudonym or "rank" not in form,
        names=(*first, *(name for name in person_names() if name not in first)),
    )


def _all(person: Forms) -> list[Form]:
    return [person] if set(person) & NAMES else list(person.values())
