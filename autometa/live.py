"""What a person sees while a search runs, on a terminal, in a log file or in a notebook.

On a terminal three or four lines that change in place (the budget, the best so far, what is being tried and where it
came from), and above them one lasting line for each new best. In a pipe or a log file, the lasting lines and a sign of
life now and then. Everything goes to standard error.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from autometa.origins import Origin, State
from autometa.report.verdict import dummy_words, ends_words, scored, warning
from autometa.report.words import (
    counted,
    family_label,
    held_out_words,
    origin_words,
    rows_words,
    spoken_score,
    spoken_seconds,
)
from autometa.search import Ends
from autometa.values import printable

if TYPE_CHECKING:
    from autometa.search import Result, Settings, TrialRow
    from autometa.space import Config
    from autometa.task import Task
    from autometa.transfer import Recommendation


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """How much a person sees at once, and how often; `OPTIONS` are those in use."""

    # Columns of the widest page on a terminal. Judgement, not measured: longer lines are hard to read.
    widest: int = 110
    # Frames a second of lines that change in place. Judgement, not measured: seconds are shown, and a spinner turns.
    frames_per_second: int = 8
    # Seconds between lines where nothing can change in place. Judgement, not measured.
    sign_of_life_seconds: float = 15.0
    # Running trials, or cells of a benchmark, with a line of their own. Judgement, not measured: one for each of the
    # four CPUs of a small machine.
    shown_at_once: int = 4


OPTIONS = LiveOptions()

STAGES = {
    "reading": "reading the table",
    "encoding": "making vectors of images or texts",
    "describing": "looking for similar tasks",
    "searching": "searching",
    "ensembling": "putting an ensemble together",
    "refitting": "fitting the final model on all rows",
    "remembering": "remembering what was learned",
    "explaining": "looking at which columns the model needs",
}


def console_width(console: Console) -> int:
    """Columns to use: the terminal's, as far as lines stay readable."""
    return min(console.width, OPTIONS.widest)


def origin_style(origin: str) -> str:
    """The terminal's style of an origin; none for one that is not known here."""
    known = Origin.read(origin)
    return "" if known is None else known.colour


@contextmanager
def live(stream: Any = None) -> Iterator[LiveProgress]:
    """Progress on standard error (or `stream`) for as long as the block runs."""
    console = Console(file=stream, stderr=stream is None, highlight=False)
    progress = LiveProgress(console)
    if not console.is_terminal:
        yield progress
        return
    display = Live(
        get_renderable=progress.frame,
        console=console,
        refresh_per_second=OPTIONS.frames_per_second,
        transient=True,
        redirect_stdout=False,
    )
    with _unechoed(), display:
        yield progress


@contextmanager
def _unechoed() -> Iterator[None]:
    """Keeps the terminal from writing ``^C`` into lines that change in place."""
    try:
        import termios
    except ImportError:  # no such terminal
        yield
        return
    terminal = sys.__stdin__
    if terminal is None or not terminal.isatty():
        yield
        return
    before = termios.tcgetattr(terminal)
    changed = [*before[:3], before[3] & ~termios.ECHOCTL, *before[4:]]
    termios.tcsetattr(terminal, termios.TCSANOW, changed)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, before)


class LiveProgress:
    """A `search.Progress` for a person; its methods may be called from several threads."""

    def __init__(self, console: Console) -> None:
        """Draws on `console`."""
        self._console = console
        self._lock = threading.RLock()
        self._begun = self._spoken = time.monotonic()
        self._stage = "reading"
        self._detail = ""
        self._task: Task | None = None
        self._settings: Settings | None = None
        self._running: dict[int, tuple[str, str, str, float]] = {}  # number -> family, origin, reason, when it began
        self._best: TrialRow | None = None
        self._done = self._stopped = self._failed = 0
        self._spinner = Spinner("dots", style="cyan")

    def stage(self, name: str, detail: str = "") -> None:
        """A stage begins."""
        with self._lock:
            self._stage, self._detail = name, detail
            self._running.clear()
            if not self._console.is_terminal:
                self._say(Text(f"{STAGES.get(name, name)}{f' ({printable(detail)})' if detail else ''}"))

    def started(self, task: Task, settings: Settings, recommendations: Sequence[Recommendation]) -> None:
        """The search is about to begin."""
        with self._lock:
            self._task, self._settings = task, settings
            words = (
                f"{printable(task.name)}: {rows_words(task)}, {task.p:,} columns, predicting {printable(task.target)!r}"
            )
            self._say(Text(f"{words} ({task.kind}, {task.metric})", style="bold"))
            warm = sum(known.proposed for r in recommendations if (known := Origin.read(r.origin)) is not None)
            if warm:
                self._say(
                    Text(f"past tasks propose {warm} of the first {len(recommendations)} configurations", style="dim")
                )
            elif not settings.cold:
                self._say(Text("no past task resembles this one; starting from the libraries' defaults", style="dim"))

    def trial_started(self, number: int, config: Config, origin: str, reason: str) -> None:
        """A trial begins."""
        with self._lock:
            self._running[number] = (family_label(config["family"]), origin, printable(reason), time.monotonic())

    def trial_finished(self, trial: TrialRow, incumbent: TrialRow | None, elapsed: float) -> None:
        """A trial ended."""
        with self._lock:
            self._running.pop(trial.number, None)
            self._done += 1
            self._begun = time.monotonic() - elapsed
            self._stopped += trial.evaluation.state == State.STOPPED
            self._failed += not trial.evaluation.ended_well
            if incumbent is not None and incumbent.number == trial.number:
                self._best = incumbent
                line = Text(f"{_clock(elapsed):>7}  ", style="dim")
                line.append(f"{self._score(incumbent)}  ", style="bold green" if self._console.is_terminal else "bold")
                line.append(f"{family_label(incumbent.evaluation.config['family'])} ", style="default not dim")
                line.append(f"(trial {incumbent.number}, {origin_words(trial.origin)})", style="dim")
                self._say(line)
            elif not self._console.is_terminal and time.monotonic() - self._spoken > OPTIONS.sign_of_life_seconds:
                ended = ", ".join([f"{self._done} trials", *self._ended()])
                self._say(Text(f"{_clock(elapsed):>7}  {ended}, best {self._score(self._best)}"))

    def note(self, text: str) -> None:
        """Something the person should know."""
        with self._lock:
            self._say(Text(printable(text), style="dim"))

    def concluded(self, result: Result) -> None:
        """What came of the search, where no page follows that says it: the score, what a constant gets, the trials."""
        with self._lock:
            self._stage = "done"
            words = f"{counted(len(result.members), 'pipeline')}: {scored(result)} {held_out_words(result.task)}"
            self._say(Text(printable(words), style="bold"))
            for line, style in ((dummy_words(result), ""), (warning(result), "bold yellow")):
                if line is not None:
                    self._say(Text(printable(line), style=style))
            tried = f"{ends_words(Ends.of(result.trials))} in {spoken_seconds(result.seconds)}"
            self._say(Text(tried, style="dim"))

    def frame(self) -> Group:
        """The lines that change in place.

        Takes no lock: the display asks for it while it holds its own, which `_say` waits for.
        """
        grid = Table.grid(padding=(0, 1))
        grid.add_column(min_width=4, style="dim", no_wrap=True)
        grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        for label, line in self._lines(console_width(self._console) - 5):
            grid.add_row(label, line)
        return Group(grid)

    # ------------------------------------------------------------------------------------------------- lines

    def _lines(self, width: int) -> Iterator[tuple[str | Spinner, Any]]:
        elapsed = time.monotonic() - self._begun
        if self._stage != "searching":
            detail = f" ({printable(self._detail)})" if self._detail else ""
            yield self._spinner, Text(f"{STAGES.get(self._stage, self._stage)}{detail}  {_clock(elapsed)}")
            return
        yield self._spinner, self._budget(elapsed, width)
        yield "best", self._incumbent()
        running = sorted(self._running.copy().items())
        for number, (family, origin, reason, begun) in running[: OPTIONS.shown_at_once]:
            line = Text(f"{family} ", overflow="ellipsis")
            line.append(f"{_clock(time.monotonic() - begun)} ", style="dim")
            line.append(f"{origin_words(origin)} ", style=origin_style(origin))
            line.append(reason, style="dim")
            yield f"#{number}", line
        if len(running) > OPTIONS.shown_at_once:
            yield "", Text(f"and {len(running) - OPTIONS.shown_at_once} more", style="dim")

    def _budget(self, elapsed: float, width: int) -> Table:
        assert self._settings is not None
        seconds, trials = self._settings.seconds, self._settings.trials
        parts = [f"{self._done} trials" if trials is None else f"{self._done}/{trials} trials"]
        parts += self._ended()
        parts.append(_clock(elapsed) if seconds is None else f"{_clock(elapsed)} / {_clock(seconds)}")
        words = "  ".join(parts)
        shares = [elapsed / seconds if seconds else 0.0, self._done / trials if trials else 0.0]
        row = Table.grid(padding=(0, 1))
        bar = ProgressBar(total=1.0, completed=min(max(shares), 1.0), width=max(10, min(40, width - len(words) - 2)))
        row.add_row(bar, Text(words))
        return row

    def _ended(self) -> list[str]:
        """How many trials ended otherwise than evaluated."""
        counts = {"stopped early": self._stopped, "failed": self._failed}
        return [f"{count} {how}" for how, count in counts.items() if count]

    def _incumbent(self) -> Text:
        if self._best is None:
            return Text("nothing yet", style="dim")
        line = Text(overflow="ellipsis")
        line.append(self._score(self._best), style="bold green")
        line.append(f"  {family_label(self._best.evaluation.config['family'])} ")
        line.append(f"trial {self._best.number}, {origin_words(self._best.origin)}", style="dim")
        return line

    def _score(self, trial: TrialRow | None) -> str:
        if trial is None or self._task is None:
            return "nothing yet"
        metric, positive = self._task.metric, self._task.positive_label
        return printable(spoken_score(metric, trial.evaluation.scores[metric], positive=positive))

    def _say(self, line: Text) -> None:
        self._spoken = time.monotonic()
        self._console.print(line, soft_wrap=not self._console.is_terminal)


@contextmanager
def counting(title: str, stream: Any = None) -> Iterator[Callable[[int, int, str], None]]:
    """A bar for work that is counted: the callback takes how many are done, of how many, and what was just done."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(file=stream, stderr=stream is None, highlight=False)
    if not console.is_terminal:
        spoken = [0.0]

        def tell(done: int, total: int, text: str) -> None:
            if done == total or time.monotonic() - spoken[0] > OPTIONS.sign_of_life_seconds:
                spoken[0] = time.monotonic()
                console.print(Text(f"{title}: {done}/{total}  {printable(text)}"), soft_wrap=True)

        yield tell
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[said]}", markup=False, style="dim"),
    )
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        bar = progress.add_task(title, total=None, said="")

        def update(done: int, total: int, text: str) -> None:
            progress.update(bar, completed=done, total=total, said=printable(text)[:40])

        yield update


def _clock(seconds: float) -> str:
    """Minutes and seconds, as on a clock."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else spoken_seconds(seconds)
