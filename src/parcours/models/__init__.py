"""Estimators on plain arrays: the self-controlled case series and its convolutional form with lagged effects."""

from parcours.models.case_series import CaseSeries, event_age_cuts
from parcours.models.conv_sccs import ConvSCCS
from parcours.models.event_dependent import EventDependentSCCS
from parcours.models.sccs import SCCS

__all__ = ["SCCS", "CaseSeries", "ConvSCCS", "EventDependentSCCS", "event_age_cuts"]
