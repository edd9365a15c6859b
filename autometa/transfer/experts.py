"""The experts that a belief is made of: a cold Gaussian process, the past tasks, and the meta-learned surrogate.

Each is a few Gaussian processes (`Process`: prior means and a covariance) of which one is right. `Expert.adapt` gives
each its evidence on the results so far and keeps the most probable ones for predictions. To add an expert, write a
class with the methods of `Process`.

Running evaluations count as results with the mean that the process itself predicts there, so that what is known about
the score stays and the variance shrinks. Low-fidelity results may all be off by a common drift, and the more so the
lower their fidelity. Failed ones are not scores; `chance_of_failure` deals with them.

Letters:  m evaluations · q points · e prior means · t past tasks · d encoded dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from autometa.transfer.cost import slower, surprise
from autometa.transfer.gaussian import Adapted, Mixture
from autometa.transfer.kernels import Layout, matern, squares
from autometa.transfer.observation import History
from autometa.transfer.options import OPTIONS, TransferOptions
from autometa.transfer.scale import Warp

Seen = TypeVar("Seen")  # what a process needs of some points
Apart = TypeVar("Apart")  # and of two sets of them


class Process(Protocol[Seen, Apart]):
    """A Gaussian process with one or several prior means, of which one is right."""

    noise: float
    shares: Any  # processes that share one object see the same of points
    priors: Any  # and those that share this one have the same means

    def see(self, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> Seen:
        """What it needs of some points, (q, d) each, computed once."""
        ...

    def means(self, seen: Seen, kept: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """The prior means, all or some of them, (q, e)."""
        ...

    def apart(self, a: Seen, b: Seen) -> Apart:
        """What the covariance of two sets of points is made of; processes that share see the same of it."""
        ...

    def covariance(self, apart: Apart) -> NDArray[np.float64]:
        """Between two sets of points, (p, q)."""
        ...

    def variance(self, seen: Seen) -> NDArray[np.float64]:
        """At each point, (q,)."""
        ...


class WarpedHistory:
    """A history as the experts see it: finished scores warped, running and failed ones apart."""

    def __init__(self, history: History, options: TransferOptions = OPTIONS) -> None:
        """Takes the order as it comes; nothing depends on it."""
        self.history, self.options = history, options
        self.finished = np.flatnonzero(np.isfinite(history.scores))
        self.running = np.flatnonzero(np.isnan(history.scores))
        self.failed = np.isneginf(history.scores)
        self.warp = Warp.of(history.scores[self.finished])
        self.y = self.warp(history.scores[self.finished])  # (finished,)
        fidelity = np.ones(len(history)) if history.fidelity is None else history.fidelity
        self.missing = 1.0 - np.clip(fidelity, 0.0, 1.0)  # (m,) of a whole evaluation

    @property
    def best(self) -> float:
        """The incumbent, warped: the best of the highest fidelity that there is; 0 before any result."""
        if not len(self.finished):
            return 0.0
        missing = self.missing[self.finished]
        return float(self.y[missing <= missing.min() + 1e-9].max())

    def extra_covariance(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:  # (m,) -> (m, m)
        """What low fidelity adds to the covariance of these evaluations."""
        missing = self.missing[rows]
        return self.options.common_drift * np.outer(missing, missing) + np.diag(self.options.own_drift * missing**2)


class Expert:
    """Several processes, of which one is right; equally likely beforehand."""

    def __init__(self, name: str, processes: Sequence[Process[Any, Any]], options: TransferOptions = OPTIONS) -> None:
        """`name` is how the expert is called in weights and reasons."""
        self.name, self.processes, self.options = name, tuple(processes), options
        sights, priors = _firsts([p.shares for p in self.processes]), _firsts([p.priors for p in self.processes])
        self.groups = tuple(map(_Group, sights, priors))

    def adapt(self, observed: WarpedHistory, log_prior: NDArray[np.float64] | None = None) -> Opinion:
        """The expert after the results so far; `log_prior` (e,) is the log weight of the prior means.

        Processes that have another number of means take them as equally likely.
        """
        history, rows = observed.history, observed.finished
        here = _Features(history.x[rows], history.mask[rows])
        extra, scales = observed.extra_covariance(rows), self.options.scales
        parts: list[_Part] = []
        for process, group in zip(self.processes, self.groups, strict=True):
            covariance = process.covariance(here.apart(process, group)) + process.noise * np.eye(len(rows)) + extra
            means = here.means(process, group)
            prior = log_prior if log_prior is not None and len(log_prior) == means.shape[1] else None
            parts.append(_Part(process, group, Adapted(observed.y, means, covariance, prior, scales=scales)))
        log = np.array([part.adapted.log_evidence for part in parts])
        share = np.exp(log - log.max())
        evidence = float(log.max() + np.log(share.mean()))
        chosen = [k for k in np.argsort(-share, kind="stable") if share[k] > self.options.kept_share][:2]
        kept, results = [parts[k] for k in chosen], here
        if len(observed.running):
            everything = np.concatenate([rows, observed.running])
            results = _Features(history.x[everything], history.mask[everything])
            kept = [self._with_running(part, here, results, observed) for part in kept]
        return Opinion(evidence, share[chosen] / share[chosen].sum(), tuple(kept), results)

    def _with_running(self, part: _Part, finished: _Features, everything: _Features, observed: WarpedHistory) -> _Part:
        """The process after running evaluations counted with what it expects of them itself."""
        history, process, kept = observed.history, part.process, part.adapted.kept
        running = _Features(history.x[observed.running], history.mask[observed.running], finished)
        expected = part.predict(running)
        rows = np.concatenate([observed.finished, observed.running])
        covariance = (
            process.covariance(everything.apart(process, part.group))
            + process.noise * np.eye(len(rows))
            + observed.extra_covariance(rows)
        )
        y = np.concatenate([observed.y, expected.mean @ expected.weights])
        means = everything.means(process, part.group, kept)
        log_prior = np.log(np.maximum(part.adapted.weights, 1e-300))
        adapted = Adapted(y, means, covariance, log_prior, positions=kept, scales=self.options.scales)
        return _Part(process, part.group, adapted)


class _Group(NamedTuple):
    """With whom a process shares its work: the number of the first one each that sees, and that expects, the same."""

    sight: int
    priors: int


def _firsts(shared: Sequence[object]) -> list[int]:
    """Of each object where it stands first."""
    return [next(k for k, one in enumerate(shared) if one is own) for own in shared]


class _Features:
    """Points as the processes of one expert see them, beside those with results; a group shares the work."""

    def __init__(self, x: NDArray[np.float64], mask: NDArray[np.bool_], results: _Features | None = None) -> None:
        """Without `results` these are the points with results."""
        self.x, self.mask = x, mask
        self._results = self if results is None else results
        self._seen: dict[int, Any] = {}
        self._means: dict[tuple[int, bytes], NDArray[np.float64]] = {}
        self._apart: dict[int, Any] = {}

    def by(self, process: Process[Any, Any], group: _Group) -> Any:
        """What the process sees of the points."""
        if group.sight not in self._seen:
            self._seen[group.sight] = process.see(self.x, self.mask)
        return self._seen[group.sight]

    def means(
        self, process: Process[Any, Any], group: _Group, kept: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Its prior means at the points, (q, e)."""
        key = group.priors, b"" if kept is None else kept.tobytes()
        if key not in self._means:
            self._means[key] = process.means(self.by(process, group), kept)
        return self._means[key]

    def apart(self, process: Process[Any, Any], group: _Group) -> Any:
        """What its covariance between the points and those with results is made of."""
        if group.sight not in self._apart:
            self._apart[group.sight] = process.apart(self.by(process, group), self._results.by(process, group))
        return self._apart[group.sight]


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One process, adapted to the results."""

    process: Process[Any, Any]
    group: _Group
    adapted: Adapted

    def predict(self, there: _Features, *, noisy: bool = False) -> Mixture:
        """The warped score at points."""
        process, group = self.process, self.group
        return self.adapted.predict(
            there.means(process, group, self.adapted.kept),
            process.covariance(there.apart(process, group)),
            process.variance(there.by(process, group)) + noisy * process.noise,
        )

    def between(self, there: _Features) -> NDArray[np.float64]:  # (q, q)
        """The covariance of points after the results, but for the scale."""
        process, group, seen = self.process, self.group, there.by(self.process, self.group)
        prior = process.covariance(process.apart(seen, seen))
        return self.adapted.between(process.covariance(there.apart(process, group)), prior)


@dataclass(frozen=True, slots=True, eq=False)
class Opinion:
    """An expert after the results so far."""

    log_evidence: float
    shares: NDArray[np.float64]  # of the parts
    parts: tuple[_Part, ...]
    results: _Features  # the points with results

    def predict(self, x: NDArray[np.float64], mask: NDArray[np.bool_], *, noisy: bool = False) -> Mixture:
        """The latent warped score at q points, (q, d) each; `noisy`: what would be observed there."""
        there = _Features(x, mask, self.results)
        found = [part.predict(there, noisy=noisy) for part in self.parts]
        return joined([Mixture(s * m.weights, m.mean, m.std) for s, m in zip(self.shares, found, strict=True)])

    def left(self, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> Generator[NDArray[np.float64], int]:  # (q, c)
        """Of the standard deviations at q points, what is left after results at those that are sent, one by one."""
        there = _Features(x, mask, self.results)
        covariances = [part.between(there) for part in self.parts]
        before = [np.maximum(np.diag(covariance), 1e-10) for covariance in covariances]
        each = [len(part.adapted.weights) for part in self.parts]
        row = yield np.ones((len(x), sum(each)))
        while True:
            for k, (part, covariance) in enumerate(zip(self.parts, covariances, strict=True)):
                own = covariance[:, row]
                covariances[k] = covariance - np.outer(own, own) / (max(own[row], 1e-10) + part.process.noise)
            after = [np.maximum(np.diag(covariance), 1e-10) for covariance in covariances]
            shares = [np.sqrt(one / other) for one, other in zip(after, before, strict=True)]
            row = yield np.column_stack([np.tile(one[:, None], count) for one, count in zip(shares, each, strict=True)])


def joined(mixtures: Sequence[Mixture]) -> Mixture:
    """One mixture of several, whose weights sum to one together."""
    return Mixture(
        np.concatenate([m.weights for m in mixtures]),
        np.concatenate([m.mean for m in mixtures], axis=1),
        np.concatenate([m.std for m in mixtures], axis=1),
    )


class ColdProcess:
    """No past: a mean of zero, a level for every family, and a Matérn process within each."""

    def __init__(self, layout: Layout, length: float, noise: float) -> None:
        """`length` is in roots of the number of active parameters."""
        self.layout, self.length, self.noise = layout, length, noise
        self.shares = self.priors = layout
        self.families = layout.choice.stop > layout.choice.start

    def see(self, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> tuple[NDArray, NDArray]:
        """Places in roots of the number of active parameters, (q, d + c), and families, (q,)."""
        size = np.sqrt(self.layout.size(mask))[:, None]
        return self.layout.places(x, mask) / size, self.layout.family(x)

    def means(self, seen: tuple[NDArray, NDArray], kept: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Zero, (q, 1): the offset takes care of the level."""
        return np.zeros((len(seen[0]), 1))

    def apart(self, a: tuple[NDArray, NDArray], b: tuple[NDArray, NDArray]) -> tuple[NDArray, NDArray | None]:
        """Squared distances, and which pairs are of one family."""
        return squares(a[0], b[0]), a[1][:, None] == b[1][None, :] if self.families else None

    def covariance(self, apart: tuple[NDArray, NDArray | None]) -> NDArray[np.float64]:
        """One within a family at distance zero; a family's level is another one."""
        near = matern(apart[0] / self.length**2)
        return near if apart[1] is None else apart[1] * (near + 1.0)

    def variance(self, seen: tuple[NDArray, NDArray]) -> NDArray[np.float64]:
        """What `covariance` is at distance zero, (q,)."""
        return np.full(len(seen[0]), 2.0 if self.families else 1.0)


def cold(layout: Layout, options: TransferOptions = OPTIONS) -> Expert:
    """The cold Gaussian process over a grid of length scales and noises."""
    grid = [(length, noise) for length in options.cold_lengths for noise in options.cold_noises]
    return Expert("cold", [ColdProcess(layout, length, noise) for length, noise in grid], options)


def expected_log_seconds(
    history: History,
    layout: Layout,
    expected: Callable[[NDArray, NDArray], NDArray[np.float64]],
    x: NDArray[np.float64],  # (q, d)
    mask: NDArray[np.bool_],  # (q, d)
    options: TransferOptions = OPTIONS,
) -> NDArray[np.float64]:  # (q,)
    """Log of the seconds that evaluations will take: what is `expected` of them, corrected by what others took here."""
    log = expected(x, mask)
    if history.seconds is None:
        return log
    timed = np.isfinite(history.seconds) & (np.nan_to_num(history.seconds) > 0)
    here, active = history.x[timed], history.mask[timed]
    residual = surprise(history.seconds[timed], expected(here, active), options.start_seconds)
    return log + slower(residual, layout.family(here), layout.family(x), options.other_spreads)


def chance_of_failure(
    layout: Layout,
    history: History,
    x: NDArray[np.float64],  # (q, d)
    mask: NDArray[np.bool_],  # (q, d)
    prior: NDArray[np.float64] | float | None = None,  # (q,) None: `options.failure_prior`
    options: TransferOptions = OPTIONS,
) -> NDArray[np.float64]:  # (q,)
    """How likely an evaluation fails: `prior`, as if seen once, and the neighbours here, by nearness."""
    prior = options.failure_prior if prior is None else prior
    done = ~np.isnan(history.scores)
    failed = np.isneginf(history.scores[done])
    if not failed.any():
        return np.broadcast_to(np.asarray(prior, dtype=float) / (1.0 + done.sum() / 10), (len(x),))
    process = ColdProcess(layout, options.failure_length, 0.0)
    here, there = process.see(history.x[done], history.mask[done]), process.see(x, mask)
    distance, same = process.apart(there, here)
    near = matern(distance / process.length**2) * (1.0 if same is None else same)
    return (prior + near @ failed) / (1.0 + near.sum(axis=1))
