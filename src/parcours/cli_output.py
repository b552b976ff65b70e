"""What the command line shows: a progress bar with its ETA, and a summary as tables."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

OnProgress = Callable[[int, int, str], None]


@contextmanager
def progress_bar(title: str, quiet: bool) -> Iterator[OnProgress]:
    """A function (done, total, label) that draws a bar on stderr, on a terminal only."""
    console = Console(file=sys.stderr)
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=quiet or not console.is_terminal, transient=True) as bar:
        task = bar.add_task(title, total=None)

        def report(done: int, total: int, label: str) -> None:
            bar.update(task, completed=done, total=total, description=f"{title}: {label}")

        yield report


def show(title: str, summary: dict[str, Any], seconds: float) -> None:
    """Print a summary: plain values first, then each list of rows as a table."""
    console = Console()
    console.print(f"[bold]{title}[/bold] · {seconds:.1f} s")
    for name, value in summary.items():
        if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
            console.print(_table(name, value))
        elif isinstance(value, dict):
            plain = {key: item for key, item in value.items() if not isinstance(item, list | dict)}
            inner = ", ".join(f"{key} {_text(item)}" for key, item in plain.items())
            console.print(f"  {name}: {inner}", highlight=False)
        elif not isinstance(value, list):
            console.print(f"  {name}: {_text(value)}", highlight=False)


def _table(name: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=name, title_justify="left")
    columns = [key for key, value in rows[0].items() if not isinstance(value, list | dict)]
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(_text(row.get(column)) for column in columns))
    return table


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
