"""Which medicine a pack is, at the level of a study."""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from parcours.cohort.medicine_levels import ATC_CLASS, DRUG_FAMILIES, FAMILY, PACK, PRESCRIPTION
from parcours.cohort.study import Medicines
from parcours.engine.duck import query
from parcours.events.codelists import read_codelist

ATC_CLASS_LENGTH = 5
BOUGHT = "SELECT person_id, drug, start AS day, large FROM events JOIN named USING (code)"
PRESCRIBED = """
    SELECT person_id, string_agg(DISTINCT drug, '_' ORDER BY drug) AS drug, start AS day, bool_or(large) AS large
    FROM events JOIN named USING (code) GROUP BY person_id, "group", start
"""


def purchases_of(events: pa.Table, packs: pa.Table, medicines: Medicines, codelists: Path) -> pa.Table:
    """person_id, drug, day, large of the study's medicines, from purchase events, whose code is the pack.

    A purchase of a pack in two families is a purchase of both; one without an ATC code has no substance, class or
    family and is left out at those levels. Of a prescription the substances are one medicine, in their order; it is
    large when one of its packs is.
    """
    known = query(
        """
        SELECT code, any_value(atc) AS atc, coalesce(bool_or(large), false) AS large
        FROM (SELECT DISTINCT code FROM events) LEFT JOIN packs ON code = cip13 GROUP BY code ORDER BY code
        """,
        events=events,
        packs=packs,
    ).to_pylist()
    rows = [(pack["code"], drug, pack["large"]) for pack in known for drug in _drugs(pack, medicines, codelists)]
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    types = (pa.string(), pa.string(), pa.bool_())
    named = pa.table({n: pa.array(c, t) for n, c, t in zip(("code", "drug", "large"), columns, types, strict=True)})
    sql = PRESCRIBED if medicines.level == PRESCRIPTION else BOUGHT
    return query(sql, events=events, named=named)


def _drugs(pack: dict[str, str | None], medicines: Medicines, codelists: Path) -> Iterable[str]:
    code, atc = pack["code"], pack["atc"]
    if code is None or not _selected(code, atc, medicines):
        return ()
    if medicines.level == PACK:
        return (code,)
    if atc is None:
        return ()
    if medicines.level == FAMILY:
        return families(atc, codelists / DRUG_FAMILIES)
    return (atc[:ATC_CLASS_LENGTH] if medicines.level == ATC_CLASS else atc,)


def _selected(code: str, atc: str | None, medicines: Medicines) -> bool:
    if medicines.packs and code not in medicines.packs:
        return False
    if medicines.atc_include and not (atc or "").startswith(medicines.atc_include):
        return False
    return not (medicines.atc_exclude and (atc or "").startswith(medicines.atc_exclude))


def families(atc: str, path: Path) -> tuple[str, ...]:
    """The families of an ATC code: those with a subfamily that includes it and does not exclude it."""
    subfamilies: dict[tuple[str, str], dict[str, bool]] = {}
    for row in read_codelist(path):
        told = subfamilies.setdefault((row["family"], row["subfamily"]), {"include": False, "exclude": False})
        told[row["action"]] |= atc.startswith(row["atc_prefix"])
    return tuple(
        dict.fromkeys(name for (name, _), told in subfamilies.items() if told["include"] and not told["exclude"])
    )
