"""The reference page of the rules, written from the catalogue: `python -m parcours.quality.reference`."""

import logging

from parcours.home import project_home
from parcours.quality.catalogue import Catalogue, Rule, load_catalogue

log = logging.getLogger(__name__)

PAGE = "docs/reference/quality-rules.md"
ORDER = ("DCIR", "MCO", "RECONCILIATION", "FEATURES")
HEAD = """# Quality rules

Generated from `src/parcours/quality/rules/*.yaml` by `python -m parcours.quality.reference`: change the rules there,
then write this page and `expectations/` (`python -m parcours.quality.suites`) again.

A **critical** rule that fails stops the chain (exit code 1, nothing is published); a **warning** is written to the
verdict and the log. Where a rule states a share (99 % of rows), the rest is what the source is documented to
hold. Null values pass every rule except those on missing values. [How to read a refusal](../how-to/read-a-refusal.md).
"""
TITLES = {
    "DCIR": "DCIR: reimbursed claims",
    "MCO": "MCO: hospital stays",
    "RECONCILIATION": "Reconciliation: every product, from its manifests",
    "FEATURES": "Features: before the models of a study",
}


def rules_page() -> str:
    """The whole page, as Markdown."""
    return HEAD + "".join(_section(load_catalogue(name)) for name in ORDER)


def _section(catalogue: Catalogue) -> str:
    views = "".join(f"- `{view.name}`: {view.description}\n" for view in catalogue.checked_views())
    rows = "".join(_row(rule) for rule in catalogue.rules)
    table = "| rule | severity | what must hold | why, and what is documented |\n|---|---|---|---|\n"
    return f"\n## {TITLES[catalogue.name]}\n\nViews (one Great Expectations suite each):\n\n{views}\n{table}{rows}"


def _row(rule: Rule) -> str:
    return f"| `{rule.id}` | {rule.severity} | {rule.description} | {rule.source} |\n"


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    (project_home() / PAGE).write_text(rules_page(), "utf-8")
    log.info("wrote %s", PAGE)
