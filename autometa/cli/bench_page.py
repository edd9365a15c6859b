"""What a person sees of a benchmark: cells as they end, and at the end who is better.

On a terminal a line for each finished cell, and beneath it a bar with what runs and about how long it will take; in a
pipe or a log file the lines alone. Progress goes to standard error.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from autometa.bench.findings import Findings, failures, load, overhead, verdict
from autometa.bench.methods import METHODS
from autometa.bench.ranking import MethodComparison
from autometa.bench.report import MARKDOWN, PAGE
from autometa.bench.results import RESULTS
from autometa.bench.run import Watcher
from autometa.cli.options import OPTIONS
from autometa.cli.show import facts_grid, page
from autometa.live import OPTIONS as LIVE
from autometa.live import console_width
from autometa.report.words import counted, metric_title, number, own_unit, spoken_seconds
from autometa.values import printable


class Shown(Watcher):
    """A `bench.Watcher` that prints a line for each finished cell; its methods may be called from several threads."""

    def __init__(self, console: Console) -> None:
        """Draws on `console`."""
        self.console = console
        self.lock = threading.Lock()
        self.total = self.before = self.done = 0
        self.begun = time.monotonic()
        self.running: dict[tuple[str, tuple[int, int], str], float] = {}

    def planned(self, cells: int, done: int) -> None:
        """So many cells, and so many of them finished before."""
        self.total, self.before = cells, done

    def began(self, task: str, fold: tuple[int, int], method: str) -> None:
        """A cell begins."""
        with self.lock:
            self.running[task, fold, method] = time.monotonic()

    def ended(self, record: Mapping[str, Any]) -> None:
        """A cell ended."""
        with self.lock:
            self.running.pop((record["name"], (record["repeat"], record["fold"]), record["method"]), None)
            self.done += 1
        self.say(self.line(record))

    def note(self, text: str) -> None:
        """Prints something the person should know."""
        self.say(Text(printable(text), style="yellow"))

    def say(self, line: Text) -> None:
        """Prints a line, above those that change in place."""
        self.console.print(line, soft_wrap=not self.console.is_terminal)

    def line(self, record: Mapping[str, Any]) -> Text:
        """A finished cell: its number, task, fold and method, its score or why it has none, and how long it took."""
        place = f"{self.before + self.done}/{self.total}"
        fold = f"{record['fold']}" if record["repeat"] == 0 else f"{record['repeat']}.{record['fold']}"
        line = Text(f"{place:>9}  ", style="dim", overflow="ellipsis")
        line.append(f"{printable(record['name'])[:28]:<28} {fold:>3}  ", style="default not dim")
        line.append(f"{record['method']:<14} ", style="default not dim")
        if record["score"] is None:
            line.append(
                f"{record['state']}: {printable(record['reason'])[: OPTIONS.reason_letters]}", style="red not dim"
            )
        else:
            value = number(own_unit(record["metric"], record["score"]))
            line.append(f"{metric_title(record['metric']):<8} {value:>9} ", style="default not dim")
        line.append(f"  {spoken_seconds(record['seconds'])}")
        return line

    def frame(self) -> Table:
        """The lines that change in place."""
        grid = Table.grid(padding=(0, 1))
        left = max(self.total - self.before - self.done, 0)
        words = f"{self.before + self.done}/{self.total} cells  {spoken_seconds(time.monotonic() - self.begun)}"
        if self.done and left:
            each = (time.monotonic() - self.begun) / self.done
            words += f"  about {spoken_seconds(each * left)} left"
        bar = ProgressBar(total=max(self.total, 1), completed=self.before + self.done, width=30)
        grid.add_row(bar, Text(words))
        for (task, fold, method), begun in list(self.running.items())[: LIVE.shown_at_once]:
            text = f"{printable(task)} fold {fold[1]}, {method}  {spoken_seconds(time.monotonic() - begun)}"
            grid.add_row("", Text(text[: console_width(self.console) - 32], style="dim"))
        return grid


@contextmanager
def watching(stream: Any = None) -> Iterator[Watcher]:
    """On a terminal a line for each finished cell and a bar beneath; else the lines alone. All on standard error."""
    console = Console(file=stream, stderr=stream is None, highlight=False)
    shown = Shown(console)
    if not console.is_terminal:
        yield shown
        return
    live = Live(get_renderable=shown.frame, console=console, refresh_per_second=LIVE.frames_per_second, transient=True)
    with live:
        yield shown


def show_findings(found: Findings, paths: Mapping[str, Path]) -> None:
    """Prints the ranks, the duels, the first failures, and where results and reports are."""
    console = page()
    console.print()
    c = found.comparison
    if c is None:
        console.print(Text(f"{printable(found.suite)}: no dataset has been tried with every method yet"))
    else:
        facts = f"{counted(len(c.tasks), 'dataset')}, {counted(len(c.cells), 'cell')}, {c.budget:g} s"
        console.print(Text.assemble((printable(found.suite), "bold"), f"  {facts} on {counted(found.cores, 'core')}"))
        ranked = found.ranked or c
        console.print(_ranks(ranked))
        console.print(Text(verdict(ranked)))
        for duel in found.apart:
            took = c.seconds[:, c.methods.index(duel.other)]
            against = f"{METHODS[ranked.methods[0]].title} {duel.wins} / {duel.ties} / {duel.losses}"
            words = f"No budget holds {METHODS[duel.other].title}: {against}, its fit {_middle(took)}"
            console.print(Text(words, style="dim"))
        if (busy := load(c)) is not None:
            cpus = c.cells[0]["machine"]["cpus"]
            style = "yellow" if busy > cpus else "dim"
            console.print(Text(f"load {busy:g} on {counted(cpus, 'CPU')} as cells began", style=style))
        for line in _failed(c):
            console.print(Text(printable(line), style="yellow"))
    for task, why in found.unreadable.items():
        console.print(Text(printable(f"  not read: {task}: {why.splitlines()[0]}"), style="yellow"))
    console.print()
    grid = facts_grid()
    grid.add_row("results", str(paths[PAGE].with_name(RESULTS)))
    grid.add_row("report", str(paths[PAGE]))
    grid.add_row("README", str(paths[MARKDOWN]))
    share = overhead(found)
    if share is not None:
        grid.add_row("overhead", f"{share:.2%} of the time was not the methods' own")
    console.print(grid)


def _ranks(c: MethodComparison) -> Table:
    """The methods by their average rank, the best first, and each one's duels with the first that was asked for."""
    table = Table(box=box.SIMPLE_HEAD, header_style="dim", pad_edge=False)
    table.add_column("method", no_wrap=True)
    duels = {d.other: d for d in c.against()} if len(c.methods) > 1 else {}
    against = f"{METHODS[c.methods[0]].title} wins/ties/losses"
    for title in ("average rank", "scaled", "failed", "fit", against):
        table.add_column(title, justify="right", no_wrap=True)
    rank, scaled = c.ranks.mean(axis=0), c.scaled.mean(axis=0)
    for j, method in sorted(enumerate(c.methods), key=lambda pair: rank[pair[0]]):
        duel = duels.get(method)
        table.add_row(
            Text(METHODS[method].title, style="bold" if method == c.methods[0] else ""),
            f"{rank[j]:.2f}",
            f"{scaled[j]:.3f}",
            f"{int(c.failed[:, j].sum())}" if c.failed[:, j].any() else "",
            _middle(c.seconds[:, j]),
            "" if duel is None else f"{duel.wins} / {duel.ties} / {duel.losses}",
        )
    return table


def _middle(took: Any) -> str:
    """The median of the seconds of fits that did not fail, in words."""
    finite = sorted(value for value in took if value == value)
    return spoken_seconds(finite[len(finite) // 2]) if finite else "-"


def _failed(c: MethodComparison) -> list[str]:
    """The first cells that failed, and how many more did."""
    all_of_them = failures(c)
    lines = [
        f"  {name}, fold {fold}, {method} {why[: 2 * OPTIONS.reason_letters]}"
        for name, fold, method, why in all_of_them[: OPTIONS.failures]
    ]
    more = len(all_of_them) - len(lines)
    return [*lines, f"  and {more} more failures, in the report"] if more else lines
