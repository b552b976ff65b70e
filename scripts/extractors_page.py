"""Writes docs/reference/extractors.md: every extractor, filter and normal form of events, as they are declared.

.venv/bin/python scripts/extractors_page.py
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from parcours.events.extractors import Extractor, Pass, forms, passes
from parcours.events.filters import Filter, filters_of
from parcours.snds.contracts import load_product

HOME = Path(__file__).resolve().parents[1]
PAGE = HOME / "docs/reference/extractors.md"
PRODUCTS = {
    "DCIR": "Reimbursed claims",
    "MCO": "Hospital stays",
    "MCO_CE": "Outpatients of public hospitals",
    "SSR": "Rehabilitation",
    "SSR_CE": "Outpatients of public rehabilitation hospitals",
    "HAD": "Hospital at home",
    "RIP": "Psychiatry",
    "IR_IMB_R": "Long-term diseases",
    "KI_CCI_R": "Death certificates",
    "KI_ECD_R": "Causes on death certificates",
}
HEAD = """# Extractors

What of a flat row becomes an event. `parcours events --root R` extracts all categories below whose products are
published, `--category C` some of them; `parcours features` those that a study reads. Events are made once
(`<root>/events/<category>/<fingerprint>/`) and shared by all studies of the same data.

This page is generated from `src/parcours/events/` by `make docs`.

## An event

| column | |
|---|---|
| `person_id`, `category` | who, and which extractor |
| `code` | in the normal form of its code system |
| `start`, `end` | days; most events have no end |
| `group` | what belongs together: the stay or visit (hospital, number in its year, year), the statement, the claim |
| `weight` | a quantity, a mode of exit: see the extractor; null where it is not known |
| `source` | where an outpatient act was done, how a hospital medicine was given |

Rows that say the same of a person are one event. **Every row is accounted for**: `_MANIFEST.json` of a category has the
rows read, and they are those that `became_events` and those that each rule left out:

| rule | rows |
|---|---|
| `not_its_own` | that hold no such event: `where` is not true, or all `columns` are null |
| a filter (see below) | that are no care, or nobody's; the first that holds counts |
| `no_code`, `no_date` | whose `code` or `start` is null |
| `netted` | of lines that later ones took back |

## Write one

An extractor is an entry of `src/parcours/events/extractors/<PRODUCT>.yaml`; no code changes. All rows of a product are
read once for all its extractors, by slices of persons. Values are SQL (DuckDB) over one flat row: its columns
([flat tables](flat-tables.md)), the named expressions under `define:` of the file, and the normal forms at the end of
this page. A column that a delivery lacks is null.

| key | |
|---|---|
{keys}
`group: claim` is the claim as a short text, `group: statement` the statement (one sheet) that it is a line of; both in
files with `net` only. Never take an identifier of a person.

Rows to leave out are filters, `src/parcours/events/filters.yaml`, each with a source. A form that is missing is added
to `src/parcours/events/forms.yaml`. Give the extractor at least three cases in `tests/spec/events/cases/<PRODUCT>.yaml`
(rows, events, counts by rule; the test asks for them), then `make docs`.

A reference of persons (IR_IMB_R, causes of death) has extractors too: its rows are first given to their persons, as
flattening does it for claims, or by who holds the identifier of a certificate; events depend on the identity then.
"""
EXPLAINED = {
    "`category`, `title`, `system`": "its name, what it is in words, the code system of `code`",
    "`origin`": "where the rule is from",
    "`code`, `start`": "required; a row where one is null is counted and left out",
    "`columns`": "a row in which all of these are null holds no such event; `[]`: every row does",
    "`where`": "the rows it reads: `claim_row = 1` for what is of the stay or claim itself (flat rows repeat it), "
    "`source_table = 'MCO_D'` for what is of a detail",
    "`end`, `group`, `weight`, `source`": "null where not given",
    "`net`": "the weight is a quantity that later lines take back. Lines of a `code`, day and `source` are summed over "
    "claims and flux months, and what is above 0 stays. `table` and `line`: the details that are counted, each once; "
    "without `line` the claim is. `item` is netted by itself, where several have one code; `each` is what one of it "
    "holds: the weight is then what all that are left hold (`molecule_purchase`). Not with `end`: what is left of a "
    "day has none",
    "`care: true`": "its events show that a person is alive and cared for; every study reads them",
}
KEYS = ("where", "columns", "code", "start", "end", "group", "weight", "source")


def page() -> str:
    """The whole page."""
    all_passes = passes()
    assert sorted(all_passes) == sorted(PRODUCTS), "give every product with extractors its title in PRODUCTS"
    index = "".join(_index(one) for name in PRODUCTS for one in all_passes[name].extractors)
    table = "| category | what | product | code system |\n|---|---|---|---|\n"
    sections = "".join(_product(all_passes[name], title) for name, title in PRODUCTS.items())
    keys = "".join(f"| {key} | {meaning} |\n" for key, meaning in EXPLAINED.items())
    head = HEAD.replace("{keys}\n", f"{keys}\n")
    return f"{head}\n## All of them\n\n{table}{index}{sections}\n{_forms()}"


def _index(one: Extractor) -> str:
    return f"| [`{one.category}`](#{one.category}) | {one.title} | {one.product} | {one.system} |\n"


def _product(of: Pass, title: str) -> str:
    told = [f"\n## {of.product}: {title.lower()}\n"]
    if of.define:
        told += ["\nNamed expressions:\n\n| name | is |\n|---|---|\n", *_pairs(of.define)]
    if of.details:
        told.append(f"\n`claim` is the key of a line: {', '.join(load_product(of.product).key)}; ")
        told.append(f"`statement` that of several: {', '.join(load_product(of.product).key_of('ER_DCT_F'))}.\n")
    told += [_extractor(one) for one in of.extractors]
    told += ["\nFilters, in the order they are tried:\n\n", _filters(of)]
    return "".join(told)


def _extractor(one: Extractor) -> str:
    values = {key: getattr(one, key) for key in KEYS}
    rows = {
        key: ", ".join(value) if isinstance(value, tuple) else value for key, value in values.items() if value
    } | _net(one)
    plain = {
        "code system": one.system,
        **({"care": "shows that the person is cared for"} if one.care else {}),
        "filters": ", ".join(each.id for each in one.filters),
        "from": one.origin,
    }
    lines = [*_pairs(rows), *(f"| {name} | {_cell(value)} |\n" for name, value in plain.items())]
    return f"\n### {one.category}\n\n{one.title}.\n\n| | |\n|---|---|\n{''.join(lines)}"


def _net(one: Extractor) -> dict[str, str]:
    if one.net is None:
        return {}
    told = {"net": f"{one.net.table}, line {one.net.line}" if one.net.line else f"{one.net.table}, once a claim"}
    named = {"item": one.net.item, "each": one.net.each}
    return told | {name: value for name, value in named.items() if value}


def _filters(of: Pass) -> str:
    rows = "".join(_filter(one) for one in _all_filters(of))
    return f"| filter | of | leaves out | why | source |\n|---|---|---|---|---|\n{rows}"


def _all_filters(of: Pass) -> Iterable[Filter]:
    """The filters of a product, whatever categories they are of."""
    used = {each.id: each for one in of.extractors for each in filters_of(of.product, one.category)}
    return used.values()


def _filter(one: Filter) -> str:
    what = " and ".join(map(_condition, one.where))
    what += f"; not where {' and '.join(map(_condition, one.unless))}" if one.unless else ""
    what += f"; until {one.until}" if one.until else ""
    cells = (f"`{one.id}`", ", ".join(one.categories) or "all", what, one.meaning, one.source)
    return f"| {' | '.join(map(_cell, cells))} |\n"


def _condition(condition: Mapping[str, Any]) -> str:
    columns = condition.get("any_column") or [condition["column"]]
    named = " or ".join(f"`{column}`" for column in columns)
    if condition.get("empty"):
        return f"{named} empty"
    if "in_list" in condition:
        return f"{named} in `{condition['in_list']['file']}`"
    if "at_least" in condition:
        return f"{named} at least {condition['at_least']}"
    (word,) = {*condition} - {"column", "any_column"}
    return f"{named} {word.replace('_', ' ')} {', '.join(map(str, condition[word]))}"


def _forms() -> str:
    rows = "".join(
        f"| `{form['name']}({', '.join(form['arguments'])})` | {_cell(form['meaning'])} | {_cell(form['source'])} |\n"
        for form in forms()
    )
    head = "## Normal forms\n\nA null, or what is no code or date, gives null.\n\n"
    return f"{head}| form | gives | source |\n|---|---|---|\n{rows}"


def _pairs(values: Mapping[str, str]) -> list[str]:
    return [f"| {name} | `{_cell(value)}` |\n" for name, value in values.items()]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
