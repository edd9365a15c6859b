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

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from autometa.surrogate.encoding import Layout, matern, squares
from autometa.surrogate.gaussian import Adapted, Mixture
from autometa.surrogate.history import History, warped

DRIFT, SCATTER = 4.0, 1.0  # variances, in warped scores, of what a result of fidelity 0 is off by: in common, and alone
LENGTHS = (0.25, 0.5, 1.0, 2.0)  # of a cold process, times the root of the number of active parameters
NOISES = (1e-3, 3e-2)
KEPT = 0.05  # a process with a smaller share of its expert's evidence takes no part in predictions


class Process(Protocol):
    """A Gaussian process with one or several prior means, of which one is right."""

    noise: float

    def see(self, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> Any:
        """What it needs of some points, computed once."""
        ...

    def means(self, seen: Any, kept: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """The prior means, all or some of them, (q, e)."""
        ...

    def covariance(self, a: Any, b: Any) -> NDArray[np.float64]:
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
        self.y = warped(history.scores[self.finished])  # (finished,)
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
        parts: list[_Part] = []
        for process in self.processes:
            seen = process.see(history.x[rows], history.mask[rows])
            covariance = process.covariance(seen, seen) + process.noise * np.eye(len(rows)) + observed.doubt(rows)
            adapted = Adapted(observed.y, process.means(seen), covariance, log_prior)
            parts.append(_Part(process, seen, adapted))
        log = np.array([part.adapted.log_evidence for part in parts])
        share = np.exp(log - log.max())
        evidence = float(log.max() + np.log(share.mean()))
        share /= share.sum()
        chosen = [k for k in np.argsort(-share, kind="stable") if share[k] >= max(KEPT, 0.3 * share.max())][:2]
        believing = [_believing(parts[k], observed) if len(observed.running) else parts[k] for k in chosen]
        return Opinion(evidence, share[chosen] / share[chosen].sum(), tuple(believing))


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    process: Process
    seen: Any
    adapted: Adapted


@dataclass(frozen=True, slots=True, eq=False)
class Opinion:
    """An expert after the results so far."""

    log_evidence: float
    shares: NDArray[np.float64]  # of the parts
    parts: tuple[_Part, ...]

    def predict(self, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> Mixture:
        """The latent warped score at q points."""
        found = []
        for share, (process, seen, adapted) in zip(
            self.shares, ((p.process, p.seen, p.adapted) for p in self.parts), strict=True
        ):
            there = process.see(x, mask)
            mixture = adapted.predict(
                process.means(there, adapted.kept), process.covariance(there, seen), process.variance(there)
            )
            found.append(Mixture(share * mixture.weights, mixture.mean, mixture.std))
        return joined(found)


def joined(mixtures: Sequence[Mixture]) -> Mixture:
    """One mixture of several, whose weights sum to one together."""
    return Mixture(
        np.concatenate([m.weights for m in mixtures]),
        np.concatenate([m.mean for m in mixtures], axis=1),
        np.concatenate([m.std for m in mixtures], axis=1),
    )


def _believing(part: _Part, observed: Observed) -> _Part:
    """The same with running evaluations taken for what the process itself expects of them."""
    history, process = observed.history, part.process
    x, mask = history.x[observed.running], history.mask[observed.running]
    there = process.see(x, mask)
    mixture = part.adapted.predict(
        process.means(there, part.adapted.kept), process.covariance(there, part.seen), process.variance(there)
    )
    rows = np.concatenate([observed.finished, observed.running])
    everywhere = process.see(history.x[rows], history.mask[rows])
    covariance = process.covariance(everywhere, everywhere) + process.noise * np.eye(len(rows)) + observed.doubt(rows)
    means = process.means(everywhere, part.adapted.kept)
    y = np.concatenate([observed.y, mixture.mean @ mixture.weights])
    with np.errstate(divide="ignore"):
        log_prior = np.log(part.adapted.weights)
    believer = Adapted(y, means, covariance, log_prior)
    # `kept` counts among the means that were kept before.
    believer._keep = part.adapted.kept[believer._keep]
    return _Part(process, everywhere, believer)


class ColdProcess:
    """No past: a mean of zero, a level for every family, and a Matérn process within each."""

    def __init__(self, layout: Layout, length: float, noise: float) -> None:
        """`length` is in roots of the number of active parameters."""
        self.layout, self.length, self.noise = layout, length, noise
        self.families = layout.choice.stop > layout.choice.start

    def see(self, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> tuple[NDArray, NDArray]:
        """Places in length scales, and families."""
        size = np.sqrt(self.layout.size(mask))[:, None]
        return self.layout.places(x, mask) / (self.length * size), self.layout.family(x)

    def means(self, seen: tuple[NDArray, NDArray], kept: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Zero: the shift takes care of the level."""
        return np.zeros((len(seen[0]), 1))

    def covariance(self, a: tuple[NDArray, NDArray], b: tuple[NDArray, NDArray]) -> NDArray[np.float64]:
        """One within a family at distance zero; a family's level is another one."""
        near = matern(squares(a[0], b[0]))
        return near if not self.families else (a[1][:, None] == b[1][None, :]) * (near + 1.0)

    def variance(self, seen: tuple[NDArray, NDArray]) -> NDArray[np.float64]:
        """As `covariance` at distance zero."""
        return np.full(len(seen[0]), 2.0 if self.families else 1.0)


def cold(layout: Layout) -> Expert:
    """The cold Gaussian process over a grid of length scales and noises."""
    return Expert("cold", [ColdProcess(layout, length, noise) for length in LENGTHS for noise in NOISES])


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
    near = matern(squares(there[0], here[0])) * (there[1][:, None] == here[1][None, :])
    return (prior + near @ failed) / (1.0 + near.sum(axis=1))
