"""Where a configuration came from, and how its evaluation ended: the two vocabularies that all rooms share.

Both are strings, written as such into journals, stores and reports, and both say themselves how they are shown. A text
from an older or newer version that is not known here is shown as it is and counts as nothing special (`Origin.read`,
`State.read`).

A trial of an Optuna study keeps them as user attributes, whose names are `ORIGIN`, `REASON` (a sentence for people),
`CONFIG` (the configuration that it was given; once it has finished, what ran), `GIVEN` (what it was given, where
something else ran) and `ROWS` (of a trial that learned from other rows than those by whose results configurations are
proposed: how many; no sampler hears of it), `GROWN_FROM` (the trial that
it goes on from with more rows), `MADE_FROM` (the trial whose configuration it tries with columns made of others).

To add one, give it a line: `tests/test_origins.py` asks for its label, and `report/page.css` for its colour.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

ORIGIN, REASON, CONFIG, GIVEN = "autometa:origin", "autometa:reason", "autometa:config", "autometa:given"
ROWS, GROWN_FROM, MADE_FROM = "autometa:rows", "autometa:grown-from", "autometa:made-from"


class Origin(StrEnum):
    """Where a configuration came from, in the order in which a search turns to them.

    Example:
        >>> Origin("similar").label, Origin.SIMILAR.proposed, Origin.DEFAULT.proposed
        ('similar tasks', True, False)
    """

    label: str  # in tables
    phrase: str  # after "came from"
    colour: str  # a style of the terminal
    shape: str  # a mark of the report's charts

    def __new__(cls, value: str, label: str, phrase: str, colour: str, shape: str) -> Self:
        """A string that also knows how it is shown."""
        origin = str.__new__(cls, value)
        origin._value_ = value
        origin.label, origin.phrase, origin.colour, origin.shape = label, phrase, colour, shape
        return origin

    DEFAULT = "default", "default", "the library's defaults", "", "square"
    PORTFOLIO = "portfolio", "portfolio", "the portfolio of past tasks", "cyan", "diamond"
    SIMILAR = "similar", "similar tasks", "similar past tasks", "magenta", "triangle"
    SURROGATE = "surrogate", "guided search", "the search that past tasks guide", "yellow", "wedge"
    NEWCOMER = "newcomer", "new family", "a family that was not tried yet", "yellow", "wedge"
    SEARCH = "search", "search", "the search", "blue", "circle"
    GROWN = "grown", "more rows", "the best so far, with more rows", "green", "circle"
    FEATURES = "features", "made columns", "the best so far, with columns made of its columns", "green", "diamond"
    FALLBACK = "fallback", "fall-back", "a cheap fall-back", "", "square"
    ENQUEUED = "enqueued", "enqueued", "the user", "", "circle"

    @property
    def proposed(self) -> bool:
        """Whether past tasks proposed it before the search began: what "the memory's proposals" counts."""
        return self in (Origin.PORTFOLIO, Origin.SIMILAR)

    @property
    def recommended(self) -> bool:
        """Whether a recommender gave it: its proposals, and the safe default among them. Counts to `n_initial`."""
        return self.proposed or self is Origin.DEFAULT

    @property
    def searched(self) -> bool:
        """Whether a search after the initial design gave it."""
        return self in (Origin.SURROGATE, Origin.NEWCOMER, Origin.SEARCH)

    @classmethod
    def read(cls, text: str | None) -> Origin | None:
        """The origin that a text names; None for any other.

        Example:
            >>> Origin.read("portfolio"), Origin.read("oracle")
            (<Origin.PORTFOLIO: 'portfolio'>, None)
        """
        return next((known for known in cls if known == text), None)


class State(StrEnum):
    """How the evaluation of a configuration ended.

    See Also:
        `Evaluation`.

    Example:
        >>> State.TIMEOUT.label, State.STOPPED.ended_well, State("memory").ended_well
        ('ran out of time', True, False)
    """

    label: str

    def __new__(cls, value: str, label: str) -> Self:
        """A string that also knows how it is shown."""
        state = str.__new__(cls, value)
        state._value_ = value
        state.label = label
        return state

    COMPLETE = "complete", "complete"
    STOPPED = "stopped", "stopped early, without hope"
    FAILED = "failed", "failed"
    TIMEOUT = "timeout", "ran out of time"
    MEMORY = "memory", "ran out of memory"
    CRASHED = "crashed", "crashed"

    @property
    def ended_well(self) -> bool:
        """Whether it says how good the configuration is: evaluated, or stopped because it could not win any more."""
        return self in (State.COMPLETE, State.STOPPED)

    @classmethod
    def read(cls, text: str) -> State | None:
        """The state that a text names; None for any other.

        Example:
            >>> State.read("crashed"), State.read("asleep")
            (<State.CRASHED: 'crashed'>, None)
        """
        return next((known for known in cls if known == text), None)
