"""What fitted pipelines answer, directly: no check is made twice, and inputs that several of them share are made once.

An ensemble is asked a row at a time by whoever serves it. scikit-learn's `ColumnTransformer` and `Pipeline` check and
select for milliseconds then what takes microseconds to compute, and each of the pipelines does so anew. `SharedInputs`
goes through their steps itself, and keeps what it made; `alike` makes one object of steps that are equal, such as the
preprocessing of two boosting models, so that it finds them again.

Law: to the bit what the pipeline itself answers. What is not known here is asked of scikit-learn.

Letters:  n rows · p columns.
"""

from __future__ import annotations

import hashlib
import pickle
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from autometa.families.learners.features import MadeFeatures
from autometa.families.learners.preprocess import transformed
from autometa.families.options import OPTIONS

_KNOWN: weakref.WeakValueDictionary[bytes, Any] = weakref.WeakValueDictionary()  # fitted steps, by content


class SharedInputs:
    """The inputs that fitted pipelines make of one typed table.

    Args:
        X: (n, p) typed, with the columns that the pipelines were fitted on.

    Example:
        >>> from autometa.families import build, cash_space
        >>> from autometa.task import Columns
        >>> X, y = pd.DataFrame({"a": np.arange(40.0)}), np.arange(40) % 2
        >>> config = cash_space("binary", ["linear"]).default
        >>> model = build(config, Columns(numeric=("a",)), "binary", n_rows=40, seed=0).fit(X, y)
        >>> bool((SharedInputs(X).ask(model, "predict_proba") == model.predict_proba(X)).all())
        True
    """

    def __init__(self, X: pd.DataFrame) -> None:
        self.X = X
        self._names = np.asarray(X.columns, dtype=object)
        self._made: dict[tuple[Any, ...], tuple[NDArray[Any], Any]] = {}
        self._cells = 0

    def ask(self, model: Any, method: str) -> NDArray[Any]:
        """What a fitted model's method answers of the table: a pipeline's, or of anything else as it is."""
        if type(model) is Pipeline and type(model.steps[0][1]) is MadeFeatures:
            return self._with_made(model.steps[0][1]).ask(Pipeline(model.steps[1:]), method)
        if type(model) is not Pipeline or not _takes_columns(model.steps[0][1], self._names):
            return getattr(model, method)(self.X)
        inputs = self._columns(model.steps[0][1])
        for _, step in model.steps[1:-1]:
            inputs = transformed(step, inputs)
        return getattr(_on_one_thread(model.steps[-1][1], len(inputs)), method)(inputs)

    def _with_made(self, step: MadeFeatures) -> SharedInputs:
        """The inputs that pipelines make of the table and of what a step makes of it; those of the table are shared."""
        frame = step.transform(self.X)
        if frame is self.X:
            return self
        wider = SharedInputs(frame)
        wider._made, wider._cells = self._made.copy(), self._cells
        return wider

    def _columns(self, transformer: ColumnTransformer) -> NDArray[Any]:
        """What a `ColumnTransformer` makes of the table."""
        used = [(part, places) for _, part, places in transformer.transformers_ if places and part != "drop"]
        parts = [self._part(tuple(_steps(part)), tuple(places)) for part, places in used]
        return np.hstack(parts) if parts else np.zeros((len(self.X), 0))

    def _part(self, steps: tuple[Any, ...], places: tuple[int, ...]) -> NDArray[Any]:
        """What steps, one after the other, make of some columns; the steps stay alive as long as their names here."""
        key = (places, *map(id, steps))
        if key in self._made:
            return self._made[key][0]
        if len(steps) > 1:
            out = transformed(steps[-1], self._part(steps[:-1], places))
        else:
            out = transformed(steps[0], self.X.iloc[:, _slice_of(places)])
        if self._cells + out.size <= OPTIONS.preprocessing.shared_cells:
            self._made[key] = out, steps
            self._cells += out.size
        return out


def _slice_of(places: tuple[int, ...]) -> slice | list[int]:
    """Places side by side as a slice, by which pandas selects in a third of the time; others as they are."""
    first, last = places[0], places[-1] + 1
    return slice(first, last) if places == tuple(range(first, last)) else list(places)


def _on_one_thread(learner: Any, n: int) -> Any:
    """A fitted learner, or for few rows a view of it that wakes no other threads, which takes longer than the rows."""
    if n > OPTIONS.preprocessing.rows_on_one_thread or getattr(learner, "n_jobs", 1) in (None, 1):
        return learner
    view = object.__new__(type(learner))
    view.__dict__.update(learner.__dict__, n_jobs=1)
    return view


def alike(models: list[Any]) -> None:
    """Makes one object of the equal preprocessing steps of pipelines, in place: of these, and of all given before."""
    for model in models:
        pipeline = getattr(model, "model", model)  # of one that is clipped or relabelled
        if type(pipeline) is Pipeline and type(pipeline.steps[0][1]) is ColumnTransformer:
            columns = pipeline.steps[0][1]
            columns.transformers_ = [(name, _shared(part), places) for name, part, places in columns.transformers_]


def _shared(part: Any) -> Any:
    """The part, or one with its content that is there already; of a pipeline its steps."""
    if isinstance(part, str):
        return part
    if type(part) is Pipeline:
        part.steps = [(name, _shared(step)) for name, step in part.steps]
        return part
    return _KNOWN.setdefault(hashlib.blake2b(pickle.dumps(part, protocol=5)).digest(), part)


def _steps(part: Any) -> Iterator[Any]:
    """The steps of a part, pipelines of pipelines opened."""
    if isinstance(part, Pipeline):
        for _, step in part.steps:
            yield from _steps(step)
    else:
        yield part


def _takes_columns(transformer: Any, names: NDArray[Any]) -> bool:
    """Whether it is a `ColumnTransformer` of these very columns that does nothing but transform some by places."""
    if type(transformer) is not ColumnTransformer or transformer.sparse_threshold:
        return False
    known = getattr(transformer, "feature_names_in_", None)
    if known is None or not np.array_equal(known, names):
        return False
    return all(
        isinstance(places, list) and not isinstance(part, str)
        for _, part, places in transformer.transformers_
        if places and part != "drop"
    )
