"""Extractors: what of a flat row becomes an event, declared in extractors/<PRODUCT>.yaml."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from parcours.events.columns import PERIOD, column_type
from parcours.events.filters import Filter, columns_of, filters_of
from parcours.snds.contracts import load_product
from parcours.snds.declarations import read_facts

HERE = Path(__file__).parent
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
TEXT = re.compile(r"'[^']*'")


@dataclass(frozen=True)
class Net:
    """A quantity that later lines may take back: `line` numbers the details of a claim that are of `table`.

    Of the main table each claim is one line, and has no number. Where several things have one code, `item` tells them
    apart: each is netted by itself, and `each` is what one of it holds (null: not known). The weight of an event is
    then what all items that are left hold, null where one of them does not tell it. All SQL over a flat row.
    """

    table: str
    line: str | None = None
    item: str | None = None
    each: str | None = None


@dataclass(frozen=True)
class Extractor:
    """One category of events; `code`, `start`, `end`, `group`, `weight`, `source` and `where` are SQL over a flat row.

    `columns`: those of which a row has one, or holds no such event (none: every row does). `care`: whether its events
    show that the person is alive and cared for. `system`: the code system of `code`.
    """

    product: str
    category: str
    title: str
    system: str
    code: str
    start: str
    origin: str
    columns: tuple[str, ...] = ()
    where: str | None = None
    end: str | None = None
    group: str | None = None
    weight: str | None = None
    source: str | None = None
    net: Net | None = None
    care: bool = False

    @property
    def filters(self) -> tuple[Filter, ...]:
        """The rules that leave out rows of it."""
        return filters_of(self.product, self.category)

    @property
    def expressions(self) -> tuple[str, ...]:
        """Its SQL."""
        told = (self.code, self.start, self.end, self.group, self.weight, self.source, self.where, *self.columns)
        netted = (self.net.line, self.net.item, self.net.each) if self.net else ()
        return tuple(each for each in (*told, *netted) if each)


@dataclass(frozen=True)
class Pass:
    """What one pass over a product makes: named expressions, details by table, and extractors."""

    product: str
    define: Mapping[str, str]
    details: Mapping[str, tuple[str, ...]]
    extractors: tuple[Extractor, ...]

    def defined(self, extractors: Iterable[Extractor]) -> dict[str, str]:
        """The named expressions that some of its extractors use, and those that these use."""
        return self.used(expression for one in extractors for expression in one.expressions)

    def used(self, expressions: Iterable[str]) -> dict[str, str]:
        """The named expressions that some expressions use, and those that these use."""
        told = " ".join(expressions)
        used: dict[str, str] = {}
        for name, expression in reversed(list(self.define.items())):
            if re.search(rf"\b{name}\b", told):
                used[name] = expression
                told += f" {expression}"
        return dict(reversed(list(used.items())))

    def columns(self, extractors: Iterable[Extractor]) -> set[str]:
        """The flat columns that some of its extractors read, with those of their filters."""
        some = tuple(extractors)
        told = [*self.defined(some).values(), *(each for one in some for each in one.expressions)]
        if any(one.net for one in some):
            told += load_product(self.product).key
        if any(one.net and one.net.line for one in some):
            told += [each for names in self.details.values() for each in names]
        read = {column for expression in told for column in columns_in(self.product, expression)}
        return read | {"person_id"} | columns_of(tuple(each for one in some for each in one.filters)) - {PERIOD}

    def forms(self, extractors: Iterable[Extractor]) -> list[dict[str, Any]]:
        """The normal forms that some of its extractors, and the named expressions that they use, use."""
        some = tuple(extractors)
        told = " ".join([*self.defined(some).values(), *(each for one in some for each in one.expressions)])
        return [form for form in forms() if re.search(rf"\b{form['name']}\(", told)]

    def references(self, extractors: Iterable[Extractor]) -> set[str]:
        """The references that these forms look codes up in."""
        return {form["reference"] for form in self.forms(extractors) if "reference" in form}


def columns_in(product: str, expression: str) -> set[str]:
    """The flat columns of a product that an expression of SQL names."""
    words = set(WORD.findall(TEXT.sub("''", expression)))
    return {word for word in words if _is_column(product, word)}


def _is_column(product: str, word: str) -> bool:
    try:
        column_type(product, word)
    except LookupError:
        return False
    return True


@cache
def passes() -> dict[str, Pass]:
    """Every pass, by product."""
    return {path.stem: _read(path) for path in sorted((HERE / "extractors").glob("*.yaml"))}


@cache
def extractors() -> dict[str, Extractor]:
    """Every extractor, by category."""
    return {one.category: one for each in passes().values() for one in each.extractors}


def care_categories() -> tuple[str, ...]:
    """The categories whose events show that a person is cared for."""
    return tuple(category for category, one in extractors().items() if one.care)


def _read(path: Path) -> Pass:
    declared = read_facts(path)
    _refuse_unknown(path, declared, {"product", "define", "details", "extractors"})
    if declared["product"] != path.stem:
        raise ValueError(f"{path}: product is {declared['product']}, not the name of the file")
    return Pass(
        product=path.stem,
        define=declared.get("define", {}),
        details={table: tuple(names) for table, names in declared.get("details", {}).items()},
        extractors=tuple(_extractor(path, row) for row in declared["extractors"]),
    )


def _extractor(path: Path, row: dict[str, Any]) -> Extractor:
    _refuse_unknown(path, row, {field.name for field in fields(Extractor)} - {"product"})
    net = Net(**row["net"]) if "net" in row else None
    if net and "end" in row:
        raise ValueError(f"{path}: {row['category']} has an end and is netted; what is left of a day has none")
    return Extractor(**{**row, "product": path.stem, "columns": tuple(row.get("columns", ())), "net": net})


def _refuse_unknown(path: Path, row: Mapping[str, Any], known: Collection[str]) -> None:
    unknown = sorted({*row} - {*known})
    if unknown:
        raise ValueError(f"{path}: {', '.join(unknown)} mean nothing here; known are {', '.join(sorted(known))}")


@cache
def forms() -> tuple[dict[str, Any], ...]:
    """The normal forms that expressions use: {name, arguments, sql, meaning, source [, reference]}."""
    return tuple(read_facts(HERE / "forms.yaml")["forms"])
