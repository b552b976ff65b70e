"""What one medicine may be in a study."""

DRUG_FAMILIES = "drug_families.csv"
SUBSTANCE, ATC_CLASS, FAMILY, PACK = "substance", "atc_class", "family", "cip13"
PRESCRIPTION = "prescription"


def purchases_at(level: str) -> str:
    """The category of events that the medicines of a study are read from."""
    return "prescribed_purchase" if level == PRESCRIPTION else "drug_purchase"
