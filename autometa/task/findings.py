"""What is noticed about one input on the way, and what is wrong with it: collected, then reported together.

A reader of a file, of a column or of a target notes what it decided, refuses what it cannot use, and goes on; whoever
began raises one `InputError` with every problem.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from autometa.errors import Problem


@dataclass(frozen=True, slots=True)
class InputFindings:
    """Notes for the user, and problems, of one input.

    Example:
        >>> findings = InputFindings("adult.csv")
        >>> findings.note("Delimiter: tab.")
        >>> findings.at("metric").refuse("unknown metric 'acc'")
        >>> findings.notes, [str(problem) for problem in findings.problems]
        (['Delimiter: tab.'], ["metric: unknown metric 'acc'."])
    """

    name: str = "table"  # where a problem is, in messages
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def at(self, name: str) -> InputFindings:
        """The same findings, under another name for the problems to come."""
        return replace(self, name=name)

    def note(self, sentence: str) -> None:
        """Adds a sentence about what was decided."""
        self.notes.append(sentence)

    def refuse(self, what: str, fix: str = "") -> None:
        """Adds a problem: what is wrong, and what to do about it."""
        self.problems.append(Problem(self.name, what, fix))
