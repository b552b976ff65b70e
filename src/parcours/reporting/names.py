"""Names of medicines, from the reference of packs (IR_PHA_R) in the flat tables."""

from pathlib import Path

# Code and label of a medicine in IR_PHA_R, by the study's level. Classes and families are their own names.
COLUMNS = {"substance": ("PHA_ATC_C07", "PHA_ATC_L07"), "cip13": ("PHA_CIP_C13", "PHA_NOM_COURT")}


def medicine_names(reference: Path, level: str) -> dict[str, str]:
    """{code: name} of the packs under `reference` (the flat IR_PHA_R): the label most packs of a code carry.

    Empty when the reference is not there or the level has no labels: reports then show the codes.
    """
    files = sorted(str(path) for path in reference.glob("period=*/*.parquet"))
    if level not in COLUMNS or not files:
        return {}
    import pandas as pd
    import pyarrow.dataset as dataset

    source = dataset.dataset(files, format="parquet")
    code, label = COLUMNS[level]
    if not {code, label} <= set(source.schema.names):
        return {}
    packs = source.to_table(columns=[code, label]).to_pandas().dropna().astype(str)
    counts = packs.groupby([code, label]).size().rename("packs").reset_index()
    chosen = counts.sort_values(["packs", label], ascending=[False, True]).drop_duplicates(code)
    return {str(key): readable(str(name)) for key, name in pd.Series(chosen[label].values, chosen[code]).items()}


def readable(label: str) -> str:
    """SNDS labels are in capitals: `ZOLPIDEM` reads Zolpidem."""
    label = " ".join(label.split())
    return label.capitalize() if label.isupper() else label
