"""What a notebook shows: progress that draws itself while `fit` runs, and a fitted estimator with its leaderboard.

Made of plain elements with their styles beside them, so that it is shown in the dark, in a notebook that is not trusted
(which strips style sheets and scripts), and by every front end that knows HTML.
"""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from autometa.live import STAGES, LiveProgress, live
from autometa.report.html import Markup, join, tag
from autometa.report.verdict import ends_words
from autometa.report.words import (
    family_label,
    metric_heading,
    metric_title,
    number,
    origin_words,
    spoken_seconds,
    spoken_value,
)
from autometa.search import Ends

if TYPE_CHECKING:
    import pandas as pd

    from autometa.explain import ModelExplanation
    from autometa.search import Progress

REDRAWN = 0.5  # seconds between two drawings at least: a front end draws each of them. Judgement, not measured
LINES = 12  # lasting lines that are shown; the first ones go. Judgement, not measured: half a screen
LEADERS, COLUMNS = 8, 8  # rows of the leaderboard, and columns with their importance. Judgement: a screen together

_QUIET, _NUMBERS = "opacity:.65", "font-variant-numeric:tabular-nums"
_CELL = "padding:2px 14px 2px 0;text-align:left;border:0;vertical-align:top;white-space:nowrap"
_BOX = "font:14px/1.5 system-ui,sans-serif;max-width:860px"


def in_notebook() -> bool:
    """Whether what is shown goes to a notebook.

    Example:
        >>> in_notebook()
        False
    """
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return type(get_ipython()).__name__ == "ZMQInteractiveShell"


@contextmanager
def progress_here() -> Iterator[Progress]:
    """Progress where this program is looked at: in a notebook, on a terminal, in a log."""
    if not in_notebook():
        with live() as plain:
            yield plain
        return
    progress = NotebookProgress()
    try:
        yield progress
    finally:
        progress.end()


class NotebookProgress(LiveProgress):
    """Progress that draws itself in the output of a cell, again and again in its place."""

    def __init__(self) -> None:
        """Draws at once."""
        from IPython import display as shown_by

        super().__init__(Console(file=io.StringIO(), force_terminal=False))
        self._display: Any = shown_by
        self._said = list[Text]()
        self._over = threading.Event()
        self._handle = self._display.display(self._display.HTML(self.html()), display_id=True)
        self._ticking = threading.Thread(target=self._tick, daemon=True, name="notebook")
        self._ticking.start()

    def end(self) -> None:
        """Draws for the last time."""
        self._over.set()
        self._ticking.join()
        self._stage, self._running = "done", {}
        self._handle.update(self._display.HTML(self.html()))

    def stage(self, name: str, detail: str = "") -> None:
        """A stage begins; it is shown while it lasts."""
        with self._lock:
            self._stage, self._detail = name, detail
            self._running.clear()

    def html(self) -> str:
        """All of it as it stands."""
        with self._lock:
            lasting = [tag("div", line.plain, style=_QUIET if line.style == "dim" else None) for line in self._said]
            now = tag("table", self._rows(), style=f"{_NUMBERS};border:0;margin:6px 0 0")
        return str(tag("div", lasting[-LINES:], None if self._stage == "done" else now, style=_BOX))

    def _tick(self) -> None:
        while not self._over.wait(REDRAWN):
            self._handle.update(self._display.HTML(self.html()))

    def _rows(self) -> list[Markup]:
        """The stage or the budget, the best so far, and what is being tried."""
        elapsed = time.monotonic() - self._begun
        if self._stage != "searching" or self._settings is None:
            detail = f" ({self._detail})" if self._detail else ""
            return [_row("", f"{STAGES.get(self._stage, self._stage)}{detail}  {spoken_seconds(elapsed)}")]
        seconds, trials = self._settings.seconds, self._settings.trials
        parts = [f"{self._done} trials" if trials is None else f"{self._done} of {trials} trials", *self._ended()]
        parts.append(spoken_seconds(elapsed) + ("" if seconds is None else f" of {spoken_seconds(seconds)}"))
        shares = [elapsed / seconds if seconds else 0.0, self._done / trials if trials else 0.0]
        rows = [_row("", join([bar(max(shares), 180), "  ", ", ".join(parts)])), _row("best", self._incumbent().plain)]
        for trial, (family, origin, reason, begun) in sorted(self._running.items()):
            why = tag("span", f"{origin_words(origin)}. {reason}", style=_QUIET)
            rows.append(_row(f"#{trial}", join([f"{family} {spoken_seconds(time.monotonic() - begun)} ", why])))
        return rows

    def _say(self, line: Text) -> None:
        self._spoken = time.monotonic()
        self._said.append(line)


def _row(label: str, content: Any) -> Markup:
    name = tag("td", label, style=f"{_CELL};{_QUIET}")
    return tag("tr", name, tag("td", content, style=f"{_CELL};white-space:normal"), style="background:transparent")


def bar(share: float, width: int, *, less: bool = False) -> Markup:
    """A share in [0, 1] as a bar, of so many pixels.

    Example:
        >>> "width:50%" in bar(0.5, 100)
        True
    """
    full = 100 * min(max(share, 0.0), 1.0)
    colour = "#d9742f" if less else "#2f62d9"
    inner = tag("span", style=f"display:block;height:8px;width:{full:.0f}%;border-radius:4px;background:{colour}")
    outer = f"display:inline-block;width:{width}px;height:8px;border-radius:4px;background:rgba(128,128,128,.25)"
    return tag("span", inner, style=f"{outer};overflow:hidden;vertical-align:1px")


def shown(
    summary: Mapping[str, Any],
    board: pd.DataFrame,
    explanation: ModelExplanation | None,
    notes: Sequence[str] = (),
) -> Markup:
    """A fitted estimator: how good it is, its leaderboard, and which columns it needs.

    Args:
        summary: What ``autometa fit --json`` prints.
        board: Every trial, as `leaderboard_` has it.
        explanation: Why it answers as it does; None where that is not known.
        notes: What should be known.

    Example:
        >>> import pandas as pd
        >>> summary = {
        ...     "metric": "r2",
        ...     "score": 0.5,
        ...     "target": "y",
        ...     "task": "regression",
        ...     "trials": 0,
        ...     "seconds": 2.0,
        ...     "rows": 9,
        ...     "columns": 2,
        ...     "ensemble": [],
        ...     "run": "run",
        ...     "interval": [0.4, 0.6],
        ...     "dummy": None,
        ... }
        >>> "R² 0.5000" in shown(summary, pd.DataFrame(), None)
        True
    """
    metric, positive = summary["metric"], summary.get("positive")
    score = f"{metric_title(metric, positive)} {spoken_value(metric, summary['score'])}"
    if summary.get("interval"):
        low, high = sorted(spoken_value(metric, end) for end in summary["interval"])
        score += f" (95 %: {low} to {high})"
    size = f"{summary['columns']:,} columns and {summary['rows']:,} rows"
    several = len(summary["ensemble"])
    made = f"{several} pipelines together" if several > 1 else "one pipeline"
    failed = {"failed": count} if (count := summary.get("failed")) else {}
    ended = ends_words(Ends(summary.get("complete", 0), summary.get("stopped", 0), failed))
    what = f"{summary['task']} of “{summary['target']}” from {size}"
    folded = tag("details", tag("summary", f"{len(notes)} notes"), tag("ul", [tag("li", note) for note in notes]))
    parts = [
        tag("div", tag("b", score), " out of fold", style="font-size:17px"),
        tag("div", f"{what}; {made}; {ended} in {spoken_seconds(summary['seconds'])}", style=_QUIET),
        _board(board, metric, positive),
        _why(explanation, metric_title(metric, positive)),
        folded if notes else None,
    ]
    return tag("div", parts, style=_BOX)


def _table(titles: Sequence[str], rows: Sequence[Sequence[Any]]) -> Markup:
    head = tag("tr", [tag("th", title, style=f"{_CELL};{_QUIET};font-weight:500") for title in titles])
    body = [tag("tr", [tag("td", cell, style=_CELL) for cell in row], style="background:transparent") for row in rows]
    inner = tag("table", head, body, style=f"{_NUMBERS};border-collapse:collapse;margin:8px 0")
    return tag("div", inner, tabindex="0", style="overflow-x:auto")  # what scrolls can be reached by keys


def _board(board: pd.DataFrame, metric: str, positive: str | None) -> Markup | None:
    """The best trials."""
    if not len(board):
        return None
    rows = []
    for row in board.head(LEADERS).to_dict(orient="records"):
        if row["rank"] == row["rank"]:
            said = [family_label(row["family"]), spoken_value(metric, row[metric]), origin_words(row["origin"])]
            rows.append([f"{row['rank']:.0f}", *said, str(row["trial"]), spoken_seconds(row["fit_seconds"])])
    more = len(board) - len(rows)
    rest = tag("div", f"and {more:,} more in leaderboard_", style=_QUIET) if more > 0 else None
    return join([_table(["#", "family", metric_heading(metric, positive), "from", "trial", "fit"], rows), rest])


def _why(explanation: ModelExplanation | None, metric: str) -> Markup | None:
    """The columns that the model needs most, and which way they move its answer."""
    if explanation is None or not explanation.importance:
        return None
    top = explanation.importance[:COLUMNS]
    largest = max(max(one.drop for one in top), 1e-300)
    rows = [[one.column, join([bar(one.drop / largest, 120), f" {number(one.drop, 3)}"]), one.direction] for one in top]
    return join([_table(["column", f"{metric} is worse by", "the answer"], rows),
                 tag("div", explanation.words, style=_QUIET)])  # fmt: skip
