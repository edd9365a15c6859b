"""Support vector machines that stop at a cap, with probabilities for classes and a standardised target for values.

Letters:  n rows · p inputs · c classes.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.svm import SVC, SVR

from autometa.families.learners.faces import ProbabilityClassifier, StandardisedTargetRegressor, converged_or_not
from autometa.families.learners.holdout import inner_split
from autometa.families.options import OPTIONS


class SupportVectorClassifier(ProbabilityClassifier):
    """Support vectors with probabilities: decision values of held-out rows, softened by one temperature and biases.

    scikit-learn's own calibration refuses classes with fewer rows than its folds, and needs every class in every fold.
    The solver stops at a cap, silently: a half-solved machine is still a candidate.

    Args:
        C: Inverse strength of the penalty.
        kernel: ``rbf`` or ``poly``.
        gamma: A multiple of scikit-learn's ``"scale"``, 1 / (p * variance of X).
        class_weight: None, or ``balanced``.
        degree: Of the polynomial kernel.
        seed: Of the held-out rows.
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

    def fit(self, X: NDArray[Any], y: NDArray[Any], sample_weight: NDArray[np.float64] | None = None) -> Self:
        """Fits rows X (n, p) and their targets y (n,), each counting as much as it does."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.n_features_in_ = X.shape[1]
        if len(self.classes_) == 1:
            return self
        options, values, truths, seen = OPTIONS.svm, [], [], []
        counts = np.ones(len(codes)) if sample_weight is None else sample_weight
        for repeat in range(options.repeats if len(codes) < options.most_repeated else 1):
            fit, held = inner_split(codes, classification=True, fraction=options.held_out, seed=self.seed + repeat)
            values.append(_decide(self._machine(X[fit], codes[fit], counts[fit]), X[held]))
            truths.append(codes[held])
            seen.append(counts[held])
        self.calibration_ = _calibrate(np.concatenate(values), np.concatenate(truths), np.concatenate(seen))
        self.model_ = self._machine(X, codes, counts)
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n, c)
        """The probability of each of `classes_`, for every row."""
        if len(self.classes_) == 1:
            return np.ones((len(X), 1))
        return np.exp(_soften(_decide(self.model_, X), self.calibration_))

    def _machine(self, X: NDArray[Any], codes: NDArray[Any], counts: NDArray[Any]) -> SVC:
        machine = SVC(**_shared(self, X), class_weight=self.class_weight, random_state=self.seed)
        with converged_or_not():
            return machine.fit(X, codes, None if (counts == 1.0).all() else counts)


class SupportVectorRegressor(StandardisedTargetRegressor):
    """Support vectors on a standardised target, in whose unit `C` and `epsilon` are; the solver stops at a cap.

    The other parameters are those of `SupportVectorClassifier`.
    """

    def __init__(self, *, C: float, kernel: str, gamma: float, epsilon: float, degree: int = 3) -> None:
        self.C = C
        self.kernel = kernel
        self.gamma = gamma
        self.epsilon = epsilon
        self.degree = degree

    def fit(self, X: NDArray[Any], y: NDArray[Any], sample_weight: NDArray[np.float64] | None = None) -> Self:
        """Fits rows X (n, p) and their targets y (n,), each counting as much as it does."""
        target = self._standardise(X, y)
        self.model_ = SVR(**_shared(self, X), epsilon=self.epsilon)
        with converged_or_not():
            self.model_.fit(X, target, sample_weight)
        return self

    def predict(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n,)
        """Predicted values, in the target's unit."""
        return self._restore(self.model_.predict(X))


def _shared(machine: SupportVectorClassifier | SupportVectorRegressor, X: NDArray[Any]) -> dict[str, Any]:
    """The parameters that scikit-learn's SVC and SVR have in common."""
    return {
        "C": machine.C,
        "kernel": machine.kernel,
        "gamma": _gamma(machine.gamma, X),
        "degree": machine.degree,
        "coef0": 1.0 if machine.kernel == "poly" else 0.0,
        "cache_size": OPTIONS.svm.kernel_memory,
        "max_iter": OPTIONS.svm.most_steps,
    }


def _gamma(multiple: float, X: NDArray[Any]) -> float:
    """A multiple of the library's gamma="scale"."""
    variance = float(X.var())
    return multiple / (X.shape[1] * variance) if variance > 0 else multiple


def _decide(machine: SVC, X: NDArray[Any]) -> NDArray[np.float64]:  # (n, c)
    values = machine.decision_function(X)
    return np.column_stack([-values, values]) if values.ndim == 1 else values


def _soften(values: NDArray[Any], calibration: NDArray[Any]) -> NDArray[np.float64]:  # (n, c) log probabilities
    return log_softmax(np.exp(calibration[0]) * values + calibration[1:], axis=1)


def _calibrate(
    values: NDArray[Any], codes: NDArray[Any], counts: NDArray[Any]
) -> NDArray[np.float64]:  # (1 + c,) log of the slope, biases
    """The slope and biases of least log loss, pulled a little towards slope 1 and no bias: held-out rows may be few."""

    def loss(calibration: NDArray[Any]) -> float:
        found = counts @ _soften(values, calibration)[np.arange(len(codes)), codes]
        return float(-found + OPTIONS.svm.pull * np.sum(calibration**2))

    return minimize(loss, np.zeros(1 + values.shape[1]), method="L-BFGS-B").x
