"""What a command prints at its end: one JSON value for a program, a page for a person.

Names from somebody's table are printed as text, never as markup, and without control characters.
"""

from __future__ import annotations

import io
import json
import math
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import IO, TYPE_CHECKING, Any, cast

from rich.console import Console
from rich.table import Table
from rich.text import Text

from autometa.cli.options import OPTIONS
from autometa.live import console_width
from autometa.moved import former
from autometa.report.words import counted, metric_title, number, rows_words, spoken_bytes
from autometa.values import printable

if TYPE_CHECKING:
    from autometa.task import Task


def emit(value: Any) -> None:
    """Prints one JSON value; what is not a number (NaN, infinity) becomes null."""
    print(json.dumps(_plain(value), indent=2, ensure_ascii=False))


def page() -> Console:
    """Standard output for a person; in a pipe without the blanks that fill a line."""
    console = Console(highlight=False)
    if console.is_terminal:
        console.width = console_width(console)
        return console
    return Console(file=cast(IO[str], _Trimmed()), highlight=False, width=OPTIONS.piped)


class _Trimmed(io.TextIOBase):
    """Standard output without blanks at the ends of lines."""

    def write(self, text: str) -> int:
        return sys.stdout.write(re.sub(r" +$", "", text, flags=re.MULTILINE))


def task_line(task: Task) -> Text:
    """``name  300 rows × 30 columns, predicting 'y': binary, judged by ROC AUC``, the name in bold."""
    kind = f"{task.kind}, {len(task.classes)} classes" if task.kind == "multiclass" else task.kind
    size = f"{rows_words(task)} × {counted(task.p, 'column')}"
    judge = printable(metric_title(task.metric, task.positive_label))
    facts = f"{size}, predicting {printable(task.target)!r}: {kind}, judged by {judge}"
    return Text.assemble((printable(task.name), "bold"), f"  {facts}")


def facts_grid() -> Table:
    """A grid of two columns for the facts at the end of a page: what, and how it is."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def show_record(values: Mapping[str, Any]) -> None:
    """A few facts, one a line."""
    table = facts_grid()
    for name, value in values.items():
        if name == "bytes":
            value = spoken_bytes(value)
        elif isinstance(value, Mapping):
            value = ", ".join(f"{k} {number(v)}" for k, v in value.items())
        elif isinstance(value, (list, tuple, set, frozenset)):
            value = ", ".join(str(v) for v in value)
        table.add_row(name.replace("_", " "), Text(printable(number(value))))
    page().print(table)


def _plain(value: Any) -> Any:
    """JSON-safe: paths as text, arrays as lists, records as objects, what is not a finite number as null."""
    if isinstance(value, bool) or value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(v) for v in value]
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return str(value)


if not TYPE_CHECKING:
    __getattr__ = former(__name__)
