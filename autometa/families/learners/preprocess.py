"""From the typed columns of a task to the one numeric matrix that a learner takes.

`preprocessing` is the only thing families ask for. Trees get numbers as they are (NaN included) and categories as
codes; everything else gets numbers imputed and scaled, and categories as one-hot columns or as means of the target.
Free text becomes a few dense components. Learners see NumPy only, so that no column name can harm them.

Law: what is fitted on one set of rows transforms any other rows to the same width without NaN (unless NaN was asked
for), whatever was all missing, constant or unseen.

Letters:  n rows · p columns · k categories of a column.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    QuantileTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.preprocessing._data import BOUNDS_THRESHOLD
from sklearn.utils.extmath import randomized_svd

from autometa.families.options import OPTIONS
from autometa.task.identifiers import UNSPACED

if TYPE_CHECKING:
    from autometa.task import Columns, Kind

MADE = "\x1f"  # before the name of a column that was made (`features`); alone, in `Columns`: all of them

Categories = Literal["codes", "ordinal", "onehot", "target"]
Scale = Literal["standard", "quantile", "robust"]


def preprocessing(
    columns: Columns,
    kind: Kind,
    *,
    categories: Categories,
    scale: Scale | None = None,
    min_frequency: int = 1,
    seed: int,
) -> ColumnTransformer:
    """A transformer from a typed frame to a matrix (n, width): first the categories, then numbers, then text.

    With `scale=None` numbers keep their values and their NaN; otherwise they are imputed and scaled, and those that
    were missing in training bring an indicator column each. Categories become "codes" (missing is NaN, as learners with
    native categories want it), "ordinal" codes (missing is -1), "onehot" columns or "target" means. A category seen in
    fewer than `min_frequency` training rows is merged with the other rare ones.
    """
    parts: list[tuple[str, Any, Callable[[pd.DataFrame], list[int]]]] = []
    if columns.categorical:
        encoder = _categories(len(columns.categorical), kind, categories, scale, min_frequency, seed)
        parts.append(("categories", encoder, partial(_places, columns.categorical)))
    if columns.numeric:
        parts.append(("numbers", _numbers(scale, seed), partial(_places, columns.numeric)))
    if columns.text:
        text = TextComponents(seed=seed)
        text = text if scale is None else make_pipeline(text, StandardScaler())
        parts.append(("text", text, partial(_places, columns.text)))
    return ColumnTransformer(parts, sparse_threshold=0.0)


def _places(names: tuple[str, ...], X: pd.DataFrame) -> list[int]:
    """Where columns are; by their names alone, scikit-learn takes p^2 steps to find p of them."""
    found = [int(X.columns.get_loc(name)) for name in names if name != MADE]
    return found + [j for j, name in enumerate(X.columns) if name[:1] == MADE] if MADE in names else found


def _categories(
    width: int, kind: Kind, categories: Categories, scale: Scale | None, min_frequency: int, seed: int
) -> BaseEstimator:
    if categories == "codes":
        return CategoryCodes(most=OPTIONS.preprocessing.most_codes, min_frequency=min_frequency)
    if categories == "ordinal":
        return CategoryCodes(most=OPTIONS.preprocessing.most_codes, min_frequency=min_frequency, missing=-1.0)
    if categories == "onehot":
        most = int(np.clip(OPTIONS.preprocessing.most_one_hot // width, 2, 100))
        return make_pipeline(CategoryCodes(most=most, min_frequency=min_frequency, missing=-1.0), OneHot())
    means = TargetMeans(classification=kind != "regression", seed=seed)
    codes = CategoryCodes(most=None, min_frequency=min_frequency, missing=-1.0)
    return make_pipeline(codes, means) if scale is None else make_pipeline(codes, means, StandardScaler())


def _numbers(scale: Scale | None, seed: int) -> BaseEstimator:
    if scale is None:
        return Numbers()
    scaler = {"standard": StandardScaler(), "quantile": Quantiles(seed=seed), "robust": RobustClip()}[scale]
    return Pipeline([("numbers", Numbers()), ("impute", Impute(scaler))])


def transformed(step: Any, X: Any) -> NDArray[np.float64]:
    """What a fitted step makes of inputs, to the bit; of those here without scikit-learn's checks, which take longer.

    Args:
        step: A transformer, or a pipeline of some.
        X: (n, p) a typed frame, or a matrix.
    """
    if isinstance(step, Pipeline):
        for _, one in step.steps:
            X = transformed(one, X)
        return X
    if type(step) is StandardScaler and isinstance(X, np.ndarray) and X.dtype == np.float64:
        return (X - step.mean_) / step.scale_
    own = type(step).__module__ == __name__  # whose `transform` checks nothing, but is wrapped by what does
    return type(step).transform.__wrapped__(step, X) if own else step.transform(X)


class Numbers(TransformerMixin, BaseEstimator):
    """The numeric columns as one float64 matrix, within the range of float32, in which forests keep their inputs."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Learns nothing but the number of columns."""
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: pd.DataFrame) -> NDArray[np.float64]:  # (n, p)
        """The columns as float64, clipped; NaN stays NaN."""
        bound = float(np.finfo(np.float32).max) / 4
        return np.clip(X.to_numpy(dtype=np.float64), -bound, bound)


class Impute(TransformerMixin, BaseEstimator):
    """Medians for NaN, then `scaler`, then one indicator per column that had NaN in training.

    A column that is all NaN in training becomes zeros.
    """

    def __init__(self, scaler: Any) -> None:
        self.scaler = scaler

    def fit(self, X: NDArray[np.float64], y: Any = None) -> Self:
        """Learns from numbers X (n, p)."""
        self.flags_ = np.flatnonzero(np.isnan(X).any(axis=0) & ~np.isnan(X).all(axis=0))
        self.imputer_ = SimpleImputer(strategy="median", keep_empty_features=True).fit(X)
        self.scaler_ = self.scaler.fit(self.imputer_.transform(X))
        return self

    def transform(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, p) to (n, p + flags)."""
        missing = np.isnan(X)
        scaled = transformed(self.scaler_, np.where(missing, self.imputer_.statistics_, X))
        return np.hstack([scaled, missing[:, self.flags_]]) if len(self.flags_) else scaled


class Quantiles(TransformerMixin, BaseEstimator):
    """Numbers by their normal scores, on a grid as fine as the rows allow (a finer one warns)."""

    def __init__(self, *, seed: int) -> None:
        self.seed = seed

    def fit(self, X: NDArray[np.float64], y: Any = None) -> Self:
        """Learns from numbers X (n, p)."""
        grid = min(1000, len(X))
        self.scaler_ = QuantileTransformer(n_quantiles=grid, output_distribution="normal", random_state=self.seed).fit(
            X
        )
        return self

    def transform(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Same shape; cut at 4 standard deviations, which only values outside the training range exceed."""
        known, places = self.scaler_.quantiles_, self.scaler_.references_
        share = np.empty(X.shape)
        for j, (values, grid) in enumerate(zip(X.T, known.T, strict=True)):
            below, above = np.interp(values, grid, places), -np.interp(-values, -grid[::-1], -places[::-1])
            share[:, j] = 0.5 * (below + above)  # in the middle of a step
        share[known[-1] < X + BOUNDS_THRESHOLD] = 1.0
        share[known[0] > X - BOUNDS_THRESHOLD] = 0.0
        return np.clip(ndtri(share), -4.0, 4.0)


class RobustClip(TransformerMixin, BaseEstimator):
    """Median and interquartile range, then a smooth bend into (-3, 3): x / sqrt(1 + (x/3)^2).

    Source:
        The preprocessing of RealMLP (Holzmüller, Grinsztajn and Steinwart, 2024): where the interquartile range is
        zero, half the range takes its place.
    """

    def fit(self, X: NDArray[np.float64], y: Any = None) -> Self:
        """Learns from numbers X (n, p)."""
        self.center_, low, high = np.quantile(X, [0.5, 0.25, 0.75], axis=0)
        spread, span = high - low, X.max(axis=0) - X.min(axis=0)
        self.factor_ = np.where(spread > 0, 1 / np.where(spread > 0, spread, 1), 2 / np.where(span > 0, span, np.inf))
        return self

    def transform(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Same shape; a constant column becomes zeros."""
        x = np.clip((X - self.center_) * self.factor_, -1e6, 1e6)
        return x / np.sqrt(1 + (x / 3) ** 2)


class CategoryCodes(TransformerMixin, BaseEstimator):
    """Categories as numbers 0..k-1 in the order of the column's categories, rare ones merged into the last.

    Works on pandas codes, not on strings: some hundred times faster than encoders that compare them. Missing and unseen
    become `missing`; with `most`, at most that many codes are used per column.
    """

    def __init__(self, *, most: int | None, min_frequency: int = 1, missing: float = np.nan) -> None:
        self.most = most
        self.min_frequency = min_frequency
        self.missing = missing

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Counts the categories of each column."""
        self.tables_ = [self._table(column) for _, column in X.items()]
        self.cardinalities_ = tuple(1 + int(max(table.values(), default=-1)) for table in self.tables_)
        return self

    def transform(self, X: pd.DataFrame) -> NDArray[np.float64]:  # (n, p)
        """Aligned by the categories' names, so that frames may list them differently."""
        out = np.empty(X.shape)
        for j, ((_, column), table) in enumerate(zip(X.items(), self.tables_, strict=True)):
            values = column.cat.categories
            code_of = np.array([*(table.get(value, self.missing) for value in values), self.missing], dtype=np.float64)
            out[:, j] = code_of[column.cat.codes.to_numpy()]  # -1, missing, picks the last
        return out

    def _table(self, column: pd.Series) -> dict[Any, int]:
        codes = column.cat.codes.to_numpy()
        counts = np.bincount(codes[codes >= 0], minlength=len(column.cat.categories))
        seen = np.flatnonzero(counts)
        common = seen[counts[seen] >= self.min_frequency]
        if self.most is not None and (
            len(common) > self.most or (len(common) < len(seen) and len(common) == self.most)
        ):
            common = np.sort(common[np.argsort(-counts[common], kind="stable")][: self.most - 1])
        table = {column.cat.categories[old]: new for new, old in enumerate(common)}
        return table | {column.cat.categories[old]: len(common) for old in np.setdiff1d(seen, common)}


class OneHot(TransformerMixin, BaseEstimator):
    """Dense codes as one column each. Missing, -1, is all zeros, or has a column where training had any."""

    def fit(self, X: NDArray[np.float64], y: Any = None) -> Self:
        """Learns from category codes X (n, p)."""
        self.first_ = X.min(axis=0, initial=0).astype(np.intp)  # -1 or 0
        widths = X.max(axis=0, initial=0).astype(np.intp) - self.first_ + 1
        self.starts_, self.width_ = np.cumsum(widths) - widths, int(widths.sum())
        return self

    def transform(self, X: NDArray[np.float64]) -> NDArray[np.float64]:  # (n, width)
        """Written directly: scikit-learn's encoder would sort every column again."""
        out = np.zeros((len(X), self.width_))
        rows, columns = np.nonzero(self.first_ <= X)
        out[rows, self.starts_[columns] + X[rows, columns].astype(np.intp) - self.first_[columns]] = 1.0
        return out


class TargetMeans(TransformerMixin, BaseEstimator):
    """Category codes as shrunken means of the target, cross-fitted in training so that they do not leak it.

    scikit-learn's `TargetEncoder`, with a split that any number of rows allows, and a bounded number of
    columns for each categorical one (`PreprocessingOptions.most_target_classes`).
    """

    def __init__(self, *, classification: bool, seed: int) -> None:
        self.classification = classification
        self.seed = seed

    def fit(self, X: NDArray[np.float64], y: NDArray[Any]) -> Self:
        """Learns from category codes X (n, p)."""
        encoder, target = self._encoder(y)
        self.encoder_ = encoder.fit(X, target)
        return self

    def fit_transform(self, X: NDArray[np.float64], y: NDArray[Any]) -> NDArray[np.float64]:
        """Each row is encoded by means over other rows."""
        encoder, target = self._encoder(y)
        encoded = encoder.fit_transform(X, target)
        self.encoder_ = encoder
        return encoded

    def transform(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, p) or, for more than two classes, (n, p * classes)."""
        encoder = self.encoder_
        each = len(encoder.classes_) if encoder.target_type_ == "multiclass" else 1
        means = np.broadcast_to(encoder.target_mean_, each)
        out = np.empty((len(X), each * X.shape[1]))
        for j, known in enumerate(encoder.categories_):
            place = np.minimum(np.searchsorted(known, X[:, j]), len(known) - 1)
            unseen = known[place] != X[:, j]
            for k in range(each):
                out[:, each * j + k] = np.where(unseen, means[k], encoder.encodings_[each * j + k][place])
        return out

    def _encoder(self, y: NDArray[Any]) -> tuple[TargetEncoder, NDArray[Any]]:
        split = KFold(min(5, len(y)), shuffle=True, random_state=self.seed)
        target: NDArray[Any] = np.asarray(y, dtype=np.float64)
        kind = "continuous"
        if self.classification:
            _, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
            if len(counts) > OPTIONS.preprocessing.most_target_classes:
                rank = np.argsort(np.argsort(-counts, kind="stable"))
                codes = np.minimum(rank, OPTIONS.preprocessing.most_target_classes - 1)[codes]
            if len(counts) > 1:
                target, kind = codes, "binary" if len(counts) == 2 else "multiclass"
        return TargetEncoder(target_type=kind, cv=split), target


class TextComponents(TransformerMixin, BaseEstimator):
    """Free text as TF-IDF weights of its words, reduced to a few components per column (latent semantic analysis).

    Bounded by `words` and `components`, and by what rows and words allow. A column without a word in it becomes zeros.
    """

    def __init__(
        self,
        *,
        words: int = OPTIONS.preprocessing.words,
        components: int = OPTIONS.preprocessing.text_components,
        seed: int,
    ) -> None:
        self.words = words
        self.components = components
        self.seed = seed

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:
        """Learns the words of each column of X (n, text columns)."""
        self.parts_ = [self._part(column) for _, column in X.items()]
        return self

    def transform(self, X: pd.DataFrame) -> NDArray[np.float64]:  # (n, sum of components)
        """Words that were not seen in training count for nothing."""
        out = [
            np.zeros((len(X), 1)) if part is None else part[0].transform(_texts(column)) @ part[1]
            for (_, column), part in zip(X.items(), self.parts_, strict=True)
        ]
        return np.hstack(out)

    def _part(self, column: pd.Series) -> tuple[TfidfVectorizer, NDArray[np.float64]] | None:
        texts = _texts(column)
        # Names and other single words tell by their parts: words that never come again tell nothing.
        counts = [len(text.split()) for text in texts if text]
        single = sum(counts) < OPTIONS.preprocessing.words_for_parts * len(counts)
        parts = single and not any(map(UNSPACED.search, texts))
        how = {"analyzer": "char_wb", "ngram_range": (2, 3)} if parts else {"analyzer": text_words}
        vectorizer = TfidfVectorizer(max_features=self.words, sublinear_tf=True, **how)
        if not any(map(vectorizer.build_analyzer(), texts)):
            return None
        weights = vectorizer.fit_transform(texts)  # (n, words)
        rank = min(self.components, *weights.shape)
        _, _, directions = randomized_svd(weights, rank, random_state=self.seed)
        return vectorizer, directions.T  # (words, components)


def text_words(text: str) -> list[str]:
    """The words of a text in small letters; where a language sets no blanks between words, its pairs of letters.

    Example:
        >>> text_words("Very good, 非常好吃")
        ['very', 'good', '非常', '常好', '好吃']
    """
    out: list[str] = []
    for word in re.findall(r"\b\w+\b", text.lower()):
        if UNSPACED.search(word) and len(word) > 2:
            out.extend(word[i : i + 2] for i in range(len(word) - 1))
        else:
            out.append(word)
    return out


def _texts(column: pd.Series) -> list[str]:
    return column.fillna("").astype(str).tolist()
