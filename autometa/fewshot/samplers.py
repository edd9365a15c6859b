"""Which tasks to learn from.

A task sampler takes some of the tasks that a source proposes, and says which it took. `Uniform` takes what comes;
`Domain` takes every episode from one domain (alphabet, data set, table); `Similar` prefers what resembles a target;
`Curriculum` begins with easy tasks and ends with all of them.

Law: with the same generator the same tasks; a sampler keeps no state, so that a resumed training draws what an
uninterrupted one would have drawn.

To add one, write a class with `choose` and give it a line in `SAMPLERS`.

Letters:  t tasks · f numbers that describe a task.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from autometa.errors import InputError, Problem
from autometa.fewshot.data.source import Choice, Data, EpisodeSource
from autometa.fewshot.options import OPTIONS


class Chosen(list[Choice]):
    """The tasks that a sampler took, and why these."""

    def __init__(self, choices: Sequence[Choice], why: str) -> None:
        """`why` is one line for the learning curve."""
        super().__init__(choices)
        self.why = why


class TaskSampler(Protocol):
    """Chooses which of the tasks of a source are learned from."""

    def choose(self, source: EpisodeSource, rng: Generator, t: int, way: int, progress: float) -> Chosen:
        """`t` tasks; `progress` is 0 at the beginning of training and 1 at its end."""
        ...


@dataclass(frozen=True, slots=True)
class Uniform:
    """A sampler of all tasks, all as likely."""

    def choose(self, source: EpisodeSource, rng: Generator, t: int, way: int, progress: float) -> Chosen:
        """The first `t` tasks that the source proposes."""
        return Chosen(source.propose(rng, t, way), f"{t} of all tasks, all as likely")


@dataclass(frozen=True, slots=True)
class Domain:
    """Every task from one domain; all domains that have enough classes are as likely."""

    only: tuple[str, ...] = ()  # these domains; all of them when empty

    def choose(self, source: EpisodeSource, rng: Generator, t: int, way: int, progress: float) -> Chosen:
        """A domain for each task, then classes within it."""
        able = [name for name in self.only or source.domains if _offers(source, way, name)]
        if not able:
            raise InputError(Problem("domains", f"no domain has {way} classes", "Lower --way."))
        picked = [able[k] for k in rng.integers(0, len(able), t)]
        choices = [source.propose(rng, 1, way, domain)[0] for domain in picked]
        return Chosen(choices, "within " + ", ".join(f"{name} {n}x" for name, n in Counter(picked).most_common(4)))


@dataclass(frozen=True, slots=True)
class Similar:
    """Tasks that look like a target: probability falls with the squared distance over the typical one."""

    target: tuple[float, ...]  # (f,) as the source describes tasks
    sharpness: float = 4.0  # of the fall; judgement

    @classmethod
    def to(cls, source: EpisodeSource, choices: Sequence[Choice], sharpness: float = 4.0) -> Similar:
        """The mean description of the tasks that matter."""
        return cls(tuple(map(float, source.describe(choices).features.mean(0))), sharpness)

    def choose(self, source: EpisodeSource, rng: Generator, t: int, way: int, progress: float) -> Chosen:
        """Draws `t` of the proposed tasks with these probabilities, without repetition."""
        proposed = source.propose(rng, OPTIONS.proposals * t, way)
        distance = ((source.describe(proposed).features - np.array(self.target)) ** 2).sum(1)
        likely = np.exp(-self.sharpness * distance / max(float(np.median(distance)), 1e-12))
        picked = rng.choice(len(proposed), t, replace=False, p=likely / likely.sum())
        nearer = float(distance[picked].mean() / max(float(distance.mean()), 1e-12))
        return Chosen([proposed[k] for k in picked], f"{t} tasks at {nearer:.2f} of the mean distance from the target")


@dataclass(frozen=True, slots=True)
class Curriculum:
    """From easy to all: of what is proposed, the easiest share, which grows from a quarter to everything."""

    warm: float = 0.5  # part of the training after which all tasks are as likely; judgement

    def choose(self, source: EpisodeSource, rng: Generator, t: int, way: int, progress: float) -> Chosen:
        """Draws `t` tasks from the easiest share of what is proposed."""
        proposed = source.propose(rng, OPTIONS.proposals * t, way)
        order = np.argsort(source.describe(proposed).difficulty, kind="stable")
        share = min(1.0, 1 / OPTIONS.proposals + (1 - 1 / OPTIONS.proposals) * progress / self.warm)
        pool = order[: max(t, round(share * len(order)))]
        picked: NDArray[np.int64] = rng.choice(pool, t, replace=False)
        return Chosen([proposed[k] for k in picked], f"{t} of the easiest {share:.0%}")


def _offers(source: EpisodeSource, way: int, domain: str) -> bool:
    """Whether a domain has so many classes; a source that cannot say it is asked to propose some."""
    if (count := getattr(source, "offered", None)) is not None:
        return bool(count(domain) >= way)
    try:
        source.propose(np.random.default_rng(0), 1, way, domain)
    except ValueError:
        return False
    return True


SAMPLERS: dict[str, type[Uniform] | type[Domain] | type[Curriculum]] = {
    "uniform": Uniform,
    "domain": Domain,
    "curriculum": Curriculum,
}


def sampler_of(name: str | None, data: Data, way: int, seed: int) -> TaskSampler | None:
    """A sampler by name (None: the data's own); ``similar`` means similar to the validation tasks."""
    if name == "similar":
        rng = np.random.default_rng(seed)
        return Similar.to(data.train, data.validation.propose(rng, OPTIONS.target_tasks, way))
    return None if name is None else SAMPLERS[name]()
