"""The scikit-learn face of the learners: `fit` on a handful of examples adapts, `predict` answers.

What was learned before, over many tasks, comes from a checkpoint or from `meta_fit`; without either there is nothing to
adapt. It is kept by `clone`, so that cross-validation and searches over pipelines adapt it anew in each fold, and
`save` writes it to a file that `load` and the command line read.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted
from torch import nn

from autometa.errors import InputError, Problem, did_you_mean
from autometa.fewshot.backends import find_device
from autometa.fewshot.checkpoint import FILE, Checkpoint
from autometa.fewshot.data import DATA, Data, from_arrays, from_dataset, load_data
from autometa.fewshot.learner import make
from autometa.fewshot.learners import find_learner
from autometa.fewshot.pretrained import PREFIX, located
from autometa.fewshot.settings import TrainingSettings
from autometa.fewshot.suited import suited
from autometa.fewshot.trained import AdaptedLearner, Trained
from autometa.fewshot.trainer import train


class FewShotClassifier(ClassifierMixin, BaseEstimator):
    """Any few-shot learner as a scikit-learn classifier.

    Args:
        learner: A name in `LEARNERS`, or ``module:Class`` of one's own.
        checkpoint: File or folder of `autometa fewshot train` or `save`, or the name of one that comes trained; None if
            `meta_fit` is called.
        options: The learner's own options, for `meta_fit`.
        random_state: Seed of `meta_fit`.
        device: ``auto`` (a GPU where there is one), ``cpu`` or ``cuda``.
        encoder: A module of one's own that makes a vector of each example, in place of the learner's network; `make`
            says how. A checkpoint that was made with one needs it again.
        tune_encoder: Whether `meta_fit` changes its weights too.
        none_label: What `predict` answers where a query is more probably of none of the classes; None to always answer
            one of them.

    See Also:
        `AutoMetaClassifier` for one table of more than a handful of rows.

    Example:
        >>> from sklearn.datasets import load_digits
        >>> X, y = load_digits(return_X_y=True)
        >>> model = FewShotClassifier("protonet").meta_fit("digits", steps=3, way=3, shot=2)
        >>> new = (y >= 7).nonzero()[0]  # digits that meta_fit never saw: two examples of each, and it tells them apart
        >>> first = [i for d in (7, 8, 9) for i in new[y[new] == d][:2]]
        >>> model.fit(X[first] / 16, y[first]).predict_proba(X[new[-4:]] / 16).shape
        (4, 3)
    """

    encoder: nn.Module | None = None  # of a pickle from before these were parameters
    tune_encoder: bool = False
    none_label: Any = None

    def __init__(
        self,
        learner: str = "protonet",
        *,
        checkpoint: str | Path | None = None,
        options: dict[str, Any] | None = None,
        random_state: int = 0,
        device: str = "auto",
        encoder: nn.Module | None = None,
        tune_encoder: bool = False,
        none_label: Any = None,
    ) -> None:
        self.learner = learner
        self.checkpoint = checkpoint
        self.options = options
        self.random_state = random_state
        self.device = device
        self.encoder = encoder
        self.tune_encoder = tune_encoder
        self.none_label = none_label

    def __sklearn_clone__(self) -> FewShotClassifier:
        """Unfitted, with the same parameters and what was meta-learned: as a prior, it is no result of `fit`."""
        new = type(self)(**self.get_params(deep=False))
        if hasattr(self, "meta_"):
            new.meta_ = self.meta_
        return new

    def meta_fit(
        self,
        data: Data | str | tuple[ArrayLike, ArrayLike] | Any,
        *,
        steps: int,
        way: int = 5,
        shot: int = 1,
        path: str | None = None,
        data_options: dict[str, Any] | None = None,
        training: dict[str, Any] | None = None,
        verbose: bool = True,
        **settings: Any,
    ) -> Self:
        """Meta-trains on many tasks.

        Args:
            data: A data set, or its name in `DATA`; labelled examples ``(X, y)`` of many classes (`from_arrays`); or a
                data set of such pairs (`from_dataset`).
            steps: Of the training.
            way: Classes of an episode.
            shot: Support examples of a class.
            path: File or folder of data that have a name.
            data_options: Their options, such as ``{"size": 84}``.
            training: Fields of `Training` that differ from the learner's own: ``{"way": 20, "query": 5}``.
            verbose: Whether standard error tells what gave way to the data, and how long a longer training takes.
            **settings: The other fields of `TrainingSettings`, such as ``seconds``.

        Raises:
            InputError: With everything that is wrong.
        """
        known = [name for name in TrainingSettings.__dataclass_fields__ if name not in ("steps", "way", "shot", "seed")]
        other = [name for name in settings if name not in known]
        if other:
            fix = f"Known: {', '.join(known)}."
            wrong = [
                Problem(f"meta_fit: {n}", "is no setting", f"{did_you_mean(n, known)} {fix}".strip()) for n in other
            ]
            raise InputError(wrong)
        found = _data(data, way, path, data_options or {})
        learner = make(
            find_learner(self.learner), found.train.problem(way), self.options,
            encoder=self.encoder, tune_encoder=self.tune_encoder,
        )  # fmt: skip
        asked = TrainingSettings(steps, way, shot, seed=self.random_state, **settings)
        changed = dict(training or {})
        unknown = [name for name in changed if name not in type(learner.training).__dataclass_fields__]
        if unknown:
            fix = f"Known: {', '.join(type(learner.training).__dataclass_fields__)}."
            raise InputError([Problem(f"meta_fit: training {name}", "is not known", fix) for name in unknown])
        fixed = {"train_query" if name == "query" else name for name in changed} | ({"query"} & set(settings))
        own = suited(found, asked, replace(learner.training, **changed), within=found.within_domain, asked=fixed)
        say = _said if verbose else _silent
        for note in own.notes:
            say(note)
        origin: dict[str, Any] = {"name": found.name}
        if isinstance(data, str):
            origin |= {"path": path, "options": dict(data_options or {})}
        device = find_device(self.device)
        self.meta_ = train(
            learner, found, own.settings, training=own.training, device=device, origin=origin, say=say
        )  # fmt: skip
        self.trained_ = Trained.of(self.meta_, device)
        return self

    def save(self, path: str | Path) -> None:
        """Writes what `meta_fit` learned, as a checkpoint: `load` reads it, and so do `checkpoint=` and the commands.

        Raises:
            InputError: There is nothing to save.
            OSError: It cannot be written.
        """
        if not hasattr(self, "meta_"):
            raise InputError(Problem("save", "meta_fit has not been called", "What `fit` takes is not kept in a file."))
        path = Path(path)
        self.meta_.save(path if path.suffix == ".npz" else path / FILE)

    @classmethod
    def load(cls, path: str | Path, *, encoder: nn.Module | None = None, device: str = "auto") -> Self:
        """A classifier with what `save` or `autometa fewshot train` wrote, ready for `fit`.

        Raises:
            RunError: `Checkpoint.load` says what is refused.

        Example:
            >>> import tempfile
            >>> model = FewShotClassifier("protonet").meta_fit("digits", steps=1, way=3)
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     model.save(folder)
            ...     again = FewShotClassifier.load(folder)
            >>> again.learner
            'protonet'
        """
        state = Checkpoint.load(Path(path), device=find_device(device), encoder=encoder)
        new = cls(state.learner, options=dict(state.options), device=device, encoder=encoder)
        new.meta_ = state
        return new

    @classmethod
    def pretrained(cls, name: str, *, device: str = "auto") -> Self:
        """A classifier that comes trained, ready for `fit`; `autometa fewshot list` names them.

        Raises:
            InputError: None comes under that name.

        Example:
            >>> model = FewShotClassifier.pretrained("protonet-omniglot")
            >>> drawings = np.zeros((4, 28, 28), np.uint8)
            >>> drawings[:2, 4:24, 13:15], drawings[2:, 13:15, 4:24] = 255, 255  # two down, two across
            >>> model.fit(drawings[::2], ["down", "across"]).predict(drawings[1::2]).tolist()
            ['down', 'across']
        """
        return cls.load(located(name if name.startswith(PREFIX) else f"{PREFIX}{name}"), device=device)

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:  # (s, *shape), (s,)
        """Takes a support set of s labelled examples, and adapts to it once for all predictions.

        Raises:
            InputError: The learner cannot use it, or has not been trained yet.
        """
        self.trained_ = self._learned()
        self.adapted_ = self.trained_.adapt(X, y)
        self.classes_ = np.asarray(self.adapted_.known)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:  # (q, *shape) -> (q, c)
        """Probabilities in the order of `classes_`; a transductive learner normalises these queries together."""
        return self._adapted().answer(X)

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # (q, *shape) -> (q,)
        """The most probable class of each query; `none_label` where none is more probable, if there is one."""
        answers: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(1)]
        if self.none_label is None:
            return answers
        strange = self.predict_none(X) > 0.5
        mixed = isinstance(self.none_label, str) != (answers.dtype.kind in "US")
        kind = object if mixed else np.result_type(answers, np.asarray(self.none_label))
        return np.where(strange, np.array(self.none_label, dtype=kind), answers.astype(kind))

    def predict_none(self, X: ArrayLike) -> NDArray[np.float64]:  # (q, *shape) -> (q,)
        """The probability that a query is of none of `classes_`; two examples of each are needed to tell."""
        return self._adapted().none(X)

    def explain(self, X: ArrayLike) -> list[dict[str, Any]]:
        """Why each query was answered so; the keys are those of `AdaptedLearner.explain`."""
        return self._adapted().explain(X)

    def _learned(self) -> Trained:
        """What was learned before, from `meta_fit` or from the checkpoint."""
        if hasattr(self, "meta_"):
            if self.meta_.learner != self.learner and find_learner(self.learner) is not find_learner(
                self.meta_.learner
            ):
                what = f"meta_fit trained {self.meta_.learner}, and learner is {self.learner} now"
                raise InputError(Problem("FewShotClassifier", what, "Call meta_fit again."))
            return Trained.of(self.meta_, find_device(self.device))
        if self.checkpoint is not None:
            device = find_device(self.device)
            return Trained.load(self.checkpoint, device=device, learner=self.learner, encoder=self.encoder)
        if hasattr(self, "trained_"):
            return self.trained_  # a pickle from before `meta_` was kept
        fix = "Give a checkpoint, or call meta_fit."
        raise InputError(Problem("FewShotClassifier", "has not learned from tasks yet", fix))

    def _adapted(self) -> AdaptedLearner:
        """The learner, adapted to the support."""
        if not hasattr(self, "adapted_") and hasattr(self, "support_"):
            self.adapted_ = self.trained_.adapt(*self.support_)  # a pickle from before it was kept
        check_is_fitted(self, "adapted_")
        return self.adapted_


def _data(given: Any, way: int, path: str | None, options: dict[str, Any]) -> Data:
    """Whatever was handed over, as data."""
    if isinstance(given, Data):
        return given
    if isinstance(given, str):
        if given == "vectors":
            options = {"way": way, **options}
        return load_data(given, path, **options)
    if isinstance(given, tuple | list) and len(given) == 2 and not isinstance(given[0], tuple):
        return from_arrays(given[0], given[1], way=way)
    if hasattr(given, "__getitem__") and hasattr(given, "__len__"):
        return from_dataset(given, way=way)
    what = f"is {type(given).__name__}"
    raise InputError(Problem("meta_fit: data", what, f"Give (X, y), a data set, or one of {', '.join(DATA)}."))


def _said(text: str) -> None:
    sys.stderr.write(text + "\n")


def _silent(text: str) -> None:
    """Says nothing."""
