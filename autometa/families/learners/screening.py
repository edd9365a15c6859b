"""Which columns are worth making: those that explain the mistakes of a quick model, more than chance and their sources.

On some of the training rows a quick model is asked about rows it has not seen. The gain of a candidate is the share of
the variance of the mistakes that it explains: that lies between its bins or, for a linear model, along a line; an
unbiased estimate, of nothing it is 0 on average. A candidate is made if its gain is above that of 95 of 100 where the
target was permuted, above that of the numbers it is made of, and no better one is much like it. Whether what is made
pays is not decided here but by the rows that a trial holds back.

Law: nothing but the given rows is looked at.

Letters:  n rows · m candidates · b bins · c columns of mistakes, one for each class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from autometa.families.learners.gains import between_bins, binned, share_told
from autometa.families.learners.preprocess import preprocessing
from autometa.families.learners.recipes import (
    Arithmetic,
    Base,
    Cells,
    Recipe,
    Sign,
    Values,
    Within,
    WithinGroup,
)
from autometa.families.options import OPTIONS

if TYPE_CHECKING:
    from autometa.task import Columns

Make = Callable[[Cells], Recipe]  # a recipe as a training table has it


class PossibleColumn(NamedTuple):
    """A column that may be made."""

    make: Make
    numbers: tuple[str, ...]  # that it is made of, each of which has to explain less
    gain: float = 0.0


@dataclass(frozen=True, slots=True)
class Screened:
    """What is worth making, the best first."""

    recipes: tuple[Make, ...] = ()
    generators: tuple[str, ...] = ()  # of each recipe
    gains: tuple[float, ...] = ()  # of each as well: the share of the variance of the mistakes


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The rows that are looked at."""

    cells: Cells  # (n, p)
    mistakes: Values  # (n, c) of the quick model, on rows it has not seen
    base: Base
    seed: int
    numbers: tuple[str, ...]  # that vary, those that tell most of the target first
    categories: tuple[str, ...]  # as well

    def told(self, values: Values, order: NDArray[np.intp] | None = None) -> Values:  # (n, m) -> (m,)
        """The share of the mistakes' variance that each candidate explains; of mistakes in another order, by chance."""
        return share_told(values, self.mistakes if order is None else self.mistakes[order], self.base)


def screened(
    X: pd.DataFrame,
    y: NDArray[Any],
    columns: Columns,
    generators: Sequence[str],
    *,
    classification: bool,
    base: Base,
    seed: int,
) -> Screened:
    """What is worth making of a training table (n, p) and its target (n,).

    Example:
        >>> from autometa.task import Columns
        >>> rng = np.random.default_rng(0)
        >>> X = pd.DataFrame({"price": rng.uniform(1, 9, 900), "area": rng.uniform(1, 9, 900)})
        >>> how = {"classification": False, "base": "linear", "seed": 0}
        >>> found = screened(X, rng.normal(size=900), Columns(numeric=("price", "area")), ("arithmetic",), **how)
        >>> found.gains
        ()
    """
    options = OPTIONS.features
    if len(X) < options.fewest_rows or len(columns.numeric) + len(columns.categorical) > options.most_columns:
        return Screened()
    sample = _sample(X, y, columns, classification, base, seed)
    if sample is None:
        return Screened()
    kept: list[tuple[str, PossibleColumn, Values]] = []
    for generator in generators:
        kept.extend((generator, *one) for one in _worth(sample, generator))
    kept.sort(key=lambda one: -one[1].gain)
    chosen: list[tuple[str, PossibleColumn]] = []
    ranks: list[Values] = []
    for generator, candidate, values in kept:
        rank = _ranks(values)
        if len(chosen) < options.most and all(abs(float(rank @ other)) < options.alike for other in ranks):
            chosen.append((generator, candidate))
            ranks.append(rank)
    return Screened(
        tuple(one.make for _, one in chosen),
        tuple(generator for generator, _ in chosen),
        tuple(one.gain for _, one in chosen),
    )


def _sample(
    X: pd.DataFrame, y: NDArray[Any], columns: Columns, classification: bool, base: Base, seed: int
) -> Sample | None:
    """Some of the rows, and the quick model's mistakes on them; None where there is nothing to learn."""
    options = OPTIONS.features
    if len(X) > options.rows:
        rows = np.sort(np.random.default_rng(seed).choice(len(X), options.rows, replace=False))
        X, y = X.iloc[rows], y[rows]
    target = _targets(y, classification)
    if not target.any():
        return None
    mistakes = target - _foretold(X, target, columns, classification, base, seed)
    gain = partial(between_bins, mistakes=target)
    numbers = [name for name in columns.numeric if X[name].nunique() > 1]
    categories = [name for name in columns.categorical if X[name].nunique() > 1]
    cells = Cells(X)
    by_number = gain(np.column_stack([binned(cells.number(name)) for name in numbers])) if numbers else np.empty(0)
    codes = [cells.codes(cells.groups((name,))) for name in categories]
    by_category = np.array([float(gain(one[:, None], bins=int(one.max()) + 1)[0]) for one in codes])
    return Sample(
        cells,
        mistakes,
        base,
        seed,
        tuple(numbers[i] for i in np.argsort(-by_number, kind="stable")),
        tuple(categories[i] for i in np.argsort(-by_category, kind="stable")),
    )


def _targets(y: NDArray[Any], classification: bool) -> Values:
    """(n, c) the target less its mean: a number, or 0 and 1 for each class (of two one), rare ones together."""
    if not classification:
        values = np.asarray(y, dtype=np.float64)[:, None]
        low, high = np.quantile(values, [0.01, 0.99])
        values = np.clip(values, low, high)  # a few far away are not what all mistakes are about
    else:
        _, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
        most = OPTIONS.preprocessing.most_target_classes
        rank = np.minimum(np.argsort(np.argsort(-counts, kind="stable")), most - 1)[codes]
        values = (rank[:, None] == np.arange(rank.max() + 1)).astype(np.float64)
        values = values[:, 1:] if values.shape[1] == 2 else values
    return values - values.mean(axis=0)


def _foretold(X: pd.DataFrame, target: Values, columns: Columns, classification: bool, base: Base, seed: int) -> Values:
    """(n, c) what the quick model says of rows that it has not seen."""
    options, out = OPTIONS.features, np.zeros(target.shape)
    columns = type(columns)(columns.numeric, columns.categorical)  # texts cost too much
    if not columns.all:
        return out
    linear = base == "linear"
    how: dict[str, Any] = {"categories": "onehot", "scale": "standard"} if linear else {"categories": "codes"}
    for fit, held in KFold(options.folds, shuffle=True, random_state=seed).split(X):
        steps = preprocessing(columns, "regression", seed=seed, **how)
        inputs, asked = steps.fit_transform(X.iloc[fit]), steps.transform(X.iloc[held])
        for j in range(target.shape[1]):
            out[held, j] = _quick(inputs, target[fit, j], len(columns.categorical), linear, seed)(asked)
    return out


def _quick(inputs: Values, y: Values, categorical: int, linear: bool, seed: int) -> Callable[[Values], Values]:
    if linear:
        from sklearn.linear_model import Ridge

        return Ridge(alpha=1.0).fit(inputs, y).predict
    import lightgbm

    options = OPTIONS.features
    settings = {
        "objective": "regression", "num_leaves": options.leaves, "learning_rate": 0.15, "num_threads": 1,
        "verbosity": -1, "seed": seed, "deterministic": True, "force_col_wise": True, "max_bin": 63,
    }  # fmt: skip
    data = lightgbm.Dataset(
        inputs, y, categorical_feature=list(range(categorical)), params={"verbosity": -1, "max_bin": 63}
    )
    return lightgbm.train(settings, data, options.rounds).predict


def _ranks(values: Values) -> Values:
    """(n,) ranks of length one, by whose product candidates are alike; what is missing is in the middle."""
    filled = np.where(np.isnan(values), np.nanmedian(values) if not np.isnan(values).all() else 0.0, values)
    order = np.argsort(np.argsort(filled, kind="stable"), kind="stable").astype(np.float64)
    order -= order.mean()
    return order / max(float(np.linalg.norm(order)), 1e-300)


def _worth(sample: Sample, generator: str) -> list[tuple[PossibleColumn, Values]]:
    """The candidates of a generator that are worth making, the best first, and their values."""
    options = OPTIONS.features
    rng = np.random.default_rng(sample.seed)
    orders = [rng.permutation(len(sample.mistakes)) for _ in range(options.controls)]
    candidates = list(GENERATORS[generator](sample))
    if not candidates:
        return []
    values = np.column_stack([one.make(sample.cells).values(sample.cells) for one in candidates])
    chance = [sample.told(values, order) for order in orders]
    gains, own = sample.told(values), dict(zip(sample.numbers, _own_gains(sample), strict=True))
    least = max(float(np.quantile(np.concatenate(chance), options.level)), 0.0)
    worth = [
        (one._replace(gain=float(gain)), values[:, j])
        for j, (one, gain) in enumerate(zip(candidates, gains, strict=True))
        if gain > max([least, *(own[name] for name in one.numbers)])
    ]
    worth.sort(key=lambda found: -found[0].gain)
    return _unlike(worth)


def _unlike(worth: list[tuple[PossibleColumn, Values]]) -> list[tuple[PossibleColumn, Values]]:
    """Without those that a better one is much like."""
    kept: list[tuple[PossibleColumn, Values]] = []
    ranks: list[Values] = []
    for candidate, values in worth:
        rank = _ranks(values)
        if all(abs(float(rank @ other)) < OPTIONS.features.alike for other in ranks):
            kept.append((candidate, values))
            ranks.append(rank)
        if len(kept) == OPTIONS.features.most:
            break
    return kept


def _own_gains(sample: Sample) -> Values:
    if not sample.numbers:
        return np.empty(0)
    return share_told(
        np.column_stack([sample.cells.number(name) for name in sample.numbers]), sample.mistakes, sample.base
    )


# ------------------------------------------------------------------------------------------------------ the candidates


def _arithmetic(sample: Sample) -> Iterator[PossibleColumn]:
    """Difference, ratio and product of pairs of the numbers that tell most, and differences of all moments."""
    options = OPTIONS.features
    top = sample.numbers[: options.numbers]
    moments = [name for name in sample.numbers if name.rstrip("'").endswith(".elapsed")][: options.numbers]
    pairs = list(combinations(top, 2))
    pairs += [pair for pair in combinations(moments, 2) if pair not in pairs and pair[::-1] not in pairs]
    for a, b in pairs:
        both = a in moments and b in moments
        signs: tuple[Sign, ...] = ("-",) if both else ("-", "/", "*")
        for sign in signs:
            left, right = _as_ratio(sample, a, b) if sign == "/" else (a, b)
            yield PossibleColumn(partial(_always, Arithmetic(sign, left, right)), (a, b))


def _always(recipe: Recipe, cells: Cells) -> Recipe:
    """A recipe that learns nothing."""
    return recipe


def _as_ratio(sample: Sample, a: str, b: str) -> tuple[str, str]:
    """Which of two numbers is divided by which: as it goes more along a line with the mistakes."""
    found = []
    for left, right in ((a, b), (b, a)):
        values = Arithmetic("/", left, right).values(sample.cells)
        if np.isnan(values).all():
            found.append(0.0)
            continue
        low, middle, high = np.nanquantile(values, [0.05, 0.5, 0.95])
        values = np.clip(np.where(np.isnan(values), middle, values), low, high)
        values = values - values.mean()
        found.append(float(np.abs(values @ sample.mistakes).max() / max(float(np.linalg.norm(values)), 1e-300)))
    return (a, b) if found[0] >= found[1] else (b, a)


def _within(sample: Sample) -> Iterator[PossibleColumn]:
    options = OPTIONS.features
    for name in sample.categories[: options.categories]:
        for number in sample.numbers[: options.grouped_numbers]:
            for how in ("mean", "distance", "rank"):
                made = partial(_within_group, how, name, number)
                yield PossibleColumn(made, () if how == "mean" else (number,))


def _within_group(how: Within, category: str, number: str, cells: Cells) -> Recipe:
    return WithinGroup.of(how, cells, (category,), number)


GENERATORS: dict[str, Callable[[Sample], Iterator[PossibleColumn]]] = {
    "arithmetic": _arithmetic,
    "groups": _within,
}
