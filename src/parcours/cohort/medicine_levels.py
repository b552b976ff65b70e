"""What one medicine may be in a study."""

DRUG_FAMILIES = "drug_families.csv"
SUBSTANCE, ATC_CLASS, FAMILY, PACK = "substance", "atc_class", "family", "cip13"
PRESCRIPTION = "prescription"
