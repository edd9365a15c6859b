"""Past studies that each tried configurations of their own: all of them as functions, the foremost trials as a table.

The table holds the best trials of each study as columns, those first that cover most studies, and what every study lets
expect of every column. It is what the portfolio covers and what explanations cite; the functions (`population`) answer
everywhere else.

Laws: of many studies an even selection stands in the table, while all have their part in the population; an expected
score is lowered by a share of its standard deviation, so that no optimism about what nobody tried comes first.

Letters:  t studies in the table · m columns · n trials of a study · f features · d encoded dimensions.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autometa.space import Config, SearchSpace
from autometa.space.bridge import Bridge
from autometa.store.records import PastTasks
from autometa.transfer.features import Points, joined_points
from autometa.transfer.kernels import Layout
from autometa.transfer.options import OPTIONS, TransferOptions
from autometa.transfer.population import Population
from autometa.transfer.study_trials import StudyTrials

if TYPE_CHECKING:
    from autometa.store import TaskRecord


@dataclass(frozen=True, slots=True, eq=False)
class Functions:
    """Past studies as functions over the configurations of a space."""

    space: SearchSpace  # in whose encoding they are functions
    population: Population
    weights: NDArray[np.float64]  # (t, f) coefficients of the studies in the table
    usual: NDArray[np.float64]  # (t,) median of what a study lets expect of a random configuration
    best: NDArray[np.float64]  # (t,) the most it lets expect of a column

    def points(self, space: SearchSpace) -> PointsOf:
        """What turns encoded configurations of another space into points of these functions."""
        return PointsOf(Bridge(space, self.space), Layout(self.space))

    def normalised(self, phi: NDArray[np.float64]) -> NDArray[np.float64]:  # (q, f) -> (t, q)
        """What each study lets expect, 0 for its usual configuration and 1 for its best column."""
        return 1.0 - (self.best[:, None] - self.weights @ phi.T) / self.span[:, None]

    @property
    def span(self) -> NDArray[np.float64]:  # (t,)
        """From the floor to the best, at least a tenth of the usual spread of warped scores."""
        floor = self.population.options.study_floor
        return np.maximum((1.0 + floor) * (self.best - self.usual), 0.1)


@dataclass(frozen=True, slots=True, eq=False)
class PointsOf:
    """Encoded configurations of one space as points of functions over another one."""

    bridge: Bridge
    layout: Layout

    def __call__(self, x: NDArray[np.float64], mask: NDArray[np.bool_]) -> Points:  # (q, d) each
        """The points, q of them."""
        there = self.bridge(x, mask)
        return Points.of(self.layout, there.x, there.mask)


@dataclass(frozen=True, slots=True, eq=False)
class PastStudies(PastTasks):
    """A table of past studies whose entries nearly all are missing, and the functions that say what they would be."""

    _: KW_ONLY
    functions: Functions
    spread: NDArray[np.float64]  # (t, m) standard deviation of the normalised scores
    tried: NDArray[np.int64]  # (t,) trials of each study
    # Some configurations of all studies, not only their best ones, and the parameters that the study of each had: they
    # tell when parameters are active.
    examples: tuple[tuple[Config, tuple[str, ...]], ...] = ()

    def without(self, rows: Sequence[int]) -> PastStudies:
        """All studies but some, of which the table and the functions forget what they tried."""
        kept = np.setdiff1d(np.arange(len(self.records)), np.asarray(rows, dtype=int))
        if len(kept) == len(self.records):
            return self
        functions = replace(self.functions, **_rows_of(self.functions, ("weights", "usual", "best"), kept))
        own = _rows_of(self, ("scores", "seconds", "metafeatures", "spread", "tried"), kept)
        return replace(self, records=tuple(self.records[row] for row in kept), functions=functions, **own)

    def expected(self, space: SearchSpace, configs: Sequence[Config]) -> NDArray[np.float64]:
        """The normalised score that each study lets expect of q configurations of a space, (t, q)."""
        points = self.functions.points(space)(*space.encode_all(configs))
        return self.functions.normalised(self.functions.population.features.of(points))

    def columns(self, kept: Sequence[int], configs: Sequence[Config]) -> PastStudies:
        """Some of the columns, under configurations as they are in another space."""
        return replace(PastTasks.columns(self, kept, configs), spread=self.spread[:, list(kept)])


@dataclass(frozen=True, slots=True, eq=False)
class OwnTrials:
    """One past study as it was: its configurations in a space that holds all studies, and their scores."""

    record: TaskRecord
    configs: tuple[Config, ...]  # (n,)
    x: NDArray[np.float64]  # (n, d)
    mask: NDArray[np.bool_]  # (n, d)
    scores: NDArray[np.float64]  # (n,) larger is better, any unit; -inf = failed
    seconds: NDArray[np.float64]  # (n,) NaN = unknown


def summarised(
    studies: Sequence[OwnTrials],
    space: SearchSpace,
    metafeatures: tuple[NDArray[np.float64], tuple[str, ...], str],
    others: Iterable[OwnTrials] = (),
    options: TransferOptions = OPTIONS,
) -> PastStudies | None:
    """What is known of past studies; None where fewer than two of them tell configurations apart.

    Args:
        studies: Those that stand in the table, in any order; nothing depends on it.
        space: That holds the configurations of all of them.
        metafeatures: Of the studies, (t, f), their names and version, as in `PastTasks`.
        others: More studies, which have their part in mean and covariance; each is looked at once.
        options: The tuned numbers.
    """
    layout = Layout(space)
    trials = [_trials_of(study, layout, options) for study in studies]
    telling = [i for i in _in_order(studies) if trials[i].tells]
    if len(telling) < 2:
        return None
    seen = [trials[i] for i in telling]
    population = Population.learned(seen, layout.groups, options)
    more = iter(others)
    if (first := next(more, None)) is not None:
        population = population.including(
            chain(seen, (_trials_of(study, layout, options) for study in chain([first], more)))
        )
    rows = [studies[i] for i in telling]
    best = _BestTrials.of(rows, layout, options)
    view = _View.of(population, seen, best.points, layout)
    expected = view.functions.normalised(view.phi) - options.study_pessimism * view.spread
    order = _covering(expected, options)
    values, names, version = metafeatures
    return PastStudies(
        tuple(study.record for study in rows), tuple(best.configs[k] for k in order),
        best.scores[:, order], best.seconds[:, order], values[telling], names, version,
        functions=view.functions, spread=view.spread[:, order], tried=np.array([len(study.scores) for study in rows]),
    )  # fmt: skip


def extended(
    past: PastStudies,
    studies: Sequence[OwnTrials],
    metafeatures: NDArray[np.float64],
    options: TransferOptions = OPTIONS,
) -> PastStudies:
    """`past` and some more studies, in the population that it has; those that it had already are replaced.

    Of the best trials of a new study the others know no more than the population does.

    Args:
        past: As `summarised` gave it.
        studies: Encoded in the space of its functions.
        metafeatures: Of the studies, (t, f) under the names of `past`; NaN where unknown.
        options: The tuned numbers.
    """
    new = {study.record.fingerprint for study in studies}
    past = past.without([row for row, record in enumerate(past.records) if record.fingerprint in new])
    space, population = past.functions.space, past.functions.population
    layout = Layout(space)
    seen = [_trials_of(study, layout, options) for study in studies]
    telling = [i for i, trials in enumerate(seen) if trials.tells]
    if not telling:
        return past
    studies, seen, metafeatures = [studies[i] for i in telling], [seen[i] for i in telling], metafeatures[telling]
    best = _BestTrials.of(studies, layout, options)
    before = Points.of(layout, *space.encode_all(past.configs))
    view = _View.of(population, seen, joined_points([before, best.points]), layout)
    m, old = len(past.configs), past.functions
    phi = view.phi[m:]
    doubt = np.sqrt(population.variance(best.points, phi, view.usual)) / old.span[:, None]  # (t, new columns)
    functions = Functions(
        space,
        population,
        np.concatenate([old.weights, view.functions.weights]),
        np.concatenate([old.usual, view.functions.usual]),
        np.concatenate([old.best, view.functions.best]),
    )
    missing = np.full((len(studies), m), np.nan), np.full((len(past.records), len(best.configs)), np.nan)
    return PastStudies(
        (*past.records, *(study.record for study in studies)), (*past.configs, *best.configs),
        np.block([[past.scores, missing[1]], [missing[0], best.scores]]),
        np.block([[past.seconds, missing[1]], [missing[0], best.seconds]]),
        np.concatenate([np.asarray(past.metafeatures), metafeatures]), past.metafeature_names, past.metafeature_version,
        functions=functions, spread=np.block([[past.spread, doubt], [view.spread]]),
        tried=np.concatenate([past.tried, [len(study.scores) for study in studies]]),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _BestTrials:
    """The best trials of some studies as columns, study by study."""

    configs: list[Config]  # (m,)
    points: Points  # (m,)
    scores: NDArray[np.float64]  # (t, m) NaN but where a study has its own
    seconds: NDArray[np.float64]  # (t, m)

    @classmethod
    def of(cls, studies: Sequence[OwnTrials], layout: Layout, options: TransferOptions) -> _BestTrials:
        """The best of each."""
        top = [np.argsort(-study.scores, kind="stable")[: options.study_best] for study in studies]
        top = [own[np.isfinite(study.scores[own])] for own, study in zip(top, studies, strict=True)]
        pairs = list(zip(studies, top, strict=True))
        row = np.repeat(np.arange(len(studies)), [len(own) for own in top])
        scores, seconds = np.full((len(studies), len(row)), np.nan), np.full((len(studies), len(row)), np.nan)
        scores[row, np.arange(len(row))] = np.concatenate([study.scores[own] for study, own in pairs])
        seconds[row, np.arange(len(row))] = np.concatenate([study.seconds[own] for study, own in pairs])
        x = np.concatenate([study.x[own] for study, own in pairs])
        mask = np.concatenate([study.mask[own] for study, own in pairs])
        configs = [study.configs[k] for study, own in pairs for k in own]
        return cls(configs, Points.of(layout, x, mask), scores, seconds)


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    """What some studies let expect of some columns."""

    functions: Functions
    phi: NDArray[np.float64]  # (m, f)
    usual: NDArray[np.float64]  # (f,) mean features of random configurations
    spread: NDArray[np.float64]  # (t, m)

    @classmethod
    def of(cls, population: Population, seen: Sequence[StudyTrials], columns: Points, layout: Layout) -> _View:
        """After the trials of each study."""
        phi = population.features.of(columns)
        usual = population.features.of(_random_points(layout, population.options.usual_points))
        found = [population.posterior(trials) for trials in seen]
        weights = np.stack([posterior.weights for posterior in found])
        variance = population.variance(columns, phi, usual.mean(axis=0), found)
        functions = Functions(
            layout.space, population, weights, np.median(weights @ usual.T, axis=1), (weights @ phi.T).max(axis=1)
        )
        return cls(functions, phi, usual.mean(axis=0), np.sqrt(variance) / functions.span[:, None])


def _rows_of(of: object, names: Sequence[str], kept: NDArray[np.int64]) -> dict[str, Any]:
    """Some rows of some of its arrays, by their names."""
    return {name: getattr(of, name)[kept] for name in names}


def _trials_of(study: OwnTrials, layout: Layout, options: TransferOptions) -> StudyTrials:
    return StudyTrials.of(Points.of(layout, study.x, study.mask), study.scores, options.study_trials)


def _in_order(studies: Sequence[OwnTrials]) -> list[int]:
    """Positions, by what was tried: which features are chosen and who is first of equals depends on an order.

    That of a store is by fingerprints, which are others wherever the same studies are remembered.
    """
    return sorted(range(len(studies)), key=lambda i: (studies[i].x.tobytes(), studies[i].scores.tobytes()))


def _covering(expected: NDArray[np.float64], options: TransferOptions) -> NDArray[np.int64]:  # (t, m) -> (m',)
    """Columns in the order in which they cover the studies, then by their mean."""
    covered, order = np.zeros(len(expected)), []
    left = np.ones(expected.shape[1], dtype=bool)
    for _ in range(min(options.covering_columns, len(left))):
        gain = np.maximum(expected - covered[:, None], 0.0).mean(axis=0)
        column = int(np.argmax(np.where(left, gain, -1.0)))
        order.append(column)
        left[column] = False
        covered = np.maximum(covered, expected[:, column])
    rest = np.flatnonzero(left)
    rest = rest[np.argsort(-expected[:, rest].mean(axis=0), kind="stable")]
    return np.concatenate([np.array(order, dtype=np.int64), rest])[: options.table_columns]


def _random_points(layout: Layout, number: int) -> Points:
    """Random configurations, always the same."""
    found = layout.complete(np.random.default_rng(0).random((number, layout.space.d)))
    return Points.of(layout, found.x, found.mask)
