"""The quality gate: rule catalogue -> Great Expectations suites -> verdict -> publication."""
