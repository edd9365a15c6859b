"""A member of the final model: one configuration, fitted, and how much its answers count.

It keeps its fitted pipelines as bytes until they are first asked.

Letters:  n rows · c classes.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.errors import RunError
from autometa.evaluation import IDENTITY, Calibration, predict_aligned

if TYPE_CHECKING:
    from autometa.families.learners.direct import SharedInputs


@dataclass(eq=False)
class Member:
    """One configuration in the final model: trial number, weight, and its models as pickled lists, end to end.

    One list holds a model for each fold, another the model that was fitted on all rows; either may be all there is.
    Its predicted probabilities are calibrated before they are weighted.
    """

    number: int
    weight: float
    content: bytes = field(repr=False)
    calibration: Calibration = IDENTITY
    _models: tuple[list[Any], ...] | None = field(default=None, init=False, repr=False)

    @property
    def models(self) -> tuple[list[Any], ...]:
        """The lists of fitted pipelines, read on first use."""
        if self._models is None:
            stream, found = io.BytesIO(self.content), []
            while stream.tell() < len(self.content):
                found.append(self._next(stream))
            self._models = tuple(found)
        return self._models

    def predict(
        self, X: pd.DataFrame, kind: str, c: int, shared: SharedInputs | None = None
    ) -> NDArray[np.float64]:  # (n,) or (n, c)
        """Mean over the means of its lists; a class that a model never saw has probability 0 there.

        What several members make of the same table is `shared`.
        """
        means = [
            np.mean([predict_aligned(model, X, kind, c, shared) for model in models], axis=0) for models in self.models
        ]
        mean = np.mean(means, axis=0)
        return mean if kind == "regression" else self.calibration.apply(mean)

    def compact(self) -> Member:
        """With the models of the first list alone: the one that was fitted on all rows, where there is one."""
        stream = io.BytesIO(self.content)
        first = self._next(stream)
        out = replace(self, content=self.content[: stream.tell()])
        out._models = (first,)
        return out

    def _next(self, stream: io.BytesIO) -> list[Any]:
        """The next list of its content, its preprocessing shared with whatever is like it.

        Raises:
            RunError: It cannot be read.
        """
        from autometa.families.learners.direct import alike

        try:
            models: list[Any] = pickle.load(stream)
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise RunError(f"the fitted models of trial {self.number} in this model cannot be read ({what})") from error
        alike(models)
        return models

    def __getstate__(self) -> dict[str, Any]:
        """Without the unpickled models, which are in `content` as bytes."""
        return {**self.__dict__, "_models": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Takes what is pickled; an older version had a temperature."""
        state = {"calibration": Calibration.of_temperature(state.get("temperature", 1.0))} | state
        state.pop("temperature", None)
        self.__dict__.update(state)
