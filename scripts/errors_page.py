"""Writes docs/reference/errors.md: every sentence with which a command can end, found in the sources.

python scripts/errors_page.py
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]
PAGE = HOME / "docs/reference/errors.md"
SOURCES = ("src/parcours", "plugins", "dags")
EXIT_CODES = {"GateRefused": 1, "InputError": 2, "RetryableFault": 3, "NotConverged": 3, "ParcoursError": 3}
# What to do where the sentence itself only says what is right.
BY_CODE = {1: "Look at the data", 2: "Mend what it names", 3: "Start again"}
# With what an advice begins after a colon.
ADVICE = frozenset(
    {"add", "ask", "build", "call", "check", "convert", "deliver", "fill", "fit", "give", "lower", "remove", "raise"}
    | {"run", "set", "shorten", "start", "use", "widen", "write"}
)
SECTIONS = {
    "snds": "The delivery, contracts and identifiers",
    "flatten": "Raw files and flat tables",
    "storage": "The root, disks and HDFS",
    "quality": "The quality gate",
    "engine": "Work on slices",
    "events": "Events",
    "cohort": "Study files, parameters and plans",
    "features": "Features",
    "models": "Models",
    "tracking": "MLflow",
    "reporting": "Reports",
    "comparison": "Comparisons",
    "release": "Releases",
    "stages": "Stages and commands",
    "synth": "Synthetic deliveries",
    "front": "The platform on one machine",
    "embedded": "The platform on one machine",
    "plugins": "Airflow",
    "dags": "Airflow",
}
HEAD = """# Errors: the sentence, and what to do

Every sentence with which a command or a task can end, by the part that says it. ‹name› stands for what the sentence
names: a file, a column, a value. A sentence is the last line on stderr, and the reason of a red task in Airflow. The
exit code says what to do with it: 1 the gate or a diagnostic refused (look at the data), 2 the input is wrong (mend
it; a retry ends the same way), 3 a fault that a retry may cure, 70 a fault in Parcours itself (the only one with a
traceback; please report it).

This page is generated from the sources by `make docs`.
"""


@dataclass(frozen=True)
class Sentence:
    """One sentence of the sources, as a template, with the exit code that goes with it."""

    section: str
    code: int
    text: str


def sentences() -> list[Sentence]:
    """Every sentence of the sources, in the order of sections, codes and texts; each once."""
    found = {
        sentence
        for folder in SOURCES
        for file in sorted((HOME / folder).rglob("*.py"))
        for sentence in _of_file(file, file.relative_to(HOME).parts)
    }
    order = list(dict.fromkeys(SECTIONS.values()))
    return sorted(found, key=lambda one: (order.index(one.section), one.code, one.text))


def _of_file(file: Path, parts: tuple[str, ...]) -> Iterator[Sentence]:
    section = SECTIONS.get(parts[2] if parts[0] == "src" else parts[0], SECTIONS["stages"])
    tree = ast.parse(file.read_text("utf-8"))
    codes = EXIT_CODES | _own_classes(tree)
    for scope in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]:
        texts = {
            target.id: node.value
            for node in ast.walk(scope)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for call in [node for node in ast.walk(scope) if isinstance(node, ast.Call) and node.args]:
            name = call.func.id if isinstance(call.func, ast.Name) else ""
            if name in codes and (text := _template(call.args[0], texts)):
                yield Sentence(section, codes[name], text)


def _own_classes(tree: ast.Module) -> dict[str, int]:
    """Exceptions that a module derives from those of errors.py."""
    return {
        node.name: EXIT_CODES[base.id]
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for base in node.bases
        if isinstance(base, ast.Name) and base.id in EXIT_CODES
    }


def _template(node: ast.expr, texts: dict[str, ast.expr]) -> str:
    """A text with ‹name› for what is put into it; empty when it is a sentence passed on."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.Name) and node.id in texts:
        return _template(texts[node.id], {})
    if isinstance(node, ast.BinOp):
        return _template(node.left, texts) + _template(node.right, texts)
    if not isinstance(node, ast.JoinedStr):
        return ""
    text = "".join(str(v.value) if isinstance(v, ast.Constant) else _placeholder(v) for v in node.values)
    # A sentence of placeholders alone is one that was made elsewhere and passed on.
    return text if re.search(r"\w{2,} \w", re.sub("‹.*?›", "", text)) else ""


def _placeholder(node: ast.expr) -> str:
    """‹name› of what is shown: the last name in the expression that says what it is."""
    names = [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]
    attributes = [part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)]
    named = [name for name in [*attributes, *reversed(names)] if name not in PASSED_OVER]
    return f"‹{(named or ['value'])[0].strip('_').replace('_', ' ')}›"


PASSED_OVER = {"join", "sorted", "name_of", "self", "len", "set", "format", "strip", "str", "shown", "_shown", "parent"}


def page() -> str:
    """The whole page."""
    groups = groupby(sentences(), key=lambda sentence: sentence.section)
    return HEAD + "".join(_section(title, list(found)) for title, found in groups)


def _section(title: str, found: list[Sentence]) -> str:
    rows = "".join(f"| {one.code} | {' | '.join(_cell(part) for part in split(one))} |\n" for one in found)
    return f"\n## {title}\n\n| exit code | what it says | what to do |\n|---|---|---|\n{rows}"


def split(sentence: Sentence) -> tuple[str, str]:
    """What is wrong, and what to do: after the last semicolon, full stop or colon of the sentence itself."""
    text = sentence.text.strip().rstrip(".:")
    for mark in ("; ", ". "):
        wrong, found, todo = text.rpartition(mark)
        if found and len(todo.split()) > 1:
            return wrong, todo[0].upper() + todo[1:]
    wrong, found, todo = text.rpartition(": ")
    if found and todo.split()[0] in ADVICE:
        return wrong, todo[0].upper() + todo[1:]
    return text, BY_CODE[sentence.code]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;").strip()


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
