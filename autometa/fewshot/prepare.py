"""A training from names: the learner, the data and the sampler found, and everything that is wrong said at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from autometa.errors import InputError, Problem
from autometa.fewshot.backends import BACKENDS, find_device, group_size
from autometa.fewshot.checkpoint import Checkpoint
from autometa.fewshot.data import Data, load_data
from autometa.fewshot.evaluation import TellProgress
from autometa.fewshot.learner import Learner, Training, make
from autometa.fewshot.learners import find_learner
from autometa.fewshot.samplers import sampler_of
from autometa.fewshot.settings import TrainingSettings
from autometa.fewshot.suited import suited
from autometa.fewshot.trainer import check, train

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PreparedTraining:
    """A learner, the data it learns from, and how: all that `train` takes."""

    learner: Learner
    data: Data
    settings: TrainingSettings
    training: Training  # the learner's own, with what was asked for instead
    origin: Mapping[str, Any]  # where the data came from: name, path, options, sampler
    notes: tuple[str, ...] = ()  # what gave way to the data

    def run(
        self,
        out: Path | None,
        *,
        resume: bool = False,
        device: str = "auto",
        tell: TellProgress = lambda done, total, text: None,
        say: Callable[[str], None] = lambda text: None,
    ) -> Checkpoint:
        """Trains, as `trainer.train` does, on a device by its name: auto, cpu or cuda."""
        for note in self.notes:
            say(note)
        return train(
            self.learner,
            self.data,
            self.settings,
            out=out,
            resume=resume,
            training=self.training,
            sampler=sampler_of(self.origin["sampler"], self.data, self.settings.way, self.settings.seed),
            device=find_device(device),
            origin=dict(self.origin),
            tell=tell,
            say=say,
        )


def prepare(
    learner: str,
    data: str,
    settings: TrainingSettings,
    *,
    options: Mapping[str, str] | None = None,
    path: str | None = None,
    data_options: Mapping[str, str] | None = None,
    sampler: str | None = None,
    tasks: int | None = None,
    rate: float | None = None,
    train_way: int | None = None,
    train_shot: int | None = None,
    train_query: int | None = None,
    query: int | None = None,
    augment: str | None = None,
) -> PreparedTraining:
    """Finds a learner and a data set by their names, and looks whether they go together.

    Args:
        learner: A name in `LEARNERS`.
        data: A name in `DATA`.
        settings: How long to train, on what episodes.
        options: Of the learner, as texts.
        path: File or folder of the data.
        data_options: Of the data set, as texts.
        sampler: A name in `SAMPLERS`, or similar; None for the data's own.
        tasks: Episodes per step; None for the learner's own.
        rate: Learning rate of the meta-training; None for the learner's own.
        train_way: Classes of a training episode; None for the learner's own, or what the data offer.
        train_shot: Support examples of a class in training; likewise.
        train_query: Queries of a class in training; likewise.
        query: Queries of a class in validation; None for those of `settings`, or what the data offer.
        augment: How images are changed in training, such as ``flip,crop``; None for the learner's own.

    Raises:
        InputError: Everything that is wrong, together.

    Example:
        >>> ready = prepare("protonet", "digits", TrainingSettings(2, query=2), options={"width": "8"}, tasks=3)
        >>> ready.data.name, ready.training.tasks
        ('digits', 3)
    """
    problems: list[Problem] = []

    def taken(read: Callable[..., T], *args: Any, **options: Any) -> T | None:
        try:
            return read(*args, **options)
        except InputError as error:
            problems.extend(error.problems)
            return None

    kind = taken(find_learner, learner)
    if settings.backend not in ("auto", *BACKENDS):
        taken(group_size, settings.backend, 1)
    given = dict(data_options or {})
    if data == "vectors":
        given.setdefault("way", str(settings.way))  # by which classes are shared out
    loaded = taken(load_data, data, path, **given)
    made = None
    if loaded is not None and kind is not None:
        made = taken(make, kind, loaded.train.problem(settings.way), options or {})
    if made is None or loaded is None:
        raise InputError(problems)
    changed: dict[str, Any] = {"tasks": tasks, "rate": rate, "way": train_way, "shot": train_shot, "query": train_query}
    changed["augment"] = augment
    training = replace(made.training, **{name: value for name, value in changed.items() if value is not None})
    within = loaded.within_domain or sampler == "domain"
    told = {"way": train_way, "shot": train_shot, "train_query": train_query, "query": query}
    asked = [name for name, value in told.items() if value is not None]
    settings = settings if query is None else replace(settings, query=query)
    settings, training, notes = suited(loaded, settings, training, within=within, asked=asked)
    problems += check(loaded, settings, training, within=within)
    if problems:
        raise InputError(problems)
    origin = {"name": data, "path": path, "options": given, "sampler": sampler}
    return PreparedTraining(made, loaded, settings, training, origin, tuple(notes))
