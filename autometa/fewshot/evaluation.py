"""How good a learner is on tasks it has never seen: mean over episodes, with a 95 % interval.

The episodes come from a seed, so that all learners are judged on the same ones and can be compared pair by pair.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from autometa.errors import InputError, Problem
from autometa.fewshot.accelerate import precision
from autometa.fewshot.backends import over_tasks
from autometa.fewshot.checkpoint import Checkpoint
from autometa.fewshot.data import DATA, load_data
from autometa.fewshot.data.source import Data, EpisodeSource
from autometa.fewshot.episode import Episode, score
from autometa.fewshot.learner import Learner, make, with_outputs
from autometa.fewshot.learners import known_learner
from autometa.fewshot.networks import Weights
from autometa.fewshot.options import OPTIONS
from autometa.fewshot.samplers import Domain, TaskSampler, Uniform
from autometa.fewshot.suited import queries_there
from autometa.fewshot.trained import Trained
from autometa.moved import former

if not TYPE_CHECKING:
    __getattr__ = former(__name__)  # names of before

TellProgress = Callable[[int, int, str], None]  # how many are done, of how many, what happened


@dataclass(frozen=True, slots=True, eq=False)
class EpisodeScores:
    """How well the queries of each episode were answered.

    See Also:
        `evaluate`.

    Example:
        >>> scores = EpisodeScores(np.array([0.9, 0.8, 1.0]), transductive=False, seconds=1.0)
        >>> round(scores.mean, 2), round(scores.interval, 2)
        (0.9, 0.11)
    """

    scores: NDArray[np.float64]  # (episodes,) accuracy, or minus the mean squared error
    transductive: bool  # whether queries helped one another through the norms
    seconds: float

    @property
    def mean(self) -> float:
        """Mean score over the episodes."""
        return float(self.scores.mean())

    @property
    def interval(self) -> float:
        """Half the width of the 95 % interval of the mean; 0 for one episode."""
        return 1.96 * float(self.scores.std(ddof=1)) / math.sqrt(len(self.scores)) if len(self.scores) > 1 else 0.0


def answers(learner: Learner, weights: Weights, episode: Episode, backend: str = "vmap") -> torch.Tensor:  # (t, q, o)
    """Adapts to every support set and answers every query."""

    def one(weights: Weights, task: Episode) -> torch.Tensor:
        return learner.predict(weights, learner.adapt(weights, task.support), task.query)

    with torch.no_grad(), precision(learner, episode.classes.device):
        return over_tasks(one, backend)(weights, episode)


def evaluate(
    learner: Learner,
    weights: Weights,
    source: EpisodeSource,
    *,
    episodes: int,
    way: int,
    shot: int,
    query: int = 15,
    seed: int = 0,
    together: int | None = None,
    backend: str = "vmap",
    sampler: TaskSampler | None = None,
    tell: TellProgress = lambda done, total, text: None,
) -> EpisodeScores:
    """Scores of a learner on episodes drawn by `seed`: accuracy, or minus the mean squared error.

    Args:
        learner: Its adaptation and answers are judged.
        weights: That it has learned.
        source: Where the episodes come from, such as ``data.test``.
        episodes: How many.
        way: Classes of each.
        shot: Support examples of a class.
        query: Queries of a class.
        seed: Of the episodes: the same for every learner, so that they can be compared pair by pair.
        together: Episodes answered at once; None for as many as any memory has, or a GPU's.
        backend: How they are batched (`backends`).
        sampler: Which tasks to draw; by default all are as likely.
        tell: Progress.

    See Also:
        `EpisodeScores`, `judge_checkpoint`.

    Example:
        >>> import torch
        >>> from autometa.fewshot import find_learner, load_data
        >>> digits = load_data("digits")
        >>> learner = make(find_learner("protonet"), digits.train.problem(3), {"width": 8})
        >>> weights = learner.initialise(torch.Generator().manual_seed(0))
        >>> found = evaluate(learner, weights, digits.test, episodes=20, way=3, shot=5, query=5)
        >>> found.scores.shape, found.mean > 1 / 3  # even untrained features tell digits apart
        ((20,), True)
    """
    begun, rng, scores = time.perf_counter(), np.random.default_rng(seed), list[torch.Tensor]()
    chooser, on_gpu = sampler or Uniform(), next(iter(weights.values())).is_cuda
    together = together or (OPTIONS.episodes_at_once_on_gpu if on_gpu else OPTIONS.episodes_at_once)
    for start in range(0, episodes, together):
        t = min(together, episodes - start)
        chosen = chooser.choose(source, rng, t, way, 1.0)
        episode = source.episode(rng, chosen, shot, query)
        found = answers(learner, weights, episode, backend)
        scores.append(score(learner.problem, found, episode.query))
        # What has been scored stays where it is: asking a GPU for a number waits until it has done all it was told.
        tell(start + t, episodes, "" if on_gpu and start + t < episodes else f"{float(torch.cat(scores).mean()):.4f}")
    return EpisodeScores(torch.cat(scores).cpu().double().numpy(), learner.transductive, time.perf_counter() - begun)


def data_of(state: Checkpoint, path: str | None) -> Data:
    """What a learner was trained on, from where it was, or from `path`.

    Raises:
        InputError: It is gone, or was handed over in Python.
    """
    if state.data["name"] not in DATA:
        what = f"it was trained on {state.data['name']}, which was handed over in Python"
        raise InputError(Problem("data", what, "Judge it there: autometa.fewshot.evaluate(...)."))
    return load_data(state.data["name"], path or state.data.get("path"), **state.data.get("options", {}))


def judge_checkpoint(
    state: Checkpoint,
    *,
    episodes: int,
    way: int | None = None,
    shot: int | None = None,
    query: int | None = None,
    seed: int = 0,
    path: str | None = None,
    options: dict[str, Any] | None = None,
    device: torch.device | str = "cpu",
    tell: TellProgress = lambda done, total, text: None,
) -> dict[str, Any]:
    """The figures of a trained learner on the test split of the data it was trained on, as JSON.

    Args:
        state: What `train` left.
        episodes: How many.
        way: Classes of each; None for as many as it was trained with.
        shot: Support examples of a class; None likewise.
        query: Queries of a class; None for 15, or as many as there are.
        seed: Of the episodes.
        path: Where the data are; None for where they were.
        options: Of the learner, instead of those it was trained with.
        device: Where to calculate.
        tell: Progress.

    Raises:
        InputError: The data are gone, too few or of another shape, or the learner cannot tell so many classes apart.

    See Also:
        `evaluate`, `Checkpoint`; `varied.judge_varied`, with ways and shots that vary.

    Example:
        >>> from autometa.fewshot import find_learner, load_data, make, Training, TrainingSettings, train
        >>> digits = load_data("digits")
        >>> learner = make(find_learner("protonet"), digits.train.problem(3), {"width": 4})
        >>> settings = TrainingSettings(1, way=3, query=1, look_every=1, look_episodes=2, backend="loop")
        >>> state = train(learner, digits, settings, training=Training(way=3, query=1))
        >>> judge_checkpoint(state, episodes=4, way=3, query=1)["episodes"]
        4
    """
    data = data_of(state, path)
    trained = Trained.of(state, device)
    asked_way, asked_shot = way or state.settings["way"], shot or state.settings["shot"]
    if query is None:
        query = queries_there(data.test, asked_way, asked_shot, 15)
    learner = make(known_learner(state.learner), state.problem, {**state.options, **(options or {})})
    wrong = data.test.check(asked_way, asked_shot + query)
    shape = data.test.problem(asked_way).shape
    if shape != state.problem.shape:
        what = f"examples of shape {shape}, and it was trained on {state.problem.shape}"
        wrong.append(Problem(str(path or state.data["name"]), what))
    if state.problem.kind == "classification" and asked_way != state.problem.outputs:
        if trained.any_way:
            learner = with_outputs(learner, asked_way)
        else:
            what = f"{state.learner} was trained to tell {state.problem.outputs} classes apart"
            wrong.append(Problem(f"--way {asked_way}", what, f"Train one with --way {asked_way}."))
    if wrong:
        raise InputError(wrong)
    found = evaluate(
        learner, state.best, data.test.to(device), episodes=episodes, way=asked_way, shot=asked_shot, query=query,
        seed=seed, sampler=Domain() if data.within_domain else None, tell=tell,
    )  # fmt: skip
    sign = 1 if state.problem.kind == "classification" else -1
    return {
        "learner": state.learner,
        "data": state.data["name"],
        "metric": "accuracy" if sign > 0 else "mean_squared_error",
        "mean": sign * found.mean,
        "interval_95": found.interval,
        "episodes": episodes,
        "way": asked_way,
        "shot": asked_shot,
        "query": query,
        "seed": seed,
        "transductive": found.transductive,
        "trained_steps": state.progress["best_step"] or state.step,
        "trained_seconds": round(state.progress["seconds"], 1),
        "seconds": round(found.seconds, 1),
    }
