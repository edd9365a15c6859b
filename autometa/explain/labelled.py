"""A table whose answers are known, beside a model: as a task with the model's own classes and columns.

Letters:  n rows · p columns.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.errors import InputError, Problem, TableWarning, did_you_mean
from autometa.task import Task, as_table
from autometa.task.kinds import target_numbers

if TYPE_CHECKING:
    from autometa.search import Model


def labelled_task(model: Model, frame: Any, y: Any = None) -> Task:
    """A table with known answers, read as the model reads it.

    Args:
        model: Whose columns, classes and metric count.
        frame: (n, p) raw table.
        y: (n,) the answers; None where they are in the column of the target.

    Raises:
        InputError: There is no such column, an answer is missing, or of a class that the model does not know.

    Example:
        >>> from autometa.search import load_model
        >>> from sklearn.datasets import load_wine
        >>> labelled_task(load_model(run), load_wine(as_frame=True).frame.head(3)).y.tolist()
        [0, 0, 0]
    """
    frame = as_table(frame)
    if y is None:
        if not isinstance(frame, pd.DataFrame) or model.target not in frame.columns:
            names = list(getattr(frame, "columns", ()))
            what, fix = f"no column {model.target!r}, which is the target", did_you_mean(model.target, names)
            raise InputError(Problem("table", what, fix))
        y = frame[model.target]
    answers = pd.Series(np.asarray(y, dtype=object) if not isinstance(y, pd.Series) else y).reset_index(drop=True)
    if not len(answers):
        raise InputError(Problem("table", "no rows"))
    if len(answers) != len(frame):
        raise InputError(Problem("y", f"has {len(answers)} answers for {len(frame)} rows"))
    codes = _numbers(model, answers) if model.kind == "regression" else _codes(model, answers)
    X, later = model.schema.apply_later(frame)
    for column in later:
        warnings.warn(str(column), TableWarning, stacklevel=2)
    return Task(
        model.name,
        X.reset_index(drop=True),
        codes,
        model.kind,  # type: ignore[arg-type]
        model.metric,
        model.classes,
        model.target,
        model.schema,
        positive=model.positive,
    )


def _numbers(model: Model, answers: pd.Series) -> NDArray[np.float64]:  # (n,)
    values, _ = target_numbers(answers.infer_objects(), model.schema.reading.get("decimal", "."))
    if bad := int((~np.isfinite(values)).sum()):
        what = f"{bad} of {len(values)} cells are no numbers, or missing"
        raise InputError(Problem(f"column {model.target!r}", what, "Leave these rows out."))
    return np.asarray(values, dtype=np.float64)


def _codes(model: Model, answers: pd.Series) -> NDArray[np.int64]:  # (n,)
    """The codes of labels: equal to a class in value, or in letters where no two classes are alike in them."""
    codes = {label: k for k, label in enumerate(model.classes)}
    texts = {str(label): k for k, label in enumerate(model.classes)}
    texts = texts if len(texts) == len(codes) else {}

    def code(label: Any) -> int:
        label = label.item() if hasattr(label, "item") else label
        try:
            known = codes.get(label)
        except TypeError:
            known = None
        if known is None and isinstance(label, float) and label.is_integer():
            known = texts.get(str(int(label)))
        return known if known is not None else texts.get(str(label), -1)

    found = np.array([code(label) for label in answers], dtype=np.int64)
    if (found < 0).any():
        odd = list(dict.fromkeys(repr(label) for label in answers[found < 0]))
        what = f"{int((found < 0).sum())} of {len(found)} rows have no class that the model knows: {', '.join(odd[:5])}"
        fix = f"It knows {', '.join(repr(str(one)) for one in model.classes[:10])}."
        raise InputError(Problem(f"column {model.target!r}", what, fix))
    return found
