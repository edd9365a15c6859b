"""Where episodes come from.

An `EpisodeSource` proposes tasks (cheaply: which classes, which wave, which table) and realises those that a task
sampler takes as an `Episode`. `Data` holds one source for each of the three splits: a learner is trained on the first,
stopped by the second, judged by the third. No class, table or family is in two of them unless the loader says so.

Law: the same generator gives the same episodes.

To add one, write a function ``(path, options) -> Data`` and give it a line in `DATA`.

Letters:  t tasks · c classes · n examples · f numbers that describe a task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import torch
from numpy.random import Generator
from numpy.typing import NDArray

from autometa.errors import InputError, Problem
from autometa.fewshot.episode import Episode, EpisodeSpec
from autometa.moved import former

if not TYPE_CHECKING:
    __getattr__ = former(__name__)  # names of before


@dataclass(frozen=True, slots=True)
class Choice:
    """A task that could be learned from.

    See Also:
        `EpisodeSource`.

    Example:
        >>> Choice("alphabet 3", (1.0, 2.0)).domain
        'alphabet 3'
    """

    domain: str  # alphabet, dataset, table: what tasks of one kind share
    key: tuple[float, ...]  # which task it is, in the source's own terms


def whole_option(data: str, options: dict[str, Any], name: str, default: int, least: int = 1) -> int:
    """A whole number among the options of a data set, which may be text.

    Raises:
        InputError: It is none, or below `least`.
    """
    given = options.get(name, default)
    try:
        found = int(str(given))
    except ValueError:
        found = least - 1
    if found < least:
        raise InputError(Problem(f"{data}: {name}", f"{given!r} is not a whole number from {least}"))
    return found


class Description(NamedTuple):
    """How proposed tasks look, for samplers that want to know."""

    features: NDArray  # (t, f) on comparable scales; the nearer the more alike
    difficulty: NDArray  # (t,) larger is harder, in the source's own unit


class EpisodeSource(Protocol):
    """Where the episodes of one split come from.

    See Also:
        `Data`, `Episode`.

    Example:
        >>> import numpy
        >>> from autometa.fewshot.data import load_data
        >>> source, rng = load_data("digits").train, numpy.random.default_rng(0)
        >>> episode = source.episode(rng, source.propose(rng, 2, way=3), shot=1, query=4)
        >>> episode.support.x.shape, episode.query.y.shape  # two tasks of three classes
        (torch.Size([2, 3, 1, 8, 8]), torch.Size([2, 12]))
    """

    @property
    def domains(self) -> tuple[str, ...]:
        """The kinds of tasks there are."""
        ...

    def problem(self, way: int) -> EpisodeSpec:
        """What a learner of its `way`-way episodes is built for."""
        ...

    def check(self, way: int, examples: int) -> list[Problem]:
        """Why no episodes of `way` classes with so many examples each can be drawn; usually nothing."""
        ...

    def propose(self, rng: Generator, count: int, way: int, domain: str | None = None) -> list[Choice]:
        """Tasks at random, of one domain if it is named."""
        ...

    def describe(self, choices: Sequence[Choice]) -> Description:
        """How proposed tasks look, in numbers that can be compared."""
        ...

    def episode(self, rng: Generator, choices: Sequence[Choice], shot: int, query: int) -> Episode:
        """The tasks, with `shot` and `query` examples (of each class); on the source's device."""
        ...

    def to(self, device: torch.device | str) -> EpisodeSource:
        """The same with its data on another device."""
        ...


class Data(NamedTuple):
    """The three splits of one data set.

    See Also:
        `load_data`.

    Example:
        >>> from autometa.fewshot.data import load_data
        >>> load_data("digits").name
        'digits'
    """

    name: str
    train: EpisodeSource
    validation: EpisodeSource
    test: EpisodeSource
    regression: bool = False
    within_domain: bool = False  # whether the protocol draws every episode from one domain
