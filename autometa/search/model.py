"""The final model: pipelines that predict together, from a raw table to the labels of the target.

Putting a model together, saving it and loading it import no learner's library: its members keep their pipelines as
bytes until they are first asked.

Letters:  n rows · c classes.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields
from dataclasses import replace as replace_fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.errors import InputError, Problem, RunError, TableWarning
from autometa.evaluation import (
    AUTO,
    IDENTITY,
    Calibration,
    Conformal,
    Weights,
    fit_model,
    labels_of,
    places,
    read_threshold,
    threshold_of,
    weights_of,
)
from autometa.files import replace
from autometa.search.members import Member
from autometa.search.options import OPTIONS
from autometa.search.records import DamagedError
from autometa.search.several import why_several
from autometa.search.signature import pickled, read_signed, write_signed
from autometa.task import ColumnDrift, Schema, Task, as_table, drift, label_array

if TYPE_CHECKING:
    from autometa.families import FamilyOrigin
    from autometa.space import Config


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
        calibration: Of the probabilities that the members arrive at together.
        weights: How labels come from probabilities: (c,) of the classes, (c, c) costs, or () for the most probable.
        positive: The code of the positive class, of two.
        conformal: What intervals and sets are made of; None of a model of an older version.

    See Also:
        `autometa.load_model`, `Result`.

    Example:
        >>> model = load_model(run)  # of a run on scikit-learn's wines
        >>> model.kind, model.metric, len(model.members)
        ('multiclass', 'neg_log_loss', 1)
    """

    name: str
    target: str
    kind: str
    metric: str
    classes: tuple[Any, ...]
    schema: Schema
    members: tuple[Member, ...]
    calibration: Calibration = IDENTITY
    weights: Weights = ()
    positive: int = 1
    conformal: Conformal | None = None

    def __setstate__(self, state: list[Any]) -> None:
        """Takes the fields in their order; of an older version, the last one is a temperature."""
        for i, one in enumerate(fields(self)):
            value = state[i] if i < len(state) else one.default
            if one.name == "calibration" and isinstance(value, float):
                value = Calibration.of_temperature(value)
            object.__setattr__(self, one.name, value)

    def predict(
        self, frame: Any, *, allow_missing: bool = False, threshold: float | None = None
    ) -> NDArray[Any]:  # (n,)
        """Labels as they were in the training table, or numbers.

        Columns are found by their names, in any order and among others. What of one cannot be read as it was learned
        counts as missing, and a `TableWarning` says so.

        Args:
            frame: (n, p) raw table: a DataFrame, one of polars or PyArrow, an array or a sparse matrix, which has the
                columns of the training table, in order.
            allow_missing: Answer where a column is lacking, or no cell of it can be read: it counts as missing.
            threshold: Of two classes, the probability from which a row counts as positive; None for the model's own.

        Raises:
            InputError: Columns that the model needs are lacking or cannot be read; all are listed. Or a threshold is
                given that is not between 0 and 1, or where there are not two classes.
        """
        self.check_threshold(threshold)
        values = self._average(frame, allow_missing)
        return values if self.kind == "regression" else self.labels(values, threshold)

    def labels(self, probability: NDArray[np.float64], threshold: float | None = None) -> NDArray[Any]:
        """The labels (n,) of probabilities (n, c), as they were in the training table.

        Args:
            probability: As `predict_proba` gives them.
            threshold: Of two classes, the probability from which a row counts as positive; None for the model's own.
        """
        weights = self.weights if threshold is None else weights_of(threshold, self.positive)
        return label_array(self.classes)[labels_of(probability, weights)]

    def check_threshold(self, threshold: float | None) -> None:
        """Refuses a threshold that cannot be: there are not two classes, or it is not between 0 and 1.

        Raises:
            InputError: It cannot be.
        """
        if threshold is None:
            return
        if len(self.classes) != 2:
            what = f"a threshold is for two classes, and {self.target!r} has {len(self.classes) or 'none'}"
            raise InputError(Problem("threshold", what, "Leave it out."))
        if read_threshold(threshold) == AUTO:
            raise InputError(Problem("threshold", "auto is for fit, which chooses it", "Leave it out."))

    @property
    def threshold(self) -> float | None:
        """The probability from which a row counts as positive; None unless there are two classes."""
        return threshold_of(self.weights, self.positive) if len(self.classes) == 2 else None

    def predict_proba(self, frame: Any, *, allow_missing: bool = False) -> NDArray[np.float64]:  # (n, c)
        """Probability of each class, in the order of `classes`; as `predict` besides.

        Raises:
            InputError: The target is a number and has no probabilities; or as `predict`.
        """
        if self.kind == "regression":
            raise InputError(f"{self.target!r} is a number; a regression has no probabilities. Leave out --proba.")
        return self._average(frame, allow_missing)

    def predict_interval(
        self, frame: Any, level: float = 0.9, *, by: str | None = None, allow_missing: bool = False
    ) -> NDArray[np.float64]:  # (n, 2)
        """Between which two numbers the truth of each row lies, with the probability `level`.

        Conformal, from out-of-fold predictions (`autometa.evaluation.conformal`): of many rows like those that were
        learned from, so large a share has its truth between the two.

        Args:
            frame: (n, p) as `predict`.
            level: Between 0 and 1.
            by: A categorical column, for its categories to have that share each.
            allow_missing: As `predict`.

        Raises:
            InputError: The target has classes (`predict_set`); a level for which there are too few rows; no such
                column; or as `predict`.
        """
        self._conformal(numbers=True).check(level)
        X = self._features(frame, allow_missing)
        return self.interval_of(X, self.answer(X), level, by)

    def interval_of(
        self, X: pd.DataFrame, values: NDArray[np.float64], level: float, by: str | None = None
    ) -> NDArray[np.float64]:  # (n, p), (n,) -> (n, 2)
        """As `predict_interval`, for a table that the schema was applied to, and what `answer` says of it."""
        conformal = self._conformal(numbers=True)
        conformal.check(level)
        reach = conformal.reach(level, values, X, by)
        low = np.maximum(values - reach, np.minimum(conformal.least, values))
        return np.column_stack([low, values + reach])

    def predict_set(
        self, frame: Any, level: float = 0.9, *, by: str | None = None, allow_missing: bool = False
    ) -> NDArray[np.bool_]:  # (n, c)
        """Which classes each row may be of: a set that holds the true one with the probability `level`.

        It may be empty: a model that is right more often than was asked gives up the rows of which it is least sure.

        Args:
            frame: (n, p) as `predict`.
            level: Between 0 and 1.
            by: A categorical column, or the target, for its categories to have that share each.
            allow_missing: As `predict`.

        Raises:
            InputError: The target is a number (`predict_interval`); or as there.
        """
        self._conformal(numbers=False).check(level)
        X = self._features(frame, allow_missing)
        return self.set_of(X, self.answer(X), level, by)

    def set_of(
        self, X: pd.DataFrame, probability: NDArray[np.float64], level: float, by: str | None = None
    ) -> NDArray[np.bool_]:  # (n, p), (n, c) -> (n, c)
        """As `predict_set`, for a table that the schema was applied to, and what `answer` says of it."""
        conformal = self._conformal(numbers=False)
        conformal.check(level)
        return conformal.within(level, probability, X, by, self.target)

    def check_interval(self, level: float, by: str | None = None) -> None:
        """Refuses a level, or a column, that `predict_interval` and `predict_set` would.

        Raises:
            InputError: As they do.
        """
        conformal = self._conformal(numbers=self.kind == "regression")
        conformal.check(level)
        if by is not None and not (by == self.target and self.kind != "regression"):
            conformal.check_column(by, self.schema.columns.all)

    def _conformal(self, *, numbers: bool) -> Conformal:
        """What intervals or sets are made of.

        Raises:
            InputError: The target is of the other kind, or the model keeps nothing of it.
        """
        if numbers != (self.kind == "regression"):
            what = f"{self.target!r} {'has classes' if numbers else 'is a number'}"
            fix = "predict_set gives the classes that a row may be of." if numbers else "predict_interval gives two."
            raise InputError(Problem("interval", what, fix))
        if self.conformal is None:
            what = "keeps nothing of how far it was off"
            raise InputError(Problem("model", what, "Fit it again to have intervals, or sets of classes."))
        return self.conformal

    def _average(self, frame: Any, allow_missing: bool) -> NDArray[np.float64]:
        return self.answer(self._features(frame, allow_missing))

    def _features(self, frame: Any, allow_missing: bool) -> pd.DataFrame:
        X, later = self.schema.apply_later(frame, allow_missing=allow_missing)
        for column in later:
            warnings.warn(str(column), TableWarning, stacklevel=4)
        return X

    def compact(self) -> Model:
        """The same model without its models of folds: of each member, the one fitted on all rows answers alone.

        Several times smaller and quicker; the score that was promised is of the whole, which errs a little less. A
        member that has nothing but models of folds keeps them.

        See Also:
            `save`.

        Example:
            >>> model = load_model(run)
            >>> [len(models) for member in model.members for models in member.models]
            [1, 15]
            >>> [len(models) for member in model.compact().members for models in member.models]
            [1]
        """
        return replace_fields(self, members=tuple(member.compact() for member in self.members))

    def save(self, path: str | Path) -> None:
        """Writes it to a file that `autometa.load_model` reads, signed with a key only you have.

        Args:
            path: The file; one that is there is replaced.

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     load_model(run).compact().save(Path(folder) / "small.pkl")
            ...     load_model(Path(folder) / "small.pkl").predict(wines.head(2)).tolist()
            [0, 0]
        """
        save_model(self, Path(path))

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
        """Values or probabilities for a table that the schema was applied to.

        So many rows at once (`SearchOptions.answered_rows`): what is computed on the way stays small. To the last bit
        it is the same in a whole table and in parts of that many rows.
        """
        c, step = len(self.classes), OPTIONS.answered_rows
        if len(X) > step:
            return np.concatenate([self.answer(X.iloc[start : start + step]) for start in range(0, len(X), step)])
        if not len(X):
            return np.empty(0 if self.kind == "regression" else (0, c))
        from autometa.families.learners.direct import SharedInputs

        shared = SharedInputs(X)
        mean = sum(member.weight * member.predict(X, self.kind, c, shared) for member in self.members)
        mean = np.asarray(mean)
        return mean if self.kind == "regression" else self.calibration.apply(mean)


def refit(
    task_folder: Path,
    config: Config,
    path: Path,
    *,
    seed: int,
    threads: int,
    device: str,
    rows: int | None = None,
    families: Sequence[FamilyOrigin] = (),
) -> None:
    """Fits one configuration on all rows, or so many of them, into a file. Runs in a process of its own."""
    from threadpoolctl import threadpool_limits

    from autometa.families import REGISTRY

    REGISTRY.recalled(families)
    task = Task.load(task_folder)
    with warnings.catch_warnings(), threadpool_limits(threads):
        warnings.simplefilter("ignore")  # its warnings were judged by its score
        learned = np.arange(task.n_learned)
        if rows is not None and rows < task.n:
            learned = np.flatnonzero(places(task, seed=seed)[: task.n_learned] < rows / task.n)
        model = fit_model(task, config, learned, seed=seed, threads=threads, device=device)
    replace(path, pickle.dumps([model], protocol=5))


def save_model(model: Model, path: Path) -> None:
    """Writes the model, and its signature beside it."""
    write_signed(path, pickled(model))


def load_model(path: str | Path, *, trusted: bool = False) -> Model:
    """Reads a model file, the model of a run folder, or that of an estimator which its `save` wrote.

    Only a file that this user wrote on this machine is read unless it is `trusted`.

    Args:
        path: A run folder, its ``model.pkl``, or the file that an estimator's `save` wrote.
        trusted: Read it even though somebody else made it. Reading a model runs code that is in the file.

    Raises:
        RunError: There is no model, it is damaged, or it was made by somebody else and `trusted` is false.

    See Also:
        `AutoMetaClassifier` and `AutoMetaRegressor`, which fit one in Python.

    Example:
        >>> load_model(run).predict_proba(wines.head(2)).shape
        (2, 3)
    """
    path = Path(path)
    path = path / "model.pkl" if path.is_dir() else path
    if not path.exists():
        if why := why_several(path.parent):
            raise RunError(f"{why}, or load_models")
        if (path.parent / "result.json").exists():
            raise DamagedError(path, "it is missing")
        if (path.parent / "run.json").exists():
            raise RunError(f"{path.parent} has no model yet. `autometa resume {path.parent}` finishes the run")
        raise RunError(f"{path} does not exist. Name the folder of a run")
    found = read_signed(path, trusted=trusted)
    model = getattr(found, "model_", found)  # of an estimator, which `save` wrote
    if not isinstance(model, Model):
        raise RunError(f"{path} holds no AutoMeta model")
    if model.schema.encoder:
        from autometa.adapting.keeping import encoder_in

        there = encoder_in(model.schema.encoder, path.parent)
        return replace_fields(model, schema=replace_fields(model.schema, encoder=there))
    return model
