"""Cohorts: study files, population, follow-up, exposures, outcomes and attrition."""
