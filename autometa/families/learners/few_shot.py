"""Few-shot heads on embeddings as a scikit-learn classifier, and what stands before it in a pipeline.

The mathematics are those of `heads`, which the episodic learners of `autometa.fewshot` share. Of what those learn over
tasks, the penalty is here searched (the family's space), and the scale of the logits taken from the rows themselves: a
head is solved without each of a few parts of them, and the scale is that under which those parts are told best.

Letters:  n rows · p inputs · c classes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline

from autometa.families.learners import heads
from autometa.families.learners.faces import ProbabilityClassifier
from autometa.families.learners.linear import LogisticRegressionUpToACap
from autometa.families.learners.preprocess import Categories, Numbers, _places, preprocessing
from autometa.families.options import OPTIONS
from autometa.task.vectors import vector_groups

if TYPE_CHECKING:
    from autometa.task import Columns, Kind

VectorScale = Literal["length", "standard", "none"]


def embedded(
    columns: Columns, kind: Kind, *, scale: VectorScale, categories: Categories, seed: int
) -> ColumnTransformer:
    """A transformer from a typed frame to a matrix: each embedding as a whole, then all else, as long as one of them.

    Where no columns are an embedding by their names, all numbers are one.
    """
    groups = list(vector_groups(columns.numeric).values()) or ([columns.numeric] if columns.numeric else [])
    inside = {name for group in groups for name in group}
    rest = type(columns)(
        tuple(name for name in columns.numeric if name not in inside), columns.categorical, columns.text
    )
    parts: list[tuple[str, Any, Any]] = [
        (f"vectors{k}", Vectors(scale=scale), partial(_places, group)) for k, group in enumerate(groups)
    ]
    if rest.all:
        others = preprocessing(rest, kind, categories=categories, scale="standard", seed=seed)
        parts.append(("others", make_pipeline(others, Shortened()) if groups else others, partial(_places, rest.all)))
    return ColumnTransformer(parts, sparse_threshold=0.0)


class Vectors(TransformerMixin, BaseEstimator):
    """Columns that are one vector: around their mean, a missing number as that, and scaled as a whole.

    ``length`` makes every vector one of length 1, ``standard`` every column one of variance 1 before that; ``none``
    divides all by the mean length, so that penalties mean the same whatever the encoder's unit.
    """

    def __init__(self, *, scale: VectorScale) -> None:
        self.scale = scale

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Learns the mean, and the spread, of the columns of X (n, p)."""
        x = Numbers().fit_transform(X)
        known = np.isfinite(x)
        x = np.where(known, x, 0.0)
        counts = np.maximum(known.sum(axis=0), 1)
        self.mean_ = x.sum(axis=0) / counts
        apart = np.where(known, x - self.mean_, 0.0)
        spread = np.sqrt((apart**2).sum(axis=0) / counts)
        self.factor_ = np.ones(x.shape[1])
        if self.scale == "standard":
            self.factor_ = np.where(spread > 0, 1 / np.where(spread > 0, spread, 1), 0.0)
        elif self.scale == "none":
            self.factor_ /= np.sqrt((apart**2).sum(axis=1)).mean() or 1.0
        return self

    def transform(self, X: pd.DataFrame) -> NDArray[np.float64]:  # (n, p)
        """Vectors around the mean; one that is missing altogether is zero."""
        x = (Numbers().fit_transform(X) - self.mean_) * self.factor_
        x = np.where(np.isfinite(x), x, 0.0)
        return x if self.scale == "none" else heads.unit(np, x)


class Shortened(TransformerMixin, BaseEstimator):
    """Standardised columns divided by the root of their number: together of length 1, on average."""

    def fit(self, X: NDArray[np.float64], y: Any = None) -> Self:
        """Learns nothing."""
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: NDArray[np.float64]) -> NDArray[np.float64]:  # (n, p)
        """The same, shorter."""
        return X / np.sqrt(max(X.shape[1], 1))


class FewShotHead(ProbabilityClassifier):
    """Logistic, ridge, nearest-mean or Mahalanobis head on vectors.

    Args:
        head: Which of them.
        strength: ``C`` of the logistic head, as scikit-learn has it; the ridge's penalty; the shrinkage towards a
            sphere of the Mahalanobis head's covariances. The nearest mean has none.
        seed: Of the parts that the scale is found on.
    """

    def __init__(self, *, head: str, strength: float, seed: int) -> None:
        self.head = head
        self.strength = strength
        self.seed = seed

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """Fits rows X (n, p) and their targets y (n,)."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.n_features_in_ = X.shape[1]
        self.sharpness_ = 1.0
        if len(self.classes_) > 1:
            self.solved_ = self._solve(X, codes)
            if self.head != "logistic":
                self.sharpness_ = self._sharpness(X, codes)
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n, c)
        """The probability of each of `classes_`, for every row."""
        if len(self.classes_) == 1:
            return np.ones((len(X), 1))
        return np.exp(log_softmax(self.sharpness_ * self._scores(self.solved_, X), axis=1))

    def _solve(self, x: NDArray[Any], codes: NDArray[np.intp]) -> Any:
        """The head for rows (n, p), every class of which may lack."""
        y, mask = np.eye(len(self.classes_))[codes], np.ones(len(x))
        if self.head == "means":
            return heads.means(np, x, y, mask)
        if self.head == "ridge":
            return heads.ridge(np, x, y, mask, self.strength), y.sum(axis=0)
        if self.head == "logistic":
            model = LogisticRegressionUpToACap(C=self.strength, l1_ratio=0.0, class_weight=None, seed=self.seed)
            return model.fit(x, codes)
        n, p = x.shape
        size = len(self.classes_) * (p * p if p <= 2 * n else 2 * n * max(p, 2 * n))
        if size > OPTIONS.few_shot.most_covariances:
            return _whitened(x, y, self.strength)
        return heads.gaussians(np, x, y, mask, self.strength)

    def _scores(self, solved: Any, x: NDArray[Any]) -> NDArray[np.float64]:  # (q, c)
        """Logits before their scale."""
        if self.head == "logistic":
            return np.log(np.clip(solved.predict_proba(x), 1e-300, None))
        if self.head == "ridge":
            return np.where(solved[1] > 0, heads.linear(np, x, solved[0]), heads.ABSENT)
        if isinstance(solved, heads.Gaussians):
            return np.where(solved.counts > 0, -heads.mahalanobis(np, solved, x) / 2, heads.ABSENT)
        if len(solved) == 3:
            x, solved = x @ solved[2], solved[:2]
        return np.where(solved[1] > 0, -heads.squared_distances(x, solved[0]) / 2, heads.ABSENT)

    def _sharpness(self, x: NDArray[Any], codes: NDArray[np.intp]) -> float:
        """The scale of the logits under which rows that a head has not seen are told best.

        One mistake more than was seen is counted (Laplace's rule), so that rows without any do not make it sure of all.
        """
        options, rng = OPTIONS.few_shot, np.random.default_rng(self.seed)
        order = rng.permutation(len(codes))
        order = order[np.argsort(codes[order], kind="stable")]  # classes one after another, each shuffled
        part = np.empty(len(codes), dtype=np.intp)
        part[order] = np.arange(len(codes)) % options.parts
        scores, judged = np.zeros((len(codes), len(self.classes_))), np.zeros(len(codes), dtype=bool)
        for k in range(options.parts):
            held = np.flatnonzero(part == k)
            rest = np.flatnonzero(part != k)
            held = held[np.isin(codes[held], codes[rest])]  # a class that lacks is told by nothing
            if len(held) and len(np.unique(codes[rest])) > 1:
                scores[held] = self._scores(self._solve(x[rest], codes[rest]), x[held])
                judged[held] = True
        if not judged.any():  # one row of each class, which says nothing of rows unseen
            seen = self._scores(self.solved_, x)
            gap = options.lone_gap * np.log(len(self.classes_))
            return float(gap / (np.median(np.ptp(seen, axis=1)) or 1.0))
        scores, true = scores[judged], codes[judged]
        rows = np.arange(len(true))
        scores = scores - scores.max(axis=1, keepdims=True)
        unit = np.median(-np.where(scores > heads.ABSENT / 2, scores, 0.0).min(axis=1)) or 1.0
        others = scores.copy()
        others[rows, true] = -np.inf
        factors = np.geomspace(*options.sharpness, options.sharpnesses) / unit
        costs = []
        for factor in factors:
            logs = np.log(np.exp(scores * factor).sum(axis=1))
            mistake = (logs - (others * factor).max(axis=1)).mean()
            costs.append((logs - scores[rows, true] * factor).sum() + mistake)
        return float(factors[int(np.argmin(costs))])


def _whitened(
    x: NDArray[Any], y: NDArray[np.float64], shrinkage: float
) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[Any]]:  # (c, p), (c,), (p, p)
    """Class means in a space where the covariance within classes, one for all, is a sphere; and the way there."""
    centres, counts = heads.means(np, x, y, np.ones(len(x)))
    within = x - centres[y.argmax(axis=1)]
    covariance = within.T @ within / max(len(x) - (counts > 0).sum(), 1)
    sphere = shrinkage * np.trace(covariance) / x.shape[1] + heads.EPSILON
    factor = np.linalg.cholesky(covariance + sphere * np.eye(x.shape[1]))
    whiten = np.linalg.inv(factor).T
    return centres @ whiten, counts, whiten
