"""What the vectors of an encoder are like, as a space: what tells which head suits them, and how it is held back.

They are of the largest embedding among the columns (`task.vectors`), of every number it has, on a sample of rows; where
there is none they are undefined. All lie between 0 and 1 or are put there, so that two embeddings can be compared
though no third is known. Vectors are centred; cosines are of centred ones.

Each function is a meta-feature, its name the feature's name. To add one, write it and give it a line in
`EMBEDDING_FEATURES`.

Source:  effective rank, Roy and Vetterli (2007); hubness, Radovanović, Nanopoulos and Ivanović (2010); leave-one-out of
    ridge regression in closed form, Allen (1974).

Letters:  r rows of the sample · d numbers of a vector · c classes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autometa.metafeatures.landmarking import balanced_accuracy
from autometa.metafeatures.view import View, shared
from autometa.task.vectors import vector_groups


class Space(NamedTuple):
    """A sample of an embedding."""

    lengths: NDArray[np.float64]  # (r,) of the vectors before they are centred
    products: NDArray[np.float64]  # (r, r) of centred vectors
    y: NDArray[np.int64]  # (r,) class codes; empty for regression
    width: int  # d


def embedding_width(view: View) -> float:
    """Logarithm of the numbers of a vector: 1 at 4,096."""
    return math.log2(len(names_of(view))) / 12


def embedding_examples(view: View) -> float:
    """Logarithm of the rows of a class in the mean: 1 at 4,096, and above; undefined for regression."""
    return np.nan if view.regression or not names_of(view) else min(math.log2(view.n / view.c) / 12, 1.0)


def embedding_length_spread(view: View) -> float:
    """How much lengths of vectors differ: v / (1 + v) of their standard deviation in units of the mean, v."""
    lengths = space(view).lengths
    spread = float(lengths.std() / lengths.mean())
    return spread / (1 + spread)


def embedding_rank(view: View) -> float:
    """Effective rank as a share of the largest that there could be: exp of the entropy of the variances' shares."""
    found = space(view)
    variances = np.clip(np.linalg.eigvalsh(found.products), 0.0, None)
    shares = variances[variances > 0] / variances.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()) / min(found.width, len(found.y) or len(found.lengths)))


def embedding_hubness(view: View) -> float:
    """Whether some vectors are among the nearest five of many others: s / (1 + s) of the skewness s of that count."""
    cosines = _cosines(view)
    k = min(5, len(cosines) - 1)
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    counts = np.bincount(nearest.ravel(), minlength=len(cosines)).astype(float)
    deviation = counts - counts.mean()
    skewness = max(float((deviation**3).mean() / (deviation**2).mean() ** 1.5), 0.0)
    return skewness / (1 + skewness)


def embedding_between(view: View) -> float:
    """Share of the scatter that lies between classes; undefined for regression."""
    found, members = space(view), _members(view)
    sums = np.einsum("rc,rs,sc->c", members, found.products, members, optimize=True)
    return float((sums / members.sum(axis=0)).sum() / np.trace(found.products))


def embedding_nearest_mean(view: View) -> float:
    """Score of the nearest mean of vectors of length 1, each row left out of its own; undefined for regression."""
    cosines, members, y = _cosines(view, itself=1.0), _members(view), _classes(view)
    counts = members.sum(axis=0)
    rows = np.arange(len(y))
    sums = cosines @ members  # (r, c)
    inner = np.einsum("rc,rc->c", members, sums)  # of each class, its sum with itself
    distances = inner / counts**2 - 2 * sums / counts
    own, fewer = sums[rows, y], np.maximum(counts[y] - 1, 1)
    distances[rows, y] = (inner[y] - 2 * own + 1) / fewer**2 - 2 * (own - 1) / fewer
    return _score(y, distances.argmin(axis=1), counts)


def embedding_nearest_neighbour(view: View) -> float:
    """Score of the nearest neighbour by the cosine, each row left out; undefined for regression."""
    y = _classes(view)
    return _score(y, y[_cosines(view).argmax(axis=1)], _members(view).sum(axis=0))


def embedding_ridge(view: View) -> float:
    """Score of ridge regression of the classes, as much held back as vectors vary, each row left out by itself."""
    found, members, y = space(view), _members(view), _classes(view)
    held = np.trace(found.products) / len(y)
    hat = np.linalg.solve(found.products + held * np.eye(len(y)), found.products).T
    share = np.diag(hat)[:, None]
    predicted = (hat @ members - share * members) / (1 - share)
    return _score(y, predicted.argmax(axis=1), members.sum(axis=0))


EMBEDDING_FEATURES = (
    embedding_width,
    embedding_examples,
    embedding_length_spread,
    embedding_rank,
    embedding_hubness,
    embedding_between,
    embedding_nearest_mean,
    embedding_nearest_neighbour,
    embedding_ridge,
)


@shared
def names_of(view: View) -> tuple[str, ...]:
    """The columns of the largest embedding, in the order of its numbers; none where there is none."""
    groups = vector_groups(view.task.columns.numeric)
    return max(groups.items(), key=lambda group: (len(group[1]), group[0]))[1] if groups else ()


@shared
def space(view: View) -> Space:
    """The first rows in canonical order that have all of their vector; ValueError where there are no two."""
    names = names_of(view)
    if not names:
        raise ValueError("no embedding")
    rows = view.rows[: view.options.embedding_rows]
    vectors = view.task.X.loc[:, list(names)].iloc[rows].to_numpy(np.float64)
    whole = np.isfinite(vectors).all(axis=1)
    vectors, y = vectors[whole], np.asarray(view.task.y)[rows][whole]
    if len(vectors) < 2:
        raise ValueError("no two vectors")
    centred = vectors - vectors.mean(axis=0)
    y = np.zeros(0, np.int64) if view.regression else y
    return Space(np.linalg.norm(vectors, axis=1), centred @ centred.T, y, len(names))


@shared
def _classes(view: View) -> NDArray[np.int64]:  # (r,)
    """Codes of the classes that occur, without gaps; ValueError where there are none to tell apart."""
    if view.regression:
        raise ValueError("no classes")
    _, codes = np.unique(space(view).y, return_inverse=True)
    if codes.max() < 1:
        raise ValueError("one class")
    return codes


@shared
def _members(view: View) -> NDArray[np.float64]:  # (r, c) 0 or 1
    codes = _classes(view)
    return np.eye(int(codes.max()) + 1)[codes]


def _cosines(view: View, itself: float = -np.inf) -> NDArray[np.float64]:  # (r, r)
    products = space(view).products
    lengths = np.sqrt(np.maximum(np.diag(products), 1e-300))
    cosines = products / lengths / lengths[:, None]
    np.fill_diagonal(cosines, itself)
    return cosines


def _score(y: NDArray[np.int64], predicted: NDArray[np.int64], counts: NDArray[np.float64]) -> float:
    """Balanced accuracy of the rows that leave another of their class behind."""
    enough = counts[y] > 1
    return balanced_accuracy(y[enough], predicted[enough]) if enough.any() else np.nan
