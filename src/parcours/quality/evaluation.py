"""One suite on one view: what Great Expectations says, and how many rows fail in which period.

Great Expectations runs BOOLEAN_ONLY, which asks for no values. Failing rules are counted in one more pass, by
period, with the conditions it compiled: no value of any row is ever collected, so none can reach a report.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from parcours.quality.catalogue import Rule

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

    `elements` is the number of rows (or lines of a profile) it looked at, `failing` how many of them fail,
    `places` the failing rows by period: for a rule with `rows`, those that the failing lines stand for.
    `evaluated` is False when Great Expectations could not evaluate the rule at all.
    """

    rule: Rule
    success: bool
    evaluated: bool
    elements: int
    failing: int
    places: dict[str, int]

    @property
    def unexpected(self) -> int | None:
        """Number of failing rows; None for a rule that passed within its tolerance, which is not counted."""
        tolerant = self.success and self.rule.arguments.get("mostly", 1) < 1
        return None if tolerant else sum(self.places.values())


def evaluate(
    context: "FileDataContext", view: str, rules: list[Rule], frame: "DataFrame", run_id: "RunIdentifier"
) -> list[Outcome]:
    """Run the checkpoint of a view on its DataFrame (which has a `period` column) and keep the result for Data Docs."""
    checkpoint = context.checkpoints.get(view)
    results = checkpoint.run(batch_parameters={"dataframe": frame}, run_id=run_id).run_results
    (key, result), *_ = results.items()
    said = {_rule_id(entry): entry for entry in result.results}
    evaluated = [rule for rule in rules if not _raised(said[rule.id].exception_info)]
    batch = checkpoint.validation_definitions[0].data.get_batch({"dataframe": frame})
    failed = [rule for rule in evaluated if not said[rule.id].success]
    # Counting costs as much as checking, so only failing rules are counted.
    elements, failing, places = _count(batch, frame, failed) if failed else (frame.count(), {}, {})
    outcomes = [
        Outcome(
            rule=rule,
            success=bool(said[rule.id].success),
            evaluated=rule in evaluated,
            elements=elements,
            failing=failing.get(rule.id, 0),
            places=places.get(rule.id, {}),
        )
        for rule in rules
    ]
    _keep_counts(result, {outcome.rule.id: outcome for outcome in outcomes})
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


def _count(
    batch: "Batch", frame: "DataFrame", rules: list[Rule]
) -> tuple[int, dict[str, int], dict[str, dict[str, int]]]:
    """Number of rows, failing rows by rule, and what they stand for by rule and period (no entry for none)."""
    from pyspark.sql import functions as F

    conditions = _conditions(batch, rules)
    failing = [F.count(F.when(conditions[rule.id], 1)).alias(f"{rule.id}.failing") for rule in rules]
    standing = [F.sum(F.when(conditions[rule.id], _weight(rule)).otherwise(0)).alias(rule.id) for rule in rules]
    counted = frame.groupBy("period").agg(F.count(F.lit(1)).alias("_elements"), *failing, *standing).collect()
    counted.sort(key=lambda line: str(line["period"]))
    return (
        sum(line["_elements"] for line in counted),
        {rule.id: sum(line[f"{rule.id}.failing"] for line in counted) for rule in rules},
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
    """Give the stored result its counts, and nothing else that a row or an error message could leave in it."""
    for entry in result.results:
        outcome = outcomes[_rule_id(entry)]
        entry.result = {"element_count": outcome.elements}
        if outcome.unexpected is not None:
            share = 100 * outcome.failing / outcome.elements if outcome.elements else 0.0
            entry.result |= {"unexpected_count": outcome.failing, "unexpected_percent": share}
        message = None if outcome.evaluated else "The rule could not be evaluated."
        entry.exception_info = {
            "raised_exception": not outcome.evaluated,
            "exception_message": message,
            "exception_traceback": None,
        }
