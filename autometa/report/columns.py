"""What may be wrong with columns: all different, twice there, or too good to be known when an answer is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from autometa.report.options import OPTIONS
from autometa.task.identifiers import names_group

if TYPE_CHECKING:
    from autometa.explain import ModelExplanation
    from autometa.task import Task


def column_warnings(task: Task, explanation: ModelExplanation) -> list[str]:
    """A sentence for each thing that was found, the worst first.

    Example:
        >>> from autometa.explain import ModelExplanation
        >>> from autometa.task import make_task
        >>> x = np.arange(80) % 7 / 2
        >>> frame = pd.DataFrame({"a": x, "b": x, "y": np.arange(80) % 3})
        >>> column_warnings(make_task(frame, target="y"), ModelExplanation(()))
        ["Columns 'a' and 'b' are the same in every row: one of them is enough."]
    """
    X = task.X.iloc[: OPTIONS.facts_rows, : OPTIONS.warned_columns]
    return [*_leaking(task, explanation), *_duplicated(X), *_unique(X)]


def _leaking(task: Task, explanation: ModelExplanation) -> list[str]:
    """A column that carries nearly all that the model knows."""
    drops = [max(one.drop, 0.0) for one in explanation.importance if one.drop == one.drop]
    total = sum(drops)
    if len(drops) < 3 or len(drops) < explanation.columns or not total or drops[0] < OPTIONS.leaking_share * total:
        return []
    name, share = explanation.importance[0].column, drops[0] / total
    if explanation.importance[0].low <= 0:
        return []
    end = "is it known when an answer is needed, or does it come of the answer?"
    return [f"Column {name!r} carries {share:.0%} of the importance of all columns: {end} --drop {name} leaves it out."]


def _duplicated(X: pd.DataFrame) -> list[str]:
    """Columns that are the same in every row, or all but a constant times each other."""
    seen: dict[bytes, list[str]] = {}
    for name in X.columns:
        column = X[name]
        if pd.api.types.is_numeric_dtype(column.dtype):
            values = column.to_numpy(np.float64)
            if not len(values) or np.nanmin(values, initial=np.inf) == np.nanmax(values, initial=-np.inf):
                continue
            key = np.ascontiguousarray(values).tobytes()
        else:
            codes, texts = pd.factorize(column)
            if len(texts) < 2:
                continue
            key = np.ascontiguousarray(codes).tobytes() + repr(list(map(str, texts[:50]))).encode()
        seen.setdefault(key, []).append(str(name))
    found = []
    for names in seen.values():
        if len(names) > 1:
            listed = f"{', '.join(map(repr, names[:-1]))} and {names[-1]!r}"
            found.append(f"Columns {listed} are the same in every row: one of them is enough.")
    return found


def _unique(X: pd.DataFrame) -> list[str]:
    """Columns of words, or of numbers that are called an identifier, that no two rows share: they name the row."""
    found = []
    for name in X.columns if len(X) >= OPTIONS.unique_rows else ():
        column = X[name].dropna()
        if len(column) < OPTIONS.unique_rows or column.nunique() < len(column):
            continue
        numeric = pd.api.types.is_numeric_dtype(column.dtype)
        if numeric and not names_group(str(name)):  # many a measurement is different in every row
            continue
        spaced = not numeric and column.astype("str").str.contains(" ").mean() > 0.5
        if spaced:  # sentences are all different, and no names of rows
            continue
        end = "if it only names the row, --drop " + str(name) + " leaves it out."
        found.append(f"Column {str(name)!r} is different in every row: {end}")
    return found
