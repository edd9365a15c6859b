"""What a search says of itself, told on to whoever listens, and kept for the page: stages and notes are in no file."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from autometa.search import Silent
from autometa.watch.options import OPTIONS

if TYPE_CHECKING:
    from autometa.search import Progress, Settings, TrialRow
    from autometa.space import Config
    from autometa.task import Task
    from autometa.transfer import Recommendation


class Followed(Silent):
    """A `Progress` between a search and another.

    See Also:
        `RunWatcher`, which shows what is kept.

    Example:
        >>> followed = Followed(Silent())
        >>> followed.stage("reading", "wine.csv")
        >>> followed.note("Delimiter: tab.")
        >>> followed.now, followed.notes
        (('reading', 'wine.csv'), ['Delimiter: tab.'])
    """

    def __init__(self, to: Progress) -> None:
        """Tells everything on to `to`."""
        self._to, self._lock = to, threading.Lock()
        self._notes: deque[str] = deque(maxlen=OPTIONS.notes)
        self.now: tuple[str, str] = ("", "")  # the stage, and what it is about

    @property
    def notes(self) -> list[str]:
        """What should be known, the latest last."""
        with self._lock:
            return list(self._notes)

    def stage(self, name: str, detail: str = "") -> None:
        """A stage begins."""
        self.now = (name, detail)
        self._to.stage(name, detail)

    def started(self, task: Task, settings: Settings, recommendations: Sequence[Recommendation]) -> None:
        """The search is about to begin."""
        self._to.started(task, settings, recommendations)

    def trial_started(self, number: int, config: Config, origin: str, reason: str) -> None:
        """A trial begins."""
        self._to.trial_started(number, config, origin, reason)

    def trial_finished(self, trial: TrialRow, incumbent: TrialRow | None, elapsed: float) -> None:
        """A trial ended."""
        self._to.trial_finished(trial, incumbent, elapsed)

    def note(self, text: str) -> None:
        """Something the person should know."""
        with self._lock:
            self._notes.append(text)
        self._to.note(text)
