"""What is believed of a task: the experts of its space, each by how well it foresaw the results so far.

Three experts forecast the score of any configuration: the meta-learned surrogate, the past tasks themselves, and a cold
Gaussian process that knows of no past. The weight of each is its prior weight times its evidence on this task's own
results, so that transfer which misleads loses its weight by its own mistakes.

Letters:  m evaluations · q points · d encoded dimensions · t past tasks.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autometa.space import Encoded, SearchSpace
from autometa.transfer.experts import (
    Expert,
    Opinion,
    WarpedHistory,
    chance_of_failure,
    cold,
    expected_log_seconds,
    joined,
)
from autometa.transfer.forecasts import PastForecasts, PastProcess
from autometa.transfer.gaussian import Mixture
from autometa.transfer.kernels import Layout
from autometa.transfer.observation import History, thinned
from autometa.transfer.options import OPTIONS, TransferOptions
from autometa.transfer.past_studies import Functions, PastStudies
from autometa.transfer.study_experts import study_processes

if TYPE_CHECKING:
    from autometa.metafeatures import MetaFeatures
    from autometa.store import PastTasks
    from autometa.transfer.meta.surrogate import Surrogate


class Belief:
    """The experts of one space; asked anew for every trial of every task, it keeps nothing between questions."""

    def __init__(
        self,
        space: SearchSpace,
        past: PastTasks | None,
        surrogate: Surrogate | None,
        *,
        metafeatures: MetaFeatures | None = None,
        options: TransferOptions = OPTIONS,
    ) -> None:
        """Reads the past once; `metafeatures` say how large the task is, on which what trials take depends."""
        self.space, self.surrogate, self.options = space, surrogate, options
        self.layout = surrogate.layout if surrogate is not None else Layout(space)
        self.prior = dict(options.without_surrogate if surrogate is None else options.with_surrogate)
        self.experts: dict[str, Expert] = {}
        if surrogate is not None and "transfer" in self.prior:
            self.experts["transfer"] = Expert("transfer", surrogate.members, options)
        self.past: PastForecasts | None = None
        self.functions: Functions | None = None  # of past studies that each tried configurations of their own
        if past is not None and len(past.records):
            self.functions = functions = past.functions if isinstance(past, PastStudies) else None
            forecasting = "past" in self.prior and functions is None
            read = PastForecasts(past, self.layout, metafeatures=metafeatures, forecasting=forecasting, options=options)
            self.past = read if read.t and read.m else None
            if functions is not None and "past" in self.prior:
                self.experts["past"] = Expert("past", study_processes(functions, space, options), options)
            elif self.past is not None and "past" in self.prior:
                processes = [PastProcess(read, residual) for residual in options.residual_variances]
                self.experts["past"] = Expert("past", processes, options)
        if "cold" in self.prior or not self.experts:
            self.experts["cold"] = cold(self.layout, options)
            self.prior.setdefault("cold", 1.0)

    def after(self, history: History, similarity: NDArray[np.float64] | None = None) -> Updated:
        """The belief after these results; `similarity` (t,) of the past tasks to this one, on any positive scale."""
        observed = WarpedHistory(thinned(history, self.options.longest_history), self.options)
        opinions: dict[str, Opinion] = {}
        for name, expert in self.experts.items():
            log_prior = None
            if name == "past" and similarity is not None and self.past is not None:
                own = similarity if self.functions is not None else similarity[self.past.rows]
                log_prior = np.log(np.maximum(own, 1e-12) / own.sum())
            opinions[name] = expert.adapt(observed, log_prior)
        return Updated(opinions, self._weights(opinions), observed)

    def _weights(self, opinions: dict[str, Opinion]) -> dict[str, float]:
        """The weight of every expert by its evidence; they sum to one."""
        log = np.array([np.log(self.prior[name]) + opinion.log_evidence for name, opinion in opinions.items()])
        weight = np.exp(log - log.max())
        return dict(zip(opinions, (weight / weight.sum()).tolist(), strict=True))

    def log_seconds(self, history: History, where: Encoded) -> NDArray[np.float64] | None:  # (q,)
        """Log of the seconds that configurations are expected to take here; None where nothing is known of that."""
        if self.past is not None and self.past.timed:
            expected = self.past.log_seconds
            return expected_log_seconds(history, self.layout, expected, where.x, where.mask, self.options)
        if self.surrogate is not None and self.surrogate.log_seconds is not None:
            return self.surrogate.cost(history, where.x, where.mask)
        return None

    def failure(self, history: History, where: Encoded) -> NDArray[np.float64]:  # (q,)
        """The probability that configurations fail."""
        if self.surrogate is not None:
            return self.surrogate.failure(history, where.x, where.mask)
        return chance_of_failure(self.layout, history, where.x, where.mask, options=self.options)


@dataclass(frozen=True, slots=True, eq=False)
class Updated:
    """A belief after the results of a task."""

    opinions: dict[str, Opinion]
    weights: dict[str, float]  # of the experts, sum to one
    observed: WarpedHistory

    def mixture(self, where: Encoded) -> Mixture:
        """The warped score at q points, by all experts that have a weight worth asking for."""
        total, found = sum(self._heavy.values()), []
        for name, weight in self._heavy.items():
            mixture = self.opinions[name].predict(where.x, where.mask)
            found.append(Mixture(mixture.weights * weight / total, mixture.mean, mixture.std))
        return joined(found)

    def left(self, where: Encoded) -> Generator[NDArray[np.float64], int]:  # (q, c)
        """Of the standard deviations of `mixture`, what is left where trials run at the points that are sent.

        A running trial is expected to end as it is expected to: that leaves the means as they are.
        """
        experts = [self.opinions[name].left(where.x, where.mask) for name in self._heavy]
        row = yield np.concatenate([next(expert) for expert in experts], axis=1)
        while True:
            row = yield np.concatenate([expert.send(row) for expert in experts], axis=1)

    @property
    def _heavy(self) -> dict[str, float]:
        return {name: weight for name, weight in self.weights.items() if weight > 0.01}
