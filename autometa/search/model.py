"""The final model: pipelines that predict together, from a raw table to the labels of the target.

A member keeps its fitted models as bytes until they are first asked, so that putting a model together, saving it and
loading it import no learner's library.

Letters:  n rows · c classes.
"""

from __future__ import annotations

import io
import pickle
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.errors import InputError, Problem, RunError, TableWarning
from autometa.evaluation import fit_model, predict_aligned, tempered
from autometa.files import replace
from autometa.search.records import DamagedError
from autometa.search.signature import pickled, read_signed, write_signed
from autometa.space import Config
from autometa.task import ColumnDrift, Schema, Task, as_table, drift, label_array


@dataclass(eq=False)
class Member:
    """One configuration in the final model: trial number, weight, and its models as pickled lists, end to end.

    One list holds a model for each fold, another the model that was fitted on all rows; either may be all there is.
    Its predicted probabilities are brought to its temperature before they are weighted.
    """

    number: int
    weight: float
    content: bytes = field(repr=False)
    temperature: float = 1.0
    _models: tuple[list[Any], ...] | None = field(default=None, init=False, repr=False)

    @property
    def models(self) -> tuple[list[Any], ...]:
        """The lists of fitted pipelines, read on first use."""
        if self._models is None:
            stream, found = io.BytesIO(self.content), []
            try:
                while stream.tell() < len(self.content):
                    found.append(pickle.load(stream))
            except Exception as error:
                what = f"{type(error).__name__}: {error}"
                raise RunError(
                    f"the fitted models of trial {self.number} in this model cannot be read ({what})"
                ) from error
            self._models = tuple(found)
        return self._models

    def predict(self, X: pd.DataFrame, kind: str, c: int) -> NDArray[np.float64]:  # (n,) or (n, c)
        """Mean over the means of its lists; a class that a model never saw has probability 0 there."""
        means = [np.mean([predict_aligned(model, X, kind, c) for model in models], axis=0) for models in self.models]
        return tempered(np.mean(means, axis=0), self.temperature)

    def __getstate__(self) -> dict[str, Any]:
        """Without the unpickled models, which are in `content` as bytes."""
        return {**self.__dict__, "_models": None}


@dataclass(frozen=True, slots=True)
class Model:
    """Weighted average of its members' predictions.

    Args:
        name: Of the table it was made from.
        target: Name of the target column.
        kind: binary, multiclass or regression.
        metric: That was optimised.
        classes: (c,) original labels, in the order of the probability columns; empty for regression.
        schema: How a raw table becomes features.
        members: What answers.
        temperature: Of the probabilities that the members arrive at together.
    """

    name: str
    target: str
    kind: str
    metric: str
    classes: tuple[Any, ...]
    schema: Schema
    members: tuple[Member, ...]
    temperature: float = 1.0

    def predict(self, frame: Any, *, allow_missing: bool = False) -> NDArray[Any]:  # (n,)
        """Labels as they were in the training table, or numbers.

        Columns are found by their names, in any order and among others. What of one cannot be read as it was learned
        counts as missing, and a `TableWarning` says so.

        Args:
            frame: (n, p) raw table: a DataFrame, one of polars or PyArrow, an array or a sparse matrix, which has the
                columns of the training table, in order.
            allow_missing: Answer where a column is lacking, or no cell of it can be read: it counts as missing.

        Raises:
            InputError: Columns that the model needs are lacking or cannot be read; all are listed.
        """
        values = self._average(frame, allow_missing)
        if self.kind == "regression":
            return values
        return label_array(self.classes)[values.argmax(axis=1)]

    def predict_proba(self, frame: Any, *, allow_missing: bool = False) -> NDArray[np.float64]:  # (n, c)
        """Probability of each class, in the order of `classes`; as `predict` besides.

        Raises:
            InputError: The target is a number and has no probabilities; or as `predict`.
        """
        if self.kind == "regression":
            raise InputError(f"{self.target!r} is a number; a regression has no probabilities. Leave out --proba.")
        return self._average(frame, allow_missing)

    def _average(self, frame: Any, allow_missing: bool) -> NDArray[np.float64]:
        X, later = self.schema.apply_later(frame, allow_missing=allow_missing)
        for column in later:
            warnings.warn(str(column), TableWarning, stacklevel=3)
        return self.answer(X)

    def drift(self, frame: Any, *, allow_missing: bool = False) -> list[ColumnDrift]:
        """How the columns of a table differ from those of the training table, the furthest first.

        Args:
            frame: (n, p) raw table, n at least 1.
            allow_missing: As `predict`.

        Raises:
            InputError: As `predict`; the table has no rows, or the model was made by a version that kept no picture of
                its training table.
        """
        frame = as_table(frame)
        if not len(frame):
            raise InputError(Problem("table", "no rows to compare"))
        if not self.schema.picture:
            raise InputError(Problem("model", "keeps no picture of its training table", "Fit it again to have one."))
        X, later = self.schema.apply_later(frame, allow_missing=allow_missing)
        for column in later:
            warnings.warn(str(column), TableWarning, stacklevel=2)
        return drift(self.schema.picture, X)

    def answer(self, X: pd.DataFrame) -> NDArray[np.float64]:  # (n,) or (n, c)
        """Values or probabilities for a table that the schema was applied to."""
        c = len(self.classes)
        if not len(X):
            return np.empty(0 if self.kind == "regression" else (0, c))
        mean = sum(member.weight * member.predict(X, self.kind, c) for member in self.members)
        return tempered(np.asarray(mean), self.temperature)


def refit(task_folder: Path, config: Config, path: Path, *, seed: int, threads: int, device: str) -> None:
    """Fits one configuration on the whole task and leaves the model at `path`. Runs in a process of its own."""
    from threadpoolctl import threadpool_limits

    task = Task.load(task_folder)
    with warnings.catch_warnings(), threadpool_limits(threads):
        warnings.simplefilter("ignore")  # its warnings were judged by its score
        model = fit_model(task, config, np.arange(task.n), seed=seed, threads=threads, device=device)
    replace(path, pickle.dumps([model], protocol=5))


def save_model(model: Model, path: Path) -> None:
    """Writes the model, and its signature beside it."""
    write_signed(path, pickled(model))


def load_model(path: str | Path, *, trusted: bool = False) -> Model:
    """Reads a model file, or the model of a run folder.

    Only a file that this user wrote on this machine is read unless it is `trusted`.

    Args:
        path: A run folder, or its ``model.pkl``.
        trusted: Read it even though somebody else made it. Reading a model runs code that is in the file.

    Raises:
        RunError: There is no model, it is damaged, or it was made by somebody else and `trusted` is false.
    """
    path = Path(path)
    path = path / "model.pkl" if path.is_dir() else path
    if not path.exists():
        if (path.parent / "result.json").exists():
            raise DamagedError(path, "it is missing")
        if (path.parent / "run.json").exists():
            raise RunError(f"{path.parent} has no model yet. `autometa resume {path.parent}` finishes the run")
        raise RunError(f"{path} does not exist. Name the folder of a run")
    model = read_signed(path, trusted=trusted)
    if not isinstance(model, Model):
        raise RunError(f"{path} holds no AutoMeta model")
    return model
