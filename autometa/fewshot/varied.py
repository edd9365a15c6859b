"""Judging as Meta-Dataset does: ways and shots are drawn for each episode, and each domain has a mean of its own.

Of a domain, 5 to 50 of its classes are drawn; ten queries of each, or half of the smallest class; and a support that is
as unbalanced as classes are in life. A mean over domains of very different sizes then says how well a learner does in a
domain that it meets, and not how well in the largest.

Source:
    Triantafillou et al., 2020: Meta-Dataset, section 3.2 and appendix, for the numbers below, too

Letters:  c classes of an episode.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from autometa.errors import InputError, Problem
from autometa.fewshot.checkpoint import Checkpoint
from autometa.fewshot.data.classes import Classes
from autometa.fewshot.episode import Episode, score
from autometa.fewshot.evaluation import EpisodeScores, TellProgress, answers, data_of
from autometa.fewshot.learner import Learner, make, with_outputs
from autometa.fewshot.learners import known_learner
from autometa.fewshot.networks import Weights
from autometa.fewshot.trained import Trained

FEWEST_WAYS, MOST_WAYS = 5, 50
MOST_QUERIES = 10
MOST_SUPPORT, MOST_OF_A_CLASS = 500, 100  # examples


def sizes(rng: Generator, counts: Sequence[int]) -> tuple[NDArray[np.int64], int]:
    """Support examples of each class, (c,), and queries of every class, of classes with so many examples.

    Example:
        >>> shots, queries = sizes(np.random.default_rng(0), [20, 20, 20, 20, 20])
        >>> shots.tolist(), queries
        ([3, 2, 2, 5, 6], 10)
    """
    there = np.asarray(counts)
    query = min(MOST_QUERIES, int(there.min()) // 2)
    left = there - query
    share = 1 - rng.random()  # in (0, 1]
    support = min(MOST_SUPPORT, int(np.ceil(share * np.minimum(MOST_OF_A_CLASS, left)).sum()))
    weight = np.exp(rng.uniform(math.log(0.5), math.log(2), len(there))) * there
    shots = np.floor(weight / weight.sum() * max(support - len(there), 0)).astype(np.int64) + 1
    return np.minimum(shots, left), query


def varied_episode(rng: Generator, source: Classes, domain: str) -> Episode:
    """One episode of a domain, with the leading axis; support examples beyond a class's shots are padding."""
    way = int(rng.integers(FEWEST_WAYS, min(MOST_WAYS, source.offered(domain)) + 1))
    choice = source.propose(rng, 1, way, domain)[0]
    counts = [len(source.rows[int(key) % len(source.rows)]) for key in choice.key]
    shots, query = sizes(rng, counts)
    # Rows are drawn for as many shots as the largest class has; a smaller class has fewer, which `episode` refuses.
    shot = min(int(shots.max()), min(counts) - query)
    episode = source.episode(rng, [choice], shot, query)
    y = episode.support.y[0].cpu().numpy()
    number = np.zeros(len(y), dtype=np.int64)  # of each example within its class
    for label in range(way):
        number[y == label] = np.arange((y == label).sum())
    kept = torch.from_numpy(number < np.minimum(shots, shot)[y]).to(episode.support.mask)
    return episode._replace(support=episode.support._replace(mask=episode.support.mask * kept))


def evaluate_varied(
    learner: Learner,
    weights: Weights,
    source: Any,
    *,
    episodes: int,
    seed: int = 0,
    tell: TellProgress = lambda done, total, text: None,
) -> dict[str, EpisodeScores]:
    """Accuracy on each domain that has five classes, by so many episodes each.

    Args:
        learner: One that answers any number of ways.
        weights: That it has learned.
        source: Classes that belong to domains, such as ``data.test``.
        episodes: Of each domain.
        seed: Of the episodes: the same for every learner.
        tell: Progress.

    Raises:
        InputError: The source has no classes, or no domain has five of them with two examples each.

    See Also:
        `evaluate`.

    Example:
        >>> from autometa.fewshot import find_learner, load_data, make
        >>> digits = load_data("digits")
        >>> learner = make(find_learner("protonet"), digits.train.problem(5), {"width": 4})
        >>> weights = learner.initialise(torch.Generator().manual_seed(0))
        >>> {
        ...     domain: len(found.scores)
        ...     for domain, found in evaluate_varied(learner, weights, digits.train, episodes=3).items()
        ... }
        {'digits': 3}
    """
    able = []
    if isinstance(source, Classes) and min(map(len, source.rows), default=0) > 1:
        able = [domain for domain in source.domains if source.offered(domain) >= FEWEST_WAYS]
    if not able:
        what = f"no domain has {FEWEST_WAYS} classes of two examples and more"
        raise InputError(Problem("domains", what, "Judge it on episodes of fixed ways: leave --vary out."))
    found: dict[str, EpisodeScores] = {}
    for k, domain in enumerate(able):
        rng, scores, begun = np.random.default_rng([seed, k]), list[torch.Tensor](), time.perf_counter()
        for _ in range(episodes):
            episode = varied_episode(rng, source, domain)
            asked = with_outputs(learner, episode.classes.shape[1])
            given = answers(asked, weights, episode)
            scores.append(score(asked.problem, given, episode.query))
        each = torch.cat(scores).cpu().double().numpy()
        found[domain] = EpisodeScores(each, learner.transductive, time.perf_counter() - begun)
        tell(k + 1, len(able), f"{domain} {found[domain].mean:.4f}")
    return found


def summary(found: dict[str, EpisodeScores]) -> dict[str, Any]:
    """The mean over domains with its 95 % interval, and each domain's own, as JSON.

    Example:
        >>> one = EpisodeScores(np.array([0.5, 0.7]), transductive=False, seconds=0.0)
        >>> other = EpisodeScores(np.array([0.9, 0.9]), transductive=False, seconds=0.0)
        >>> told = summary({"latin": one, "greek": other})
        >>> round(told["mean"], 2), told["domains"]["greek"]["mean"]
        (0.75, 0.9)
    """
    each = {name: {"mean": one.mean, "interval_95": one.interval} for name, one in found.items()}
    spread = math.sqrt(sum(one.interval**2 for one in found.values())) / len(found)
    return {"mean": float(np.mean([one.mean for one in found.values()])), "interval_95": spread, "domains": each}


def judge_varied(
    state: Checkpoint,
    *,
    episodes: int,
    seed: int = 0,
    path: str | None = None,
    options: dict[str, Any] | None = None,
    device: torch.device | str = "cpu",
    tell: TellProgress = lambda done, total, text: None,
) -> dict[str, Any]:
    """As `evaluation.judge_checkpoint`, on so many episodes of each domain, with ways and shots that vary.

    Raises:
        InputError: As there; the learner cannot answer any number of ways; no domain has five classes.

    Example:
        >>> from autometa.fewshot import Training, TrainingSettings, find_learner, load_data, make, train
        >>> digits = load_data("digits")
        >>> learner = make(find_learner("protonet"), digits.train.problem(3), {"width": 4})
        >>> settings = TrainingSettings(1, way=3, query=1, look_every=1, look_episodes=2, backend="loop")
        >>> state = train(learner, digits, settings, training=Training(way=3, query=1))
        >>> list(judge_varied(state, episodes=2)["domains"])
        ['digits']
    """
    data, trained, begun = data_of(state, path), Trained.of(state, device), time.perf_counter()
    if not trained.any_way:
        what = f"{state.learner} was trained to tell {state.problem.outputs} classes apart"
        raise InputError(Problem("--vary", what, "Judge one that answers any number of ways, such as protonet."))
    learner = make(known_learner(state.learner), state.problem, {**state.options, **(options or {})})
    found = evaluate_varied(learner, trained.weights, data.test.to(device), episodes=episodes, seed=seed, tell=tell)
    told = {"learner": state.learner, "data": state.data["name"], "metric": "accuracy", **summary(found)}
    return told | {
        "episodes": episodes,
        "seed": seed,
        "trained_steps": state.progress["best_step"] or state.step,
        "seconds": round(time.perf_counter() - begun, 1),
    }
