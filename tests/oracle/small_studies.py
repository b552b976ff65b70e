"""Random small studies for Hypothesis, and one to change by hand."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from parcours.cohort.study import Exposures, Medicines, ModelSettings, Outcomes, Population, Study
from tests.oracle.histories import UNKNOWN_CIP7, UNKNOWN_CIP13, ZOLPIDEM, some
from tests.oracle.rows import CODELISTS

RULES = ("hospital_stay", "liberal_act", "public_ambulatory_act", "private_ambulatory_act")
# Study start on 1 January 2014, washout of 2 months, follow-up from 1 April 2014 to 30 June 2015.
STUDY = Study(
    cohort="small",
    title="small",
    description="",
    schedule=None,
    codelists=CODELISTS,
    population=Population(
        *(dt.date(2014, 1, 1), dt.date(2015, 6, 30), 65, 120, "all", 3),
        *("study_start", 0, 0, 2, "keep", "drop", 6, "accept", ""),
    ),
    medicines=Medicines("substance", (), (), ()),
    exposures=Exposures("unlimited", 1, 180, 2, 0, 30, 90, 15, "purchase_count", 1, 30),
    outcomes=Outcomes("fracture", RULES, (), "site_group", 4, 1, "first"),
    model=ModelSettings(14, 2, 90, (), True, True, (), (), 3, 0, 30, 1),
)
CHOICES: Mapping[str, Mapping[str, st.SearchStrategy[Any]]] = {
    "population": {
        "study_end": some(dt.date(2014, 12, 31), dt.date(2015, 6, 30)),
        "age_minimum": some(0, 0, 65),
        "age_maximum": some(120, 120, 70),
        "sex": some("all", "all", "all", "women", "men"),
        "start_gap_months": some(0, 3, 6),
        "observation_from": some("study_start", "study_start", "first_purchase"),
        "first_purchase_within_months": some(0, 0, 0, 2, 12),
        "trackloss_months": some(0, 0, 1, 4),
        "trackloss_after_months": some(0, 1, 2),
        "prior_outcome": some("keep", "keep", "drop"),
        "ambiguous_identity": some("drop", "keep"),
    },
    "medicines": {
        "level": some("substance", "atc_class", "family", "cip13", "prescription"),
        "atc_include": some((), (), (), (), ("N05", "C07AB07")),
        "atc_exclude": some((), (), (), (), ("N05B",), ("N05CF02",)),
        "packs": some((), (), (), (), (str(ZOLPIDEM), str(UNKNOWN_CIP13), str(UNKNOWN_CIP7))),
    },
    "exposures": {
        "kind": some("unlimited", "limited"),
        "min_purchases": some(1, 1, 1, 2, 3),
        "purchases_window_days": some(1, 10, 60),
        "washout_months": some(0, 2, 6),
        "start_delay_days": some(0, 1, 30),
        "small_pack_days": some(1, 30),
        "large_pack_days": some(2, 90),
        "merge_tolerance_days": some(0, 1, 15),
        "limited_end": some("purchase_count", "latest_purchase"),
        "interaction_level": some(1, 1, 2, 2, 3),
        "interaction_minimum_days": some(1, 30, 45),
    },
    "outcomes": {
        "rules": some(RULES, RULES, RULES[:1], RULES[1:]),
        "sites": some((), (), (), ("hip",), ("distal_upper_limb", "foot")),
        "site_level": some("site_group", "site"),
        "frame_months": some(0, 1, 4),
        "severity_minimum": some(1, 1, 1, 2, 3),
        "outcome_events": some("first", "all"),
    },
}


def changed(study: Study, section: str, **values: Any) -> Study:
    """The study with some parameters of a section changed."""
    return replace(study, **{section: replace(getattr(study, section), **values)})


@st.composite
def studies(draw: st.DrawFn) -> Study:
    """A study of two years or less, all parameters that the history depends on drawn."""
    study = STUDY
    for section, of_name in CHOICES.items():
        study = changed(study, section, **draw(st.fixed_dictionaries(dict(of_name))))
    return study
