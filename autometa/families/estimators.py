"""scikit-learn estimators of the families whose learner needs more than a constructor.

Each says what it adds: a bound on its cost, probabilities, a scaled target.

Letters:  n rows · p inputs · c classes.
"""

from __future__ import annotations

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC, SVR

from autometa.families import gaussian_process, mlp, set_kernel
from autometa.families.growth import Growing, GrowingForest
from autometa.families.holdout import inner_split
from autometa.families.packing import PackedTrees


class _Classifier(ClassifierMixin, BaseEstimator):
    """Labels are the likeliest of the probabilities; a training part of one class predicts that class."""

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:  # (n,)
        return self.classes_[np.argmax(self.predict_proba(X), axis=1)]


class GrowingRandomForestClassifier(GrowingForest, PackedTrees, RandomForestClassifier):
    """scikit-learn's, which can end early and takes little room."""


class GrowingRandomForestRegressor(GrowingForest, PackedTrees, RandomForestRegressor):
    """scikit-learn's, which can end early and takes little room."""


class GrowingExtraTreesClassifier(GrowingForest, PackedTrees, ExtraTreesClassifier):
    """scikit-learn's, which can end early and takes little room."""


class GrowingExtraTreesRegressor(GrowingForest, PackedTrees, ExtraTreesRegressor):
    """scikit-learn's, which can end early and takes little room."""


class LogisticRegressionUpToACap(_Classifier):
    """Logistic regression that stops after a number of passes, converged or not.

    Half-converged coefficients predict about as well, and time is what a search is short of: so its ConvergenceWarning
    is silenced here.
    """

    def __init__(self, *, C: float, l1_ratio: float, class_weight: str | None, seed: int) -> None:
        self.C = C
        self.l1_ratio = l1_ratio
        self.class_weight = class_weight
        self.seed = seed

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """X: (n, p); y: (n,)."""
        self.classes_ = np.unique(y)
        self.n_features_in_ = X.shape[1]
        solver = {"solver": "saga", "max_iter": 100, "tol": 1e-3} if self.l1_ratio else {"max_iter": 200}
        self.model_ = LogisticRegression(
            C=self.C, l1_ratio=self.l1_ratio, class_weight=self.class_weight, random_state=self.seed, **solver
        )
        if len(self.classes_) > 1:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                self.model_.fit(X, y)
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n, c)
        """Aligned with `classes_`."""
        return self.model_.predict_proba(X) if len(self.classes_) > 1 else np.ones((len(X), 1))


class ElasticNetOnScaledTarget(RegressorMixin, BaseEstimator):
    """Elastic net on a standardised target, whose `alpha` is in ridge regression's unit (scikit-learn's divided by n).

    It stops at an iteration cap, converged or not, and says nothing about it: see `LogisticRegressionUpToACap`.
    """

    def __init__(self, *, alpha: float, l1_ratio: float) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """X: (n, p); y: (n,)."""
        self.n_features_in_ = X.shape[1]
        self.center_, self.spread_ = _center_and_spread(y)
        self.model_ = ElasticNet(alpha=self.alpha / len(y), l1_ratio=self.l1_ratio, max_iter=500, tol=1e-3)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.model_.fit(X, (y - self.center_) / self.spread_)
        return self

    def predict(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n,)
        """Values, in the target's unit."""
        return self.model_.predict(X) * self.spread_ + self.center_


class NaiveBayes(_Classifier):
    """Gaussian naive Bayes whose prior may be uniform over the classes that were seen."""

    def __init__(self, *, var_smoothing: float, uniform_prior: bool) -> None:
        self.var_smoothing = var_smoothing
        self.uniform_prior = uniform_prior

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """X: (n, p); y: (n,)."""
        self.classes_ = np.unique(y)
        self.n_features_in_ = X.shape[1]
        prior = np.full(len(self.classes_), 1 / len(self.classes_)) if self.uniform_prior else None
        self.model_ = GaussianNB(priors=prior, var_smoothing=self.var_smoothing).fit(X, y)
        self.model_.var_ = np.maximum(self.model_.var_, 1e-12)  # the library's smoothing is none if all is constant
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n, c)
        """Aligned with `classes_`."""
        probabilities = self.model_.predict_proba(X)
        return probabilities / probabilities.sum(axis=1, keepdims=True)  # extreme likelihoods leave them 1e-5 off


class RegularizedDiscriminant(_Classifier):
    """One Gaussian for each class, its covariance drawn towards that of all classes and towards a sphere.

    With W_k the scatter of class k around its mean, n_k its rows, W and n their sums, p columns:

        S_k = ((1 - pooling) W_k + pooling W) / ((1 - pooling) n_k + pooling n)
        C_k = (1 - shrinkage) S_k + shrinkage tr(S_k) / p I

    so that pooling 0 is quadratic and pooling 1 linear discriminant analysis.

    Source:
        Friedman, 1989, "Regularized discriminant analysis", equations 16 to 18
    """

    def __init__(self, *, pooling: float, shrinkage: float, uniform_prior: bool) -> None:
        self.pooling = pooling
        self.shrinkage = shrinkage
        self.uniform_prior = uniform_prior

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """X: (n, p); y: (n,)."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.n_features_in_ = p = X.shape[1]
        counts = np.bincount(codes)
        own = [X[codes == k] for k in range(len(counts))]
        self.means_ = [rows.mean(axis=0) for rows in own]
        scatters = [(rows - mean).T @ (rows - mean) for rows, mean in zip(own, self.means_, strict=True)]  # (p, p) each
        of_all = np.sum(scatters, axis=0)
        floor = 1e-12 * max(float(np.trace(of_all)) / len(X) / p, 1.0)  # a class may never vary
        self.factors_ = []
        for scatter, count in zip(scatters, counts, strict=True):
            drawn = (1 - self.pooling) * scatter + self.pooling * of_all
            drawn /= (1 - self.pooling) * count + self.pooling * len(X)
            sphere = max(self.shrinkage * np.trace(drawn) / p, floor)
            self.factors_.append(np.linalg.cholesky((1 - self.shrinkage) * drawn + sphere * np.eye(p)))
        prior = np.full(len(counts), 1 / len(counts)) if self.uniform_prior else counts / len(X)
        self.offsets_ = np.log(prior) - [np.log(np.diag(factor)).sum() for factor in self.factors_]
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n, c)
        """Aligned with `classes_`."""
        distances = [
            (solve_triangular(factor, (X - mean).T, lower=True, check_finite=False) ** 2).sum(axis=0)
            for factor, mean in zip(self.factors_, self.means_, strict=True)
        ]
        return np.exp(log_softmax(self.offsets_ - np.transpose(distances) / 2, axis=1))


class SetKernelClassifier(_Classifier):
    """A kernel machine whose kernel a meta-learned network chooses by looking at the table; see `set_kernel`."""

    def __init__(self, *, width: float, smoothing: float) -> None:
        self.width = width
        self.smoothing = smoothing

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """X: (n, p); y: (n,)."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.n_features_in_ = X.shape[1]
        labels = np.eye(len(self.classes_))[codes]
        self.columns_ = _strongest(X, labels, set_kernel.MOST_COLUMNS)
        x = X[:, self.columns_].astype(float)
        options = {"width": self.width, "smoothing": self.smoothing}
        self.fitted_ = set_kernel.fit_sharpened(set_kernel.weights(), x, labels, **options)
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n, c)
        """Aligned with `classes_`."""
        logits = set_kernel.logits(np, self.fitted_, X[:, self.columns_].astype(float))
        return np.exp(log_softmax(logits, axis=1))


def _strongest(X: NDArray[Any], labels: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """The columns with the largest share of variance between classes, in their order."""
    if X.shape[1] <= most:
        return np.arange(X.shape[1])
    centred = X - X.mean(axis=0)
    between = ((labels.T @ centred) ** 2 / labels.sum(axis=0)[:, None]).sum(axis=0)
    share = between / np.maximum((centred**2).sum(axis=0), 1e-12)
    return np.sort(np.argsort(-share, kind="stable")[:most])


MOST_STEPS = 200_000  # of libsvm's solver: some 20 s on 10,000 rows, then the half-solved machine is taken
MOST_REPEATED = 2000  # rows
_KERNEL_MEMORY = 300  # MB of kernel cache


class SupportVectorClassifier(_Classifier):
    """Support vectors with probabilities: decision values of held-out rows, softened by one temperature and biases.

    scikit-learn's own calibration refuses classes with fewer rows than its folds, and needs every class in every fold.
    The solver stops at a cap, silently: a half-solved machine is still a candidate.
    """

    def __init__(
        self,
        *,
        C: float,
        kernel: str,
        gamma: float,
        class_weight: str | None,
        degree: int = 3,
        seed: int,
    ) -> None:
        self.C = C
        self.kernel = kernel
        self.gamma = gamma
        self.class_weight = class_weight
        self.degree = degree
        self.seed = seed

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """X: (n, p); y: (n,)."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.n_features_in_ = X.shape[1]
        if len(self.classes_) == 1:
            return self
        values, truths = [], []
        for repeat in range(4 if len(codes) < MOST_REPEATED else 1):  # a calibration on few held-out rows is unsteady
            fit, held = inner_split(codes, classification=True, fraction=0.25, seed=self.seed + repeat)
            values.append(_decide(self._machine(X[fit], codes[fit]), X[held]))
            truths.append(codes[held])
        self.calibration_ = _calibrate(np.concatenate(values), np.concatenate(truths))
        self.model_ = self._machine(X, codes)
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n, c)
        """Aligned with `classes_`."""
        if len(self.classes_) == 1:
            return np.ones((len(X), 1))
        return np.exp(_soften(_decide(self.model_, X), self.calibration_))

    def _machine(self, X: NDArray[Any], codes: NDArray[Any]) -> SVC:
        machine = SVC(
            C=self.C,
            kernel=self.kernel,
            gamma=_gamma(self.gamma, X),
            degree=self.degree,
            coef0=1.0 if self.kernel == "poly" else 0.0,
            class_weight=self.class_weight,
            cache_size=_KERNEL_MEMORY,
            max_iter=MOST_STEPS,
            random_state=self.seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return machine.fit(X, codes)


class SupportVectorRegressor(RegressorMixin, BaseEstimator):
    """Support vectors on a standardised target. The solver stops at a cap, silently."""

    def __init__(self, *, C: float, kernel: str, gamma: float, epsilon: float, degree: int = 3) -> None:
        self.C = C
        self.kernel = kernel
        self.gamma = gamma
        self.epsilon = epsilon
        self.degree = degree

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """X: (n, p); y: (n,)."""
        self.n_features_in_ = X.shape[1]
        self.center_, self.spread_ = _center_and_spread(y)
        self.model_ = SVR(
            C=self.C,
            kernel=self.kernel,
            gamma=_gamma(self.gamma, X),
            epsilon=self.epsilon,
            degree=self.degree,
            coef0=1.0 if self.kernel == "poly" else 0.0,
            cache_size=_KERNEL_MEMORY,
            max_iter=MOST_STEPS,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.model_.fit(X, (y - self.center_) / self.spread_)
        return self

    def predict(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n,)
        """Values, in the target's unit."""
        return self.model_.predict(X) * self.spread_ + self.center_


class GaussianProcess(Growing, RegressorMixin, BaseEstimator):
    """The face of `gaussian_process.fit` and `gaussian_process.predict`, on a standardised target."""

    def __init__(self, *, kernel: str, relevance: bool, linear: bool, inducing: int, seed: int) -> None:
        self.kernel = kernel
        self.relevance = relevance
        self.linear = linear
        self.inducing = inducing
        self.seed = seed

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """X: (n, p); y: (n,)."""
        self.n_features_in_ = X.shape[1]
        self.center_, self.spread_ = _center_and_spread(y)
        self.fitted_, self.cut_ = gaussian_process.fit(
            X.astype(float), (y - self.center_) / self.spread_, **self.get_params(), seconds=self.seconds
        )
        return self

    def predict(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n,)
        """Means, in the target's unit."""
        return gaussian_process.predict(self.fitted_, X.astype(float)) * self.spread_ + self.center_


def _center_and_spread(y: NDArray[Any]) -> tuple[float, float]:
    """Mean and standard deviation; 1 for a constant target."""
    return float(np.mean(y)), float(np.std(y)) or 1.0


def _gamma(multiple: float, X: NDArray[Any]) -> float:
    """A multiple of the library's gamma="scale"."""
    variance = float(X.var())
    return multiple / (X.shape[1] * variance) if variance > 0 else multiple


def _decide(machine: SVC, X: NDArray[Any]) -> NDArray[np.float64]:  # (n, c)
    values = machine.decision_function(X)
    return np.column_stack([-values, values]) if values.ndim == 1 else values


def _soften(values: NDArray[Any], calibration: NDArray[Any]) -> NDArray[np.float64]:  # (n, c) log probabilities
    return log_softmax(np.exp(calibration[0]) * values + calibration[1:], axis=1)


def _calibrate(values: NDArray[Any], codes: NDArray[Any]) -> NDArray[np.float64]:  # (1 + c,) log of the slope, biases
    """The slope and biases of least log loss, pulled a little towards slope 1 and no bias: held-out rows may be few."""

    def loss(calibration: NDArray[Any]) -> float:
        found = _soften(values, calibration)[np.arange(len(codes)), codes].sum()
        return float(-found + 0.05 * np.sum(calibration**2))

    return minimize(loss, np.zeros(1 + values.shape[1]), method="L-BFGS-B").x


class _Network(Growing, BaseEstimator):
    """The face of `mlp.fit` and `mlp.predict`; holds its weights as NumPy arrays, and pickles without torch."""

    def __init__(
        self, config: dict[str, Any], *, categorical: int, seed: int = 0, threads: int = 1, device: str = "cpu"
    ) -> None:
        self.config = config
        self.categorical = categorical  # the first so many columns hold category codes
        self.seed = seed
        self.threads = threads
        self.device = device

    def _learn(self, X: NDArray[Any], target: NDArray[Any], outputs: int) -> None:
        self.n_features_in_ = X.shape[1]
        codes = np.nan_to_num(X[:, : self.categorical], nan=-1.0)
        self.cardinalities_ = codes.max(axis=0, initial=-1.0).astype(np.int64) + 1
        train, held = inner_split(target, classification=outputs > 1, fraction=0.15, seed=self.seed)
        numbers, codes = self._inputs(X)
        self.outputs_ = outputs
        self.weights_, self.cut_ = mlp.fit(
            numbers,
            codes,
            target,
            train,
            held,
            self.config,
            n_vectors=int(np.sum(self.cardinalities_ + 1)),
            outputs=outputs,
            seed=self.seed,
            threads=self.threads,
            device=self.device,
            seconds=self.seconds,
        )

    def _inputs(self, X: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Numbers, and rows of one table in which each column's first row is for missing and unseen."""
        codes = np.nan_to_num(X[:, : self.categorical], nan=-1.0).astype(np.int64) + 1
        codes = np.where(codes <= self.cardinalities_, codes, 0)
        starts = np.cumsum(self.cardinalities_ + 1) - (self.cardinalities_ + 1)
        return np.ascontiguousarray(X[:, self.categorical :], dtype=np.float32), codes + starts

    def _answer(self, X: NDArray[Any]) -> NDArray[np.float64]:
        return mlp.predict(self.weights_, *self._inputs(X), outputs=self.outputs_, threads=self.threads)


class NetworkClassifier(ClassifierMixin, _Network):
    """The neural network of `mlp`, for classes."""

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """X: (n, width), category codes first; y: (n,)."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) > 1:
            self._learn(X, codes, len(self.classes_))
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n, c)
        """Aligned with `classes_`."""
        if len(self.classes_) == 1:
            return np.ones((len(X), 1))
        return self._answer(X)

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:  # (n,)
        """The likeliest class."""
        return self.classes_[np.argmax(self.predict_proba(X), axis=1)]


class NetworkRegressor(RegressorMixin, _Network):
    """The neural network of `mlp`, for values: on a standardised target, within the range seen in training."""

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """X: (n, width), category codes first; y: (n,)."""
        self.center_, self.spread_ = _center_and_spread(y)
        self.low_, self.high_ = float(np.min(y)), float(np.max(y))
        self._learn(X, (y - self.center_) / self.spread_, 1)
        return self

    def predict(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n,)
        """Values, in the target's unit."""
        return np.clip(self._answer(X)[:, 0] * self.spread_ + self.center_, self.low_, self.high_)
