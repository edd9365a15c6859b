"""The tuned numbers of the page that follows a search."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """How often is looked, and how long is waited; `OPTIONS` are those in use."""

    # Milliseconds between the questions of a page, while a search runs and once it is finished. Judgement: trials take
    # about a second.
    ask_ms: int = 1000
    ask_finished_ms: int = 5000
    # Seconds that a finished search waits for a page that looked at it lately, and since when that is. Judgement: two
    # questions of the page.
    goodbye_seconds: float = 3.0
    # Notes that are kept for the page; older ones go. Judgement: a screen.
    notes: int = 30
    # Seconds that a client may take to send its request. Judgement, not measured.
    patient_seconds: float = 20.0


OPTIONS = WatchOptions()
