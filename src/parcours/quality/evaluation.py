"""One suite on one view: what Great Expectations says, and how many rows fail in which period.

Great Expectations runs BOOLEAN_ONLY, which asks for no values. Failing rules, and those with a tolerance, are counted
in one more pass, by period, with the conditions it compiled: no value of any row is ever collected, so none can reach
a report.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from parcours.leaving import UNITS_NOT_OF_PERSONS, in_words, shown_part
from parcours.quality.catalogue import WHOLE_STUDY, Rule

if TYPE_CHECKING:
    from great_expectations.core.expectation_validation_result import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context import FileDataContext
    from great_expectations.datasource.fluent.interfaces import Batch
    from pyspark.sql import Column, DataFrame


@dataclass(frozen=True)
class Outcome:
    """What became of one rule.

    `elements` is the number of rows (or lines of a profile) it looked at, `places` the failing rows by period: for a
    rule with `rows`, those that the failing lines stand for.
    `evaluated` is False when Great Expectations could not evaluate the rule at all.
    """

    rule: Rule
    success: bool
    evaluated: bool
    elements: int
    places: dict[str, int]

    @property
    def unexpected(self) -> int:
        """Number of failing rows; of a rule that passes they are within its tolerance."""
        return sum(self.places.values())

    @property
    def found(self) -> str:
        """How much fails, in words that may leave: `0 rows`, `fewer than 11 rows`, `120 rows`.

        Of a rule on a study as a whole: whether it holds.
        """
        count, rule = self.unexpected, self.rule
        if not self.evaluated:
            return "not evaluated"
        if rule.unit == WHOLE_STUDY:
            return "holds" if self.success else "fails"
        of_rows = rule.rows is None and rule.unit not in UNITS_NOT_OF_PERSONS
        words = in_words(shown_part(count, self.elements) if of_rows else count, rule.unit)
        return f"{words}, within the tolerance" if count and self.success else words


def evaluate(
    context: "FileDataContext",
    view: str,
    rules: list[Rule],
    frame: "DataFrame",
    run_id: "RunIdentifier",
    about: Mapping[str, Any],
) -> list[Outcome]:
    """Run the checkpoint of a view on its DataFrame (which has a `period` column) and keep the result for Data Docs.

    `about` is what the pages say of the run beside its results.
    """
    checkpoint = context.checkpoints.get(view)
    results = checkpoint.run(batch_parameters={"dataframe": frame}, run_id=run_id).run_results
    (key, result), *_ = results.items()
    said = {_rule_id(entry): entry for entry in result.results}
    evaluated = [rule for rule in rules if not _raised(said[rule.id].exception_info)]
    batch = checkpoint.validation_definitions[0].data.get_batch({"dataframe": frame})
    # Counting costs as much as checking: a rule that passes without any tolerance has no failing row to count.
    counted = [rule for rule in evaluated if not said[rule.id].success or rule.arguments.get("mostly", 1) < 1]
    elements, places = _count(batch, frame, counted) if counted else (frame.count(), {})
    outcomes = [
        Outcome(
            rule=rule,
            success=bool(said[rule.id].success),
            evaluated=rule in evaluated,
            elements=elements,
            places=places.get(rule.id, {}),
        )
        for rule in rules
    ]
    _keep_counts(result, {outcome.rule.id: outcome for outcome in outcomes})
    cast("dict[str, Any]", result.meta)["about"] = dict(about)
    context.validation_results_store.set(key, result)
    return outcomes


def _rule_id(entry: "ExpectationValidationResult") -> str:
    assert entry.expectation_config is not None
    return str(entry.expectation_config.meta["rule"])


def _raised(exception_info: dict[str, Any] | None) -> bool:
    """Whether a rule raised; GX gives either one entry or one for each metric that failed."""
    if not exception_info:
        return False
    if "raised_exception" in exception_info:
        return bool(exception_info["raised_exception"])
    return True


def _count(batch: "Batch", frame: "DataFrame", rules: list[Rule]) -> tuple[int, dict[str, dict[str, int]]]:
    """Number of rows; by rule and period, the rows that fail or that the failing lines stand for (no entry: none)."""
    from pyspark.sql import functions as F

    conditions = _conditions(batch, rules)
    standing = [F.sum(F.when(conditions[rule.id], _weight(rule)).otherwise(0)).alias(rule.id) for rule in rules]
    counted = frame.groupBy("period").agg(F.count(F.lit(1)).alias("_elements"), *standing).collect()
    counted.sort(key=lambda line: str(line["period"]))
    return (
        sum(line["_elements"] for line in counted),
        {rule.id: {str(line["period"]): int(line[rule.id]) for line in counted if line[rule.id]} for rule in rules},
    )


def _weight(rule: Rule) -> "Column":
    from pyspark.sql import functions as F

    # A missing period stands for 0 rows: it still counts as one failure.
    return F.lit(1) if rule.rows is None else F.greatest(F.col(rule.rows).cast("bigint"), F.lit(1))


def _conditions(batch: "Batch", rules: list[Rule]) -> dict[str, "Column"]:
    """The condition under which a row fails each rule, as Great Expectations compiles it (null rows pass)."""
    import great_expectations.expectations as gxe
    from great_expectations.expectations.registry import get_expectation_impl
    from great_expectations.validator.metric_configuration import MetricConfiguration
    from great_expectations.validator.validator import Validator

    assert gxe  # registers the expectations
    metrics = {}
    for rule in rules:
        arguments = {k: v for k, v in rule.arguments.items() if k not in ("column", "mostly")}
        map_metric: str = vars(get_expectation_impl(rule.expectation))["map_metric"]
        name = f"{map_metric}.condition"
        metrics[rule.id] = MetricConfiguration(name, {"column": rule.arguments["column"]}, arguments)
    validator = Validator(execution_engine=batch.data.execution_engine, batches=[batch])
    validator.metrics_calculator.show_progress_bars = False
    compiled, _ = validator.metrics_calculator.compute_metrics(list(metrics.values()))
    return {rule: compiled[metric.id][0] for rule, metric in metrics.items()}


def _keep_counts(result: "ExpectationSuiteValidationResult", outcomes: dict[str, Outcome]) -> None:
    """Give the stored result what was found, in words that may leave: no value of a row, no error message.

    Neither the number of rows looked at nor a share of them is told: two rules on persons and on their events would
    give the persons back who had several, a share of a known number the rows that fail.
    """
    for entry in result.results:
        outcome = outcomes[_rule_id(entry)]
        entry.result = {"observed_value": outcome.found, "periods": [] if outcome.success else list(outcome.places)}
        message = None if outcome.evaluated else "The rule could not be evaluated."
        entry.exception_info = {
            "raised_exception": not outcome.evaluated,
            "exception_message": message,
            "exception_traceback": None,
        }
