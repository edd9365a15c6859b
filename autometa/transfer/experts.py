"""Those whose opinions the guard weighs: a cold Gaussian process, the past tasks, and the meta-learned surrogate.

Each is a few Gaussian processes (`Process`: prior means and a covariance) of which one is right. `Expert.adapt` gives
each its evidence on the results so far and keeps the most probable ones for predictions. To add an expert, write a
class with the methods of `Process`.

Running evaluations enter as believers: with the mean that the process itself predicts there, so that what is known
about the score stays and the uncertainty goes. Low-fidelity results may all be off by a common drift, and the more so
the lower their fidelity. Failed ones are not scores; `chance_of_failure` deals with them.

Letters:  m evaluations · q points · e prior means · t past tasks · d encoded dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from autometa.transfer.cost import OTHERS, slower, surprise
from autometa.transfer.gaussian import Adapted, Mixture
from autometa.transfer.kernels import Layout, matern, squares
from autometa.transfer.observation import History
from autometa.transfer.scale import Warp

DRIFT, SCATTER = 4.0, 1.0  # variances, in warped scores, of what a result of fidelity 0 is off by: in common, and alone
LENGTHS = (0.25, 0.5, 1.0, 2.0)  # of a cold process, times the root of the number of active parameters
NOISES = (1e-3, 3e-2)
KEPT = 0.3  # of the evidence of its expert's best process: one with less takes no part in predictions


class Process(Protocol):
    """A Gaussian process with one or several prior means, of which one is right."""

    noise: float
    sight: Any  # processes of the same sight see the same, and have the same means

    def see(self, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> Any:
        """What it needs of some points, computed once."""
        ...

    def means(self, seen: Any, kept: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """The prior means, all or some of them, (q, e)."""
        ...

    def apart(self, a: Any, b: Any) -> Any:
        """What the covariance of two sets of points is made of; processes of the same sight share it."""
        ...

    def covariance(self, apart: Any) -> NDArray[np.float64]:
        """Between two sets of points, (p, q)."""
        ...

    def variance(self, seen: Any) -> NDArray[np.float64]:
        """At each point, (q,)."""
        ...


class Observed:
    """A history as the experts see it: finished scores warped, the others set apart."""

    def __init__(self, history: History) -> None:
        """Takes the order as it comes; nothing depends on it."""
        self.history = history
        self.finished = np.flatnonzero(np.isfinite(history.scores))
        self.running = np.flatnonzero(np.isnan(history.scores))
        self.failed = np.isneginf(history.scores)
        self.warp = Warp.of(history.scores[self.finished])
        self.y = self.warp(history.scores[self.finished])  # (finished,)
        fidelity = np.ones(len(history)) if history.fidelity is None else history.fidelity
        self.short = 1.0 - np.clip(fidelity, 0.0, 1.0)  # (m,)

    @property
    def best(self) -> float:
        """The incumbent, warped: the best of the highest fidelity that there is."""
        if not len(self.finished):
            return 0.0
        short = self.short[self.finished]
        return float(self.y[short <= short.min() + 1e-9].max())

    def doubt(self, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """What low fidelity adds to the covariance of these evaluations, (m, m)."""
        short = self.short[rows]
        return DRIFT * np.outer(short, short) + np.diag(SCATTER * short**2)


class Expert:
    """Several processes, of which one is right."""

    def __init__(self, name: str, processes: Sequence[Process]) -> None:
        """Equally likely beforehand."""
        self.name, self.processes = name, tuple(processes)

    def adapt(self, observed: Observed, log_prior: NDArray[np.float64] | None = None) -> Opinion:
        """The evidence of every process; `log_prior` (e,) is the log weight of the prior means."""
        history, rows = observed.history, observed.finished
        seen = _Sights(history.x[rows], history.mask[rows])
        doubt = observed.doubt(rows)
        parts: list[_Part] = []
        for process in self.processes:
            here = seen.by(process)
            covariance = process.covariance(seen.apart(process, here)) + process.noise * np.eye(len(rows)) + doubt
            parts.append(_Part(process, here, Adapted(observed.y, seen.means(process), covariance, log_prior)))
        log = np.array([part.adapted.log_evidence for part in parts])
        share = np.exp(log - log.max())
        evidence = float(log.max() + np.log(share.mean()))
        chosen = [k for k in np.argsort(-share, kind="stable") if share[k] > KEPT][:2]
        kept = [_believing(parts[k], observed) if len(observed.running) else parts[k] for k in chosen]
        return Opinion(evidence, share[chosen] / share[chosen].sum(), tuple(kept))


class _Sights:
    """Points as processes see them; those of one `sight` share the work."""

    def __init__(self, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> None:
        self.x, self.mask = x, mask
        self._seen: dict[int, Any] = {}
        self._means: dict[tuple[int, bytes], NDArray[np.float64]] = {}
        self._apart: dict[tuple[int, int], Any] = {}

    def by(self, process: Process) -> Any:
        key = id(process.sight)
        if key not in self._seen:
            self._seen[key] = process.see(self.x, self.mask)
        return self._seen[key]

    def means(self, process: Process, kept: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        key = id(process.sight), b"" if kept is None else kept.tobytes()
        if key not in self._means:
            self._means[key] = process.means(self.by(process), kept)
        return self._means[key]

    def apart(self, process: Process, results: Any) -> Any:
        key = id(process.sight), id(results)
        if key not in self._apart:
            self._apart[key] = process.apart(self.by(process), results)
        return self._apart[key]


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One process with what it saw of the results and made of them."""

    process: Process
    seen: Any
    adapted: Adapted

    def predict(self, there: _Sights, *, noisy: bool = False) -> Mixture:
        process, points = self.process, there.by(self.process)
        return self.adapted.predict(
            there.means(process, self.adapted.kept),
            process.covariance(there.apart(process, self.seen)),
            process.variance(points) + noisy * process.noise,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Opinion:
    """An expert after the results so far."""

    log_evidence: float
    shares: NDArray[np.float64]  # of the parts
    parts: tuple[_Part, ...]

    def predict(self, x: NDArray[np.float64], mask: NDArray[np.bool_], *, noisy: bool = False) -> Mixture:
        """The latent warped score at q points; `noisy`: what would be observed there."""
        there = _Sights(x, mask)
        found = [part.predict(there, noisy=noisy) for part in self.parts]
        return joined([Mixture(s * m.weights, m.mean, m.std) for s, m in zip(self.shares, found, strict=True)])


def joined(mixtures: Sequence[Mixture]) -> Mixture:
    """One mixture of several, whose weights sum to one together."""
    return Mixture(
        np.concatenate([m.weights for m in mixtures]),
        np.concatenate([m.mean for m in mixtures], axis=1),
        np.concatenate([m.std for m in mixtures], axis=1),
    )


def _believing(part: _Part, observed: Observed) -> _Part:
    """The same with running evaluations taken for what the process itself expects of them."""
    history, process, kept = observed.history, part.process, part.adapted.kept
    expected = part.predict(_Sights(history.x[observed.running], history.mask[observed.running]))
    rows = np.concatenate([observed.finished, observed.running])
    seen = process.see(history.x[rows], history.mask[rows])
    covariance = (
        process.covariance(process.apart(seen, seen)) + process.noise * np.eye(len(rows)) + observed.doubt(rows)
    )
    y = np.concatenate([observed.y, expected.mean @ expected.weights])
    log_prior = np.log(np.maximum(part.adapted.weights, 1e-300))
    return _Part(process, seen, Adapted(y, process.means(seen, kept), covariance, log_prior, positions=kept))


class ColdProcess:
    """No past: a mean of zero, a level for every family, and a Matérn process within each."""

    def __init__(self, layout: Layout, length: float, noise: float) -> None:
        """`length` is in roots of the number of active parameters."""
        self.layout, self.length, self.noise, self.sight = layout, length, noise, layout
        self.families = layout.choice.stop > layout.choice.start

    def see(self, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> tuple[NDArray, NDArray]:
        """Places, and families."""
        size = np.sqrt(self.layout.size(mask))[:, None]
        return self.layout.places(x, mask) / size, self.layout.family(x)

    def means(self, seen: tuple[NDArray, NDArray], kept: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Zero: the shift takes care of the level."""
        return np.zeros((len(seen[0]), 1))

    def apart(self, a: tuple[NDArray, NDArray], b: tuple[NDArray, NDArray]) -> tuple[NDArray, NDArray | None]:
        """Squared distances, and which pairs are of one family."""
        return squares(a[0], b[0]), a[1][:, None] == b[1][None, :] if self.families else None

    def covariance(self, apart: tuple[NDArray, NDArray | None]) -> NDArray[np.float64]:
        """One within a family at distance zero; a family's level is another one."""
        near = matern(apart[0] / self.length**2)
        return near if apart[1] is None else apart[1] * (near + 1.0)

    def variance(self, seen: tuple[NDArray, NDArray]) -> NDArray[np.float64]:
        """As `covariance` at distance zero."""
        return np.full(len(seen[0]), 2.0 if self.families else 1.0)


def cold(layout: Layout) -> Expert:
    """The cold Gaussian process over a grid of length scales and noises."""
    return Expert("cold", [ColdProcess(layout, length, noise) for length in LENGTHS for noise in NOISES])


def expected_log_seconds(
    history: History,
    layout: Layout,
    expected: Callable[[NDArray, NDArray], NDArray[np.float64]],
    x: NDArray[np.float64],  # (q, d)
    mask: NDArray[np.bool_],  # (q, d)
) -> NDArray[np.float64]:  # (q,)
    """Log of the seconds that evaluations will take: what is `expected` of them, moved by what others took here."""
    log = expected(x, mask)
    if history.seconds is None:
        return log
    timed = np.isfinite(history.seconds) & (np.nan_to_num(history.seconds) > 0)
    here, active = history.x[timed], history.mask[timed]
    rest = surprise(history.seconds[timed], expected(here, active))
    return log + slower(rest, layout.family(here), layout.family(x), OTHERS)


def chance_of_failure(
    layout: Layout,
    history: History,
    x: NDArray[np.float64],  # (q, d)
    mask: NDArray[np.bool_],  # (q, d)
    prior: NDArray[np.float64] | float = 0.02,  # (q,)
) -> NDArray[np.float64]:  # (q,)
    """How likely an evaluation fails: `prior`, as if seen once, and the neighbours here, by nearness."""
    done = ~np.isnan(history.scores)
    failed = np.isneginf(history.scores[done])
    if not failed.any():
        return np.broadcast_to(np.asarray(prior, dtype=float) / (1.0 + done.sum() / 10), (len(x),))
    process = ColdProcess(layout, 0.25, 0.0)
    here, there = process.see(history.x[done], history.mask[done]), process.see(x, mask)
    distance, same = process.apart(there, here)
    near = matern(distance / process.length**2) * (1.0 if same is None else same)
    return (prior + near @ failed) / (1.0 + near.sum(axis=1))
