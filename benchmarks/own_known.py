"""What a method of `own_methods.py` is given of the past, and how it becomes a sampler of Optuna.

`Tried` is one study as points and values, with a Gaussian process on it; `Known` is all of them in one space, with the
candidates among which methods choose: 1,000 random configurations, the five best of every past study, and, at each
trial, 200 neighbours of the best tried and of the most promising ones. `PaperSampler` asks a method for whole
configurations.

Laws: candidates are the same for all methods; larger values are better whatever the direction of the study; what takes
long (the process of a past study, the encoded random configurations) is made once per process.

Letters:  t past studies · m candidates · n trials of a study · d encoded dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, cached_property
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from papers import Apart, Points, Process, best_and_rest, standardised

from autometa.space import Config, SearchSpace, config_key

CANDIDATES, DRAWN = 1_000, 10_000  # random configurations for an acquisition; for a Thompson sample (the authors' code)
TOP, NEIGHBOURS = 5, 200
STEP = 0.1  # of a neighbour, in each encoded dimension


@cache
def pool_of(space: SearchSpace) -> tuple[tuple[Config, ...], Points]:
    """`DRAWN` random configurations of a space, and the same encoded; made once per process."""
    rng = np.random.default_rng(0)
    configs = tuple(space.sample(rng) for _ in range(DRAWN))
    return configs, tuple(space.encode_all(configs))  # type: ignore[return-value]


def stacked(parts: Sequence[Points]) -> Points:
    """Points of several parts, one after another."""
    return np.concatenate([x for x, _ in parts]), np.concatenate([mask for _, mask in parts])


def first_of(space: SearchSpace) -> Points:
    """The first `CANDIDATES` of them, encoded."""
    x, mask = pool_of(space)[1]
    return x[:CANDIDATES], mask[:CANDIDATES]


def rows(chosen: Sequence[tuple[Tried, int]], d: int) -> Points:
    """Some trials of some studies as points."""
    none = np.zeros((0, d)), np.zeros((0, d), dtype=bool)
    return stacked([none, *((s.points[0][[i]], s.points[1][[i]]) for s, i in chosen)])


class Tried:
    """What one study tried: (n,) configurations, encoded, and how good they were."""

    def __init__(self, space: SearchSpace, configs: Sequence[Config], values: Sequence[float]) -> None:
        """From configurations, clipped into the space, and values of which the larger is better."""
        self.space, self.y = space, np.asarray(values, dtype=float)
        self.configs = tuple(space.clip(c)[0] for c in configs)
        self.points: Points = tuple(space.encode_all(self.configs))  # type: ignore[assignment]

    @cached_property
    def process(self) -> Process:
        """A Gaussian process on it, learned when it is first asked for."""
        return Process(Apart(self.space.slices)).fit(self.points, self.y)

    @cached_property
    def at_first(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What that says of the random candidates."""
        return self.process.predict(first_of(self.space))

    def inputs(self) -> NDArray[np.float64]:
        """(n, 2 d) points and their masks, for a network."""
        return np.hstack(self.points)


class Known:
    """What a method may know before a study begins: the space, and what past studies tried."""

    def __init__(self, space: SearchSpace, studies: Sequence[Tried]) -> None:
        """From the past studies, of which those with a single value say nothing."""
        self.space = space
        self.studies = [s for s in studies if s.y.std() > 1e-12]
        tops = [(s, i) for s in self.studies for i in best_and_rest(s.y, min(1.0, TOP / len(s.y)))[0]]
        self.candidates = [*pool_of(space)[0][:CANDIDATES], *(s.configs[i] for s, i in tops)]
        self.top_points = rows(tops, space.d)
        self.points = stacked([first_of(space), self.top_points])

    @cached_property
    def base(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and standard deviation of every past study's process at the candidates, (t, m) each."""
        at_tops = [s.process.predict(self.top_points) for s in self.studies]
        mean, std = (
            [np.append(s.at_first[part], at[part]) for s, at in zip(self.studies, at_tops, strict=True)]
            for part in (0, 1)
        )
        return np.array(mean).reshape(-1, len(self.candidates)), np.array(std).reshape(-1, len(self.candidates))

    def base_at(self, points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The same at other points."""
        found = [s.process.predict(points) for s in self.studies]
        mean, std = (np.array([f[part] for f in found]).reshape(-1, len(points[0])) for part in (0, 1))
        return mean, std

    @cached_property
    def best_first(self) -> list[Config]:
        """The best configuration of every past study, greedily ordered by what the other studies say of it.

        What a study says of a configuration is where its process has it between the study's median, 0, and its best,
        1. The next is the one that adds most, in the mean over the other studies, to the best of those before it.
        """
        bests = [(s, int(np.argmax(s.y))) for s in self.studies]
        said = self.base_at(rows(bests, self.space.d))[0]  # (t, t): study, configuration
        z = [standardised(s.y) for s in self.studies]
        low, high = (np.array([of(v) for v in z])[:, None] for of in (np.median, np.max))
        said = np.clip((said - low) / np.maximum(high - low, 1e-9), -1.0, 1.0)
        others = ~np.eye(len(bests), dtype=bool)
        order: list[int] = []
        have = np.full((len(bests), 1), -1.0)
        while len(order) < len(bests):
            gain = (np.maximum(said - have, 0) * others).sum(axis=0)
            if np.delete(gain, order).max() <= 1e-9:  # nothing adds anything: from the beginning, among the rest
                have[:] = -1.0
                gain = ((said - have) * others).sum(axis=0)
            gain[order] = -np.inf
            order.append(int(np.argmax(gain)))
            have = np.maximum(have, said[:, order[-1:]])
        return [bests[j][0].configs[bests[j][1]] for j in order]


class PaperSampler(optuna.samplers.BaseSampler):
    """Proposes whole configurations; a method says only which."""

    def __init__(self, known: Known, seed: int) -> None:
        """From what is known of the past."""
        self.known, self.seed, self.rng = known, seed, np.random.default_rng(seed)

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
        """As Optuna's: every parameter of the space."""
        return {p.name: p.distribution for p in self.known.space}

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, Any]:
        """As Optuna's: the active parameters."""
        done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
        sign = 1.0 if study.direction == optuna.study.StudyDirection.MAXIMIZE else -1.0
        return self.propose(Tried(self.known.space, [t.params for t in done], [sign * t.value for t in done]))

    def sample_independent(self, study: Any, trial: Any, name: str, distribution: Any) -> Any:
        """As Optuna's: at random."""
        return optuna.samplers.RandomSampler(seed=int(self.rng.integers(2**31))).sample_independent(
            study, trial, name, distribution
        )

    def propose(self, seen: Tried) -> Config:
        """The next configuration, after those seen."""
        raise NotImplementedError

    def most(self, value: Callable[[Points | None], NDArray[np.float64]], seen: Tried) -> Config:
        """The untried candidate of the largest value; `value` of None is that of the candidates that do not change."""
        known, tried = self.known, {config_key(c) for c in seen.configs}
        at = value(None)
        order = np.argsort(-at, kind="stable")
        centres = [known.candidates[j] for j in order[:TOP]]
        if len(seen.y):
            centres += [seen.configs[int(np.argmax(seen.y))]] * TOP
        near = self.neighbours(centres)
        found = value(tuple(known.space.encode_all(near)))  # type: ignore[arg-type]
        for j in np.argsort(-found, kind="stable"):
            if found[j] <= at[order[0]]:
                break
            if config_key(near[j]) not in tried:
                return near[j]
        return next((known.candidates[j] for j in order if config_key(known.candidates[j]) not in tried), near[0])

    def neighbours(self, centres: Sequence[Config]) -> list[Config]:
        """`NEIGHBOURS` configurations around some, in turns; half of the dimensions of each change."""
        space, out = self.known.space, []
        for k in range(NEIGHBOURS):
            x = self.rng.random(space.d)  # what is inactive at the centre may become active
            own, mask = space.encode(centres[k % len(centres)])
            step = STEP * self.rng.standard_normal(space.d) * (self.rng.random(space.d) < 0.5)
            for p in space:
                where = space.slices[p.name]
                if mask[where].any() and (p.width == 1 or self.rng.random() > STEP):
                    x[where] = own[where] + (step[where] if p.width == 1 else 0)
            out.append(space.decode(np.clip(x, 0, 1)))
        return out
