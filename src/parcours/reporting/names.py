"""Names of medicines, from the published reference of packs (IR_PHA_R), as the events of a run kept them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# Code and label of a medicine in IR_PHA_R, by the study's level. Classes and families are their own names.
SUBSTANCES = ("PHA_ATC_C07", "PHA_ATC_L07")
COLUMNS = {"substance": SUBSTANCES, "prescription": SUBSTANCES, "cip13": ("PHA_CIP_C13", "PHA_NOM_COURT")}


def medicine_names(packs: "pd.DataFrame", level: str) -> dict[str, str]:
    """{code: name} of the packs (columns of IR_PHA_R): the label most packs of a code carry.

    Empty when the level has no labels: reports then show the codes.
    """
    if level not in COLUMNS:
        return {}
    import pandas as pd

    code, label = COLUMNS[level]
    packs = packs[[code, label]].dropna()
    if pd.api.types.is_float_dtype(packs[code]):  # what pandas makes of whole numbers, where a pack has none
        packs = packs.astype({code: "int64"})
    packs = packs.astype(str).apply(lambda column: column.str.strip())
    packs = packs.assign(**{code: packs[code].str.upper()}).loc[packs[label] != ""]  # as the events have their codes
    counts = packs.groupby([code, label]).size().rename("packs").reset_index()
    chosen = counts.sort_values(["packs", label], ascending=[False, True]).drop_duplicates(code)
    return {str(key): readable(str(name)) for key, name in pd.Series(chosen[label].values, chosen[code]).items()}


def name_of(drug: str, names: Mapping[str, str]) -> str:
    """The name of a medicine, or of several that are joined as N05BA12_N05CF02; the code where one has no name."""
    if drug in names:
        return names[drug]
    parts = drug.split("_")
    return " + ".join(names[part] for part in parts) if all(part in names for part in parts) else drug


def readable(label: str) -> str:
    """SNDS labels are in capitals: `ZOLPIDEM` reads Zolpidem."""
    label = " ".join(label.split())
    return label.capitalize() if label.isupper() else label
