"""Writes docs/reference/command-line.md: every command with its options, as the command line itself declares them.

.venv/bin/python scripts/command_line_page.py
"""

from pathlib import Path
from typing import Any

import typer

from parcours.cli import app

PAGE = Path(__file__).resolve().parents[1] / "docs/reference/command-line.md"
HEAD = """# The command line

`.venv/bin/parcours COMMAND` runs the stages of the chain without Airflow, by the same code. Each command shows a
progress bar on a terminal, and its result as a table.

| exit code | means | do |
|---|---|---|
| 0 | done, or already there | go on |
| 1 | the gate or a diagnostic refused | look at the data: [read a refusal](../how-to/read-a-refusal.md) |
| 2 | the input is wrong | mend what the sentence names: [errors](errors.md) |
| 3 | a fault that a retry may cure: a full disk, another writer | start again; what was committed stays |
| 70 | a fault in Parcours itself | report it, with the lines above the sentence |

A command that fails says why in one sentence, the last line on stderr. With `--json` stdout holds one JSON object and
nothing else; logs go to stderr. A root is a folder, `file:///...` or `hdfs://...`.

This page is generated from the command line by `make docs`.
"""


def page() -> str:
    """The whole page."""
    group: Any = typer.main.get_command(app)
    return HEAD + "".join(_command(name, command) for name, command in group.commands.items())


def _command(name: str, command: Any) -> str:
    arguments = [f" {one.name.upper()}" for one in command.params if one.param_type_name == "argument" and one.name]
    rows = "".join(_row(one) for one in command.params if one.name != "help")
    table = f"\n| | | default |\n|---|---|---|\n{rows}" if rows else ""
    return f"\n## parcours {name}{''.join(arguments)}\n\n{(command.help or '').strip()}\n{table}"


def _row(parameter: Any) -> str:
    option = parameter.param_type_name != "argument"
    name = " ".join(f"`{text}`" for text in parameter.opts) if option else f"`{(parameter.name or '').upper()}`"
    default = "required" if parameter.required else _default(parameter.default)
    return f"| {name} | {parameter.help or ''}{_limits(parameter)} | {default} |\n"


def _default(value: object) -> str:
    return "" if value in (None, False, [], ()) else f"`{value}`"


def _limits(parameter: Any) -> str:
    low, high = getattr(parameter, "min", None), getattr(parameter, "max", None)
    if low is None:
        return ""
    return f" (from {low} to {high})" if high is not None else f" (at least {low})"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
