"""Foundation models as scikit-learn estimators: `fit` keeps the rows, and the network answers from them.

    NETWORKS                 family -> how its package is given the rows           to add one, write a maker
    InContextClassifier      the classifier, and InContextRegressor the regressor

Fitted, they hold the rows that they show the network and the SHA-256 of its weights, not the weights themselves: those
are a hundred megabytes each, and a model file has a dozen members. A pickled one answers where the same weights lie
(`families.foundation`), and says in one message what is missing where they do not.

Laws: nothing is downloaded; an answer depends on the row, the rows that were kept and the seed alone.

Letters:  n rows · p inputs · c classes · m rows that are answered.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin

from autometa.errors import InputError, Problem
from autometa.families.foundation import FoundationModel, digest_of
from autometa.families.learners.faces import ProbabilityClassifier
from autometa.families.learners.network import torch_threads
from autometa.families.options import OPTIONS

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from autometa.space import Config
    from autometa.task import Columns, Kind

Answer = Callable[[NDArray[np.float32]], NDArray[Any]]  # (m, p) -> (m, c) probabilities, or (m,) values
_one_at_a_time = threading.RLock()  # the packages' estimators keep what they answer in themselves
_networks: dict[tuple[str, str, str], Any] = {}  # (digest, device, kind) -> a network that was read, one of each


def in_context_pipeline(
    model: FoundationModel, config: Config, columns: Columns, kind: Kind, *, seed: int, threads: int, device: str
) -> Pipeline:
    """Numbers imputed and standardised, categories as codes; the network normalises for itself as well."""
    from sklearn.pipeline import Pipeline

    from autometa.families.learners.preprocess import preprocessing

    steps = preprocessing(columns, kind, categories="ordinal", scale="standard", seed=seed)
    face = InContextRegressor if kind == "regression" else InContextClassifier
    return Pipeline(
        [("preprocessing", steps), ("model", face(model, dict(config), seed=seed, threads=threads, device=device))]
    )


class _InContext(BaseEstimator):
    """What both share.

    Args:
        model: Whose network.
        options: A configuration of its family.
        seed: Of the rows that are kept, and of the members.
        threads: CPU threads that PyTorch may take.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    kind: Kind

    def __init__(
        self,
        model: FoundationModel,
        options: Mapping[str, Any],
        *,
        seed: int = 0,
        threads: int = 1,
        device: str = "cpu",
    ) -> None:
        self.model = model
        self.options = options
        self.seed = seed
        self.threads = threads
        self.device = device

    def _keep(self, X: NDArray[Any], y: NDArray[Any], groups: NDArray[np.intp] | None) -> None:
        """Keeps at most `context` rows of X (n, p) and y (n,), of every group at least one; the network is read."""
        self.n_features_in_ = X.shape[1]
        rows = _chosen(len(X), int(self.options["context"]), groups, np.random.default_rng(self.seed))
        self.X_ = np.ascontiguousarray(X[rows], dtype=np.float32)
        self.y_ = y[rows]
        path = self.model.needs(self.kind)
        self.digest_ = digest_of(path)
        with _one_at_a_time:
            self._answer = self._made(path)

    def _answers(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """What the network says to rows (m, p), a part after another."""
        with _one_at_a_time, torch_threads(self.threads):
            answer: Answer | None = getattr(self, "_answer", None)
            if answer is None:
                answer = self._answer = self._made(self._same_weights())
            rows, step = np.ascontiguousarray(X, dtype=np.float32), OPTIONS.in_context.answered
            with _quiet():
                parts = [answer(rows[start : start + step]) for start in range(0, len(rows), step)]
        return np.concatenate(parts).astype(np.float64)

    def _same_weights(self) -> Path:
        """The weights that it was fitted with.

        Raises:
            InputError: They are not here, or others of that name are.
        """
        path = self.model.needs(self.kind)
        if digest_of(path) != self.digest_:
            what = f"are not those that this model was fitted with (SHA-256 {self.digest_[:12]}...)"
            raise InputError(Problem(f"weights {path}", what, "Put those in their place."))
        return path

    def _made(self, path: Path) -> Answer:
        """The network with the rows.

        Raises:
            InputError: The weights are none of this network.
        """
        device = "cpu" if self.device == "cpu" or not _has_gpu() else "cuda"
        key = (self.digest_, device, "regression" if self.kind == "regression" else "classes")
        try:
            with _quiet():
                return NETWORKS[self.model.name](self, path, device, key)
        except InputError:
            raise
        except Exception as error:  # whatever the package or PyTorch says of a file that is not what it should be
            if key in _networks:  # the weights were read: it is the rows
                raise
            said = " ".join(str(error).split())[:200]
            what = f"cannot be read as those of {self.model.label} ({type(error).__name__}: {said})"
            raise InputError(Problem(f"weights {path}", what, f"`{self.model.command}` fetches them again.")) from error

    def __getstate__(self) -> dict[str, Any]:
        """Without the network."""
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_answer"}


class InContextClassifier(ProbabilityClassifier, _InContext):
    """A foundation model that answers with probabilities."""

    kind = "binary"

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """Keeps rows X (n, p) and their targets y (n,)."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.n_features_in_ = X.shape[1]
        if len(self.classes_) > 1:
            self._keep(X, codes.astype(np.int64), codes)
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (m, c)
        """The probability of each of `classes_`, for every row by itself."""
        if len(self.classes_) == 1 or not len(X):
            return np.full((len(X), len(self.classes_)), 1.0 / len(self.classes_))
        found = np.clip(self._answers(X)[:, : len(self.classes_)], 0.0, None)
        total = found.sum(axis=1, keepdims=True)
        return np.where(total > 0, found / np.where(total > 0, total, 1.0), 1.0 / len(self.classes_))


class InContextRegressor(RegressorMixin, _InContext):
    """A foundation model that answers with numbers."""

    kind = "regression"

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """Keeps rows X (n, p) and their targets y (n,)."""
        self.constant_ = float(y[0]) if len(np.unique(y)) == 1 else None
        self.n_features_in_ = X.shape[1]
        if self.constant_ is None:
            self._keep(X, np.asarray(y, dtype=np.float64), None)
        return self

    def predict(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (m,)
        """A number for every row by itself."""
        if self.constant_ is not None or not len(X):
            return np.full(len(X), 0.0 if self.constant_ is None else self.constant_)
        return self._answers(X)


# ---------------------------------------------------------------------------------------------------------- packages


def _tabicl(face: _InContext, path: Path, device: str, key: tuple[str, str, str]) -> Answer:
    """TabICL: its own estimator, given the path of the weights and told to download nothing."""
    from tabicl import TabICLClassifier, TabICLRegressor

    own = dict(face.options)
    norm = {"none+power": ["none", "power"]}.get(own["norm"], [own["norm"]])
    how: dict[str, Any] = {
        "n_estimators": own["members"],
        "norm_methods": norm,
        "outlier_threshold": own["outliers"],
        "batch_size": 1 if device == "cpu" else 8,  # measured on a processor: eight at once take longer
        "model_path": path,
        "allow_auto_download": False,
        "device": device,
        "random_state": face.seed,
    }
    if "temperature" in own:
        how["softmax_temperature"] = own["temperature"]
    estimator = (TabICLRegressor if face.kind == "regression" else TabICLClassifier)(**how)
    if key in _networks:
        estimator._load_model = lambda: setattr(estimator, "model_", _networks[key])
    else:
        estimator._load_model()
        _networks[key] = estimator.model_
        estimator._load_model = lambda: None
    estimator.fit(face.X_, face.y_)
    if face.kind == "regression":
        return lambda X: np.asarray(estimator.predict(X))
    return lambda X: np.asarray(estimator.predict_proba(X))


def _tabdpt(face: _InContext, path: Path, device: str, key: tuple[str, str, str]) -> Answer:
    """TabDPT: its own estimator, which reads its network when it is made; `_load_model` is meant to be replaced."""
    from tabdpt import TabDPTClassifier, TabDPTRegressor

    regression, own = face.kind == "regression", dict(face.options)
    base = TabDPTRegressor if regression else TabDPTClassifier

    class Shared(base):  # type: ignore[misc, valid-type]
        def _load_model(self) -> None:
            if key not in _networks:
                super()._load_model()
                _networks[key] = vars(self)["model"]
            setattr(self, "model", _networks[key])  # noqa: B010

    estimator = Shared(
        normalizer=own["norm"],
        clip_sigma=own["clip"],
        device=device,
        use_flash=False,
        compile=False,
        model_weight_path=str(path),
        verbose=False,
    )
    estimator.fit(face.X_.astype(np.float64), face.y_)
    members = {"n_ensembles": own["members"], "seed": face.seed}

    def answer(X: NDArray[np.float32]) -> NDArray[Any]:
        estimator.model.clip_sigma = own["clip"]  # the network is shared
        rows = X.astype(np.float64)
        if regression:
            return np.asarray(estimator.predict(rows, **members)).reshape(len(X))
        found = estimator.ensemble_predict_proba(rows, temperature=own["temperature"], **members)
        return np.asarray(found).reshape(len(X), -1)

    return answer


NETWORKS: dict[str, Callable[[_InContext, Path, str, tuple[str, str, str]], Answer]] = {
    "tabicl": _tabicl,
    "tabdpt": _tabdpt,
}


# ------------------------------------------------------------------------------------------------------------ helpers


def _chosen(n: int, most: int, groups: NDArray[np.intp] | None, rng: np.random.Generator) -> NDArray[np.intp]:
    """Which rows are kept, in their order: all, or so many by chance, one of each group among them."""
    if n <= most:
        return np.arange(n)
    order = rng.permutation(n)
    if groups is not None:
        _, first = np.unique(groups[order], return_index=True)
        rest = np.delete(order, first)
        order = np.concatenate([order[first], rest])
    return np.sort(order[:most])


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the packages warn of: duplicate values in a quantile, threads, and the like."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
