"""Whether several outputs hold the same flat rows; without that no ratio means anything."""

import duckdb

from parcours.errors import ParcoursError

# Two amounts of the main table and one number of each joined table.
SUMMED = (
    "PRS_PAI_MNT",
    "BSE_REM_MNT",
    "ER_PHA_F__PHA_ACT_PRU",
    "ER_CAM_F__CAM_ACT_PRU",
    "ER_ETE_F__ETE_GHS_NUM",
    "ER_UCD_F__UCD_TTF_MNT",
)
# Beside the key. No dates of care: those that mean "not known" are null for Parcours and days for the others.
HASHED = ("BEN_NIR_PSA", "ER_PHA_F__PHA_PRS_C13", "ER_CAM_F__CAM_PRS_IDE", "ER_UCD_F__UCD_UCD_COD")


def digest(files: str, key: list[str]) -> dict[str, int]:
    """Number of rows, sum of a hash over key, person and codes, and sums in cents; the order of rows is of no account.

    `files` is a pattern of Parquet files. Sums are of integers, so that they are exact.
    """
    hashed = ", ".join(f'"{name}"' for name in (*key, *HASHED))
    sums = [f'coalesce(sum(round(100 * "{name}")::HUGEINT), 0) AS "{name}"' for name in SUMMED]
    query = f"SELECT count(*) AS rows, sum(hash({hashed})::HUGEINT) AS hash, {', '.join(sums)} FROM read_parquet(?)"
    with duckdb.connect(config={"threads": 2}) as connection:
        found = connection.execute(query, [files])
        names = [column[0] for column in found.description or ()]
        return dict(zip(names, map(int, found.fetchall()[0]), strict=True))


def check_agreement(digests: dict[str, dict[str, int]]) -> None:
    """Raise ParcoursError, naming the first number that differs, unless all digests are the same."""
    (first, expected), *others = digests.items()
    for name, found in others:
        for what, value in expected.items():
            if found[what] != value:
                message = f"{name} and {first} do not give the same rows: {what} is {found[what]} and {value}."
                raise ParcoursError(f"{message} No result was written.")
