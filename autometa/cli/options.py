"""The tuned numbers of the command line: how much a person sees at once, and how long they wait for what they see."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CliOptions:
    """Widths, numbers of lines, and waits; `OPTIONS` are those in use."""

    # Most seconds that permutation importance may take for a report of a run that has none. Judgement, not measured:
    # what a person accepts to wait for it.
    importance_seconds: float = 5.0
    # Seconds in which `explain` explains rows, unless it is told. Judgement: what a person waits.
    explain_seconds: float = 20.0
    # Columns of the table of `explain`; --json and --out have them all. Judgement: a screen.
    important: int = 20
    # Columns where the output is no terminal. Judgement, not measured: what log viewers show without folding.
    piped: int = 100
    # Rows of a leaderboard, and of a task's best evaluations. Judgement, not measured: half of a terminal of 24 lines.
    leaders: int = 10
    # Letters of the reason of a failed cell while others run; at the end twice as many. Judgement, not measured: one
    # line of a terminal beside the cell's name.
    reason_letters: int = 70
    # Failed cells that are named at the end; the report lists them all. Judgement, not measured.
    failures: int = 5
    # Reasons why rows of an import were left out that are listed; --json lists them all. Judgement, not measured.
    reasons: int = 12
    # Seconds that torch has to say whether it finds a GPU. Judgement, not measured: a broken driver hangs for ever,
    # and importing torch from a cold disk takes tens of seconds.
    torch_seconds: float = 60.0


OPTIONS = CliOptions()
