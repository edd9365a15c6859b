"""A trained few-shot learner as a scikit-learn classifier of rows of numbers: `fit` adapts it to all of them.

Fitted, it holds the learner: a model that was saved needs no checkpoint.

Letters:  n rows · p inputs · c classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import log_softmax

from autometa.families.learners.faces import ProbabilityClassifier
from autometa.families.learners.few_shot import FewShotHead, Vectors
from autometa.families.learners.network import torch_threads


class LearnerClassifier(ProbabilityClassifier):
    """A checkpoint of `autometa fewshot train`, adapted to a table.

    Args:
        file: The checkpoint, which is read when it is fitted.
        places: Which of an example's numbers each column is.
        width: How many numbers an example has: its own, or those that the learner's network made of it.
        head: ``own``, or a head of `FewShotHead` on the learner's features.
        options: Of the learner: inner steps and rate.
        temperature: What the logits of its own head are divided by.
        scale: Of the features, for another head.
        strength: Of another head, as `FewShotHead` has it.
        seed: Of another head.
        threads: CPU threads that PyTorch may take.
        device: ``auto``, ``cpu`` or ``cuda``.
    """

    def __init__(
        self,
        *,
        file: str,
        places: tuple[int, ...],
        width: int,
        head: str = "own",
        options: Mapping[str, Any] | None = None,
        temperature: float = 1.0,
        scale: str = "none",
        strength: float = 1.0,
        seed: int = 0,
        threads: int = 1,
        device: str = "cpu",
    ) -> None:
        self.file = file
        self.places = places
        self.width = width
        self.head = head
        self.options = options
        self.temperature = temperature
        self.scale = scale
        self.strength = strength
        self.seed = seed
        self.threads = threads
        self.device = device

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> Self:
        """Adapts to rows X (n, p) and their targets y (n,)."""
        from autometa.fewshot.applied import Applied
        from autometa.fewshot.trained import Trained

        self.classes_, codes = np.unique(y, return_inverse=True)
        self.n_features_in_ = X.shape[1]
        if len(self.classes_) == 1:
            return self
        where = self._device()
        with torch_threads(self.threads):
            trained = Trained.load(Path(self.file), device=where)
            own = self.head == "own"
            options = dict(self.options or {}) if own else self._still(trained)
            applied = Applied.of(trained, self._rows(X), codes, options, head=own)
            if not own:
                self.vectors_ = Vectors(scale=self.scale)  # type: ignore[arg-type]
                features = self.vectors_.fit_transform(self._features(applied, X))
                self.head_ = FewShotHead(head=self.head, strength=self.strength, seed=self.seed).fit(features, codes)
            self.applied_ = applied.to("cpu")  # so that it is read where there is no GPU
        return self

    def predict_proba(self, X: NDArray[Any]) -> NDArray[np.float64]:  # (n, c)
        """The probability of each of `classes_`, for every row by itself."""
        if len(self.classes_) == 1:
            return np.ones((len(X), 1))
        where = self._device()
        applied = self.applied_ if where == "cpu" else self.applied_.to(where)
        with torch_threads(self.threads):
            if self.head != "own":
                found: NDArray[np.float64] = self.head_.predict_proba(
                    self.vectors_.transform(self._features(applied, X))
                )
                return found
            logits = applied.logits(self._rows(X))[:, : len(self.classes_)]
        return np.exp(log_softmax(logits / self.temperature, axis=1))

    def _rows(self, X: NDArray[Any]) -> NDArray[Any]:  # (n, p) -> (n, width)
        """Numbers in their places; those that lack are 0. A table of fewer columns than were learned from stays so."""
        if len(self.places) == self.width or self.places == tuple(range(len(self.places))):
            return np.asarray(X)
        rows = np.zeros((len(X), self.width), dtype=X.dtype)
        rows[:, list(self.places)] = X
        return rows

    def _features(self, applied: Any, X: NDArray[Any]) -> pd.DataFrame:
        return pd.DataFrame(applied.features(self._rows(X)))

    def _still(self, trained: Any) -> dict[str, Any]:
        """Options under which the network stays as it was trained."""
        from autometa.fewshot.applied import INNER_STEPS

        names = (name for name in INNER_STEPS if hasattr(trained.learner, name))
        return {} if getattr(trained.learner, "fixed_body", False) else dict.fromkeys(list(names)[:1], 0)

    def _device(self) -> str:
        """A GPU only where there is one: a model that was fitted on one answers without it."""
        from autometa.fewshot.backends import find_device

        return "cpu" if self.device == "cpu" else find_device("auto")
