"""Names of medicines, from the reference of packs (IR_PHA_R) in the flat tables."""

from typing import TYPE_CHECKING

from parcours.storage.place import Place, found

if TYPE_CHECKING:
    import pandas as pd

# Code and label of a medicine in IR_PHA_R, by the study's level. Classes and families are their own names.
COLUMNS = {"substance": ("PHA_ATC_C07", "PHA_ATC_L07"), "cip13": ("PHA_CIP_C13", "PHA_NOM_COURT")}


def medicine_names(reference: Place, level: str) -> dict[str, str]:
    """{code: name} of the packs under `reference` (the flat IR_PHA_R): the label most packs of a code carry.

    Empty when the reference is not there or the level has no labels: reports then show the codes.
    """
    files = found(reference, "period=*/*.parquet")
    if level not in COLUMNS or not files:
        return {}
    import pandas as pd

    code, label = COLUMNS[level]
    parts = [part for file in files if (part := _labels(file, [code, label])) is not None]
    if not parts:
        return {}
    packs = pd.concat(parts).dropna().astype(str)
    counts = packs.groupby([code, label]).size().rename("packs").reset_index()
    chosen = counts.sort_values(["packs", label], ascending=[False, True]).drop_duplicates(code)
    return {str(key): readable(str(name)) for key, name in pd.Series(chosen[label].values, chosen[code]).items()}


def _labels(file: Place, columns: list[str]) -> "pd.DataFrame | None":
    """Columns of one file; None when it lacks one of them."""
    import pyarrow.parquet as pq

    with file.open("rb") as source, pq.ParquetFile(source) as packs:
        return packs.read(columns).to_pandas() if {*columns} <= {*packs.schema_arrow.names} else None


def readable(label: str) -> str:
    """SNDS labels are in capitals: `ZOLPIDEM` reads Zolpidem."""
    label = " ".join(label.split())
    return label.capitalize() if label.isupper() else label
