"""A paper's training, suited to the data that are there.

Prototypical networks train on episodes of 60 classes, Reptile on ten examples of each: where a domain offers fewer
classes, or a class fewer examples, what nobody asked for gives way, and it is told. What was asked for stays, and is
refused if it cannot be (`trainer.check`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import NamedTuple

from autometa.errors import Problem
from autometa.fewshot.data.source import Data, EpisodeSource
from autometa.fewshot.learner import Training
from autometa.fewshot.settings import TrainingSettings


class Suited(NamedTuple):
    """How a training goes on these data, and what is otherwise than its paper has it."""

    settings: TrainingSettings
    training: Training
    notes: list[str]


def suited(
    data: Data,
    settings: TrainingSettings,
    training: Training,
    *,
    within: bool,
    asked: Collection[str] = (),
) -> Suited:
    """A training whose ways, shots and queries the data can serve, as far as these were not asked for.

    Args:
        data: Its train and validation splits.
        settings: What was asked; ``query`` counts as asked if `asked` says so.
        training: The learner's own.
        within: Whether every episode stays within one domain.
        asked: What must stay: any of ``way``, ``shot``, ``train_query`` and ``query``.

    Example:
        >>> import numpy as np
        >>> from autometa.fewshot import find_learner, from_arrays, make
        >>> data = from_arrays(np.zeros((60, 8)), np.arange(12).repeat(5), way=3)  # five examples of each of 12 classes
        >>> own = make(find_learner("protonet"), data.train.problem(3)).training
        >>> found = suited(data, TrainingSettings(10, way=3), own, within=False)
        >>> found.training.query, found.notes[0]
        (4, '4 queries of each class in training instead of 5: no more examples are there')
    """
    notes: list[str] = []
    ways = training.way or settings.way
    most = offered(data.train, settings.way, within)
    if training.way is not None and "way" not in asked and most is not None and settings.way <= most < ways:
        where = "in every domain" if within else "there"
        notes.append(f"{most} ways in training instead of {ways}: no more classes are {where}")
        ways, training = most, replace(training, way=most)
    shot = training.shot or settings.shot
    if "train_query" not in asked:
        count = _most(lambda q: data.train.check(ways, shot + q), training.query)
        if count < training.query:
            notes.append(
                f"{_counted(count, 'query', 'queries')} of each class in training instead of {training.query}: "
                "no more examples are there"
            )
            training = replace(training, query=count)
    if training.shot is not None and "shot" not in asked and data.train.check(ways, shot + training.query):
        few = _most(lambda k: data.train.check(ways, k + training.query), shot)
        if settings.shot <= few < shot:
            notes.append(f"{_counted(few, 'shot', 'shots')} in training instead of {shot}: no more examples are there")
            training = replace(training, shot=few)
    if "query" not in asked:
        count = _most(lambda q: data.validation.check(settings.way, settings.shot + q), settings.query)
        if count < settings.query:
            notes.append(f"{_counted(count, 'query', 'queries')} of each class in validation: no more are there")
            settings = replace(settings, query=count)
    return Suited(settings, training, notes)


def offered(source: EpisodeSource, way: int, within: bool) -> int | None:
    """The most ways of an episode that leave out no domain which has `way` classes; None where it is not known."""
    count = getattr(source, "offered", None)
    if count is None:
        return None
    if not within:
        return int(count())
    able = [n for n in map(count, source.domains) if n >= way]
    return min(able) if able else 0


def queries_there(source: EpisodeSource, way: int, shot: int, most: int) -> int:
    """As many queries of each class as there are examples for, `most` at most, and one at least."""
    return _most(lambda q: source.check(way, shot + q), most)


def _most(check: Callable[[int], list[Problem]], most: int) -> int:
    """The largest number up to `most` that is refused no more than 1 is; `most` itself where 1 is no better."""
    floor = len(check(1))
    if len(check(most)) == floor:
        return most
    return next(k for k in range(most - 1, 0, -1) if len(check(k)) == floor)


def _counted(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"
