"""Whether a target is classes or numbers, told by what it holds, and its numbers or classes.

The rule: text, categories and truth values are classes, unless the text spells numbers; so are codes with leading zeros
and whole numbers with more digits than a number keeps, and two distinct numbers. More numbers are classes if they look
like codes: whole, from 0 or 1 upwards with few gaps or around 0 without any, at least two rows for each and ten on
average, and not more than 30 unless all are about equally frequent (`TaskOptions`); stored as whole numbers, too, for
those that are stored as floats have proved to be counts and ratings. All other numbers are to be predicted as numbers.
This agrees with the catalogue on 363 of 367 real targets out of CSV files; the other four are codes with many gaps or
another start, and grades.

Law: a label is what somebody wrote, in type and letters: nothing is stripped, rounded or renamed.

Letters:  n rows · c classes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.task.cells import are_codes, common_unit, label, labels, numbers, spelling
from autometa.task.options import OPTIONS

MIN_CLASS_ROWS = 2  # one to learn from, one to be judged by

_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")


def infer_kind(column: pd.Series, decimal: str = ".") -> tuple[Literal["classification", "regression"], str]:
    """What a target (n,) without missing labels asks for, and why; the rule stands above.

    Example:
        >>> infer_kind(pd.Series([1, 2, 3] * 20))[0], infer_kind(pd.Series([0.5, 1.5, 2.5] * 20))[0]
        ('classification', 'regression')
        >>> infer_kind(pd.Series(["01", "02", "10"] * 20))
        ('classification', 'because its codes have leading zeros')
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        return "classification", "because it holds categories"
    if pd.api.types.is_bool_dtype(column.dtype):
        return "classification", "because it is true or false"
    if pd.api.types.is_numeric_dtype(column.dtype):
        values, whole = column.to_numpy(np.float64), pd.api.types.is_integer_dtype(column.dtype)
        texts = [str(value) for value in column.unique().tolist()] if whole else []
    else:
        texts = labels(column, ())[1]
        if are_codes(texts):
            return "classification", "because it holds codes"
        values, odd = target_numbers(column, decimal)
        if odd or common_unit(texts):
            distinct = np.unique(values[np.isfinite(values)])
            if np.isfinite(values).mean() > OPTIONS.target_number_share and (
                len(distinct) > OPTIONS.code_classes or not _are_whole(distinct)
            ):
                return "regression", "because almost all of it are numbers"
            return "classification", "because it holds text"
        whole = all(text.lstrip("+-").isdigit() for text in texts)
    if whole and any(len(text) > 1 and text[0] == "0" for text in texts):
        return "classification", "because its codes have leading zeros"
    distinct, counts = np.unique(values, return_counts=True)
    if whole and np.abs(distinct).max() >= 2**53 and 2 * len(texts) <= len(values):
        return "classification", "because its whole numbers have more digits than a number keeps"
    return _kind_of_numbers(distinct, counts, whole)


def _kind_of_numbers(
    distinct: NDArray[np.float64], counts: NDArray[np.int64], whole: bool
) -> tuple[Literal["classification", "regression"], str]:  # (c,), (c,)
    """Whether distinct numbers are codes; `whole` if they are stored as whole numbers."""
    c, n = len(distinct), int(counts.sum())
    if c <= 2:
        return "classification", f"because it has {c} distinct values"
    if not _are_whole(distinct):
        return "regression", "because it holds fractional numbers"
    span = distinct[-1] - distinct[0] + 1
    upwards = distinct[0] in (0, 1) and span <= OPTIONS.code_gaps * c
    around = distinct[0] < 0 <= distinct[-1] and span == c <= OPTIONS.signed_classes
    supported = counts.min() >= MIN_CLASS_ROWS and n >= OPTIONS.code_rows * c
    few = c <= OPTIONS.code_classes or counts.min() >= OPTIONS.code_balance * counts.max()
    if whole and (upwards or around) and supported and few:
        codes = f"the codes {distinct[0]:g} to {distinct[-1]:g}"
        return "classification", f"because it holds {codes} (the metric rmse would make them numbers)"
    either = c <= OPTIONS.either_classes and 2 * c <= n
    otherwise = " (the metric log_loss would make them classes)" if either else ""
    return "regression", f"because it holds {c} distinct numbers{otherwise}"


def target_numbers(column: pd.Series, decimal: str = ".") -> tuple[NDArray[np.float64], list[str]]:  # (n,)
    """The target as numbers, and the texts that are none.

    Example:
        >>> target_numbers(pd.Series(["$1,200", "$5.5", "much"]))
        (array([1200. ,    5.5,    nan]), ['much'])
    """
    if pd.api.types.is_numeric_dtype(column.dtype):
        return numbers(column), []
    codes, texts = labels(column, ())
    found = spelling(texts, decimal)
    assert found is not None
    odd = [text for text, value in zip(texts, found.values, strict=True) if not np.isfinite(value)]
    return found.values[codes], odd


def as_stored(written: pd.Series) -> pd.Series:  # (n,) -> (n,)
    """Labels out of a text file as numbers or truth values where these would be written so; else as they are.

    Example:
        >>> [
        ...     as_stored(pd.Series(cells)).tolist()
        ...     for cells in (["1", "-2"], ["01", "2"], ["1.5", "2.0"], ["True", "1"])
        ... ]
        [[1, -2], ['01', '2'], [1.5, 2.0], ['True', '1']]
    """
    codes, found = pd.factorize(written)  # of the distinct texts alone: there are few
    distinct = found.tolist()
    if not all(isinstance(text, str) for text in distinct):
        return written
    bare = [text.strip() for text in distinct]
    stored: Any = None
    if all(_WHOLE.fullmatch(text) and text != "-0" for text in bare):
        stored = int
    elif set(bare) <= {"True", "False"}:
        stored = {"True": True, "False": False}.__getitem__
    elif spelling(bare, most_odd=0) is not None and all(_is_float(text) for text in bare):
        stored = float
    if stored is None or not distinct:
        return written
    values = [stored(text) for text in bare]
    column = pd.Series(np.array([*values, None], dtype=object)[codes], written.index, name=written.name)
    if stored is int and column.isna().any():  # whole numbers beside nothing would become floats
        return column
    return column.infer_objects() if max(map(abs, values)) < 2**63 else column


def _is_float(text: str) -> bool:
    """Whether a text is what Python writes for the number it spells."""
    return repr(float(text)) == text if re.fullmatch(r"-?[0-9]+\.[0-9]+", text) else False


def coded(column: pd.Series) -> tuple[NDArray[np.int64], tuple[Any, ...]]:  # (n,)
    """Codes into the sorted distinct labels, which stay as they are: numbers, truth values, texts with their blanks.

    Labels of several types are sorted by their types, then by themselves; what cannot be hashed is taken as it prints.

    Example:
        >>> coded(pd.Series(["b ", 10, "a", 9, 10], dtype=object))
        (array([3, 1, 2, 0, 1]), (9, 10, 'a', 'b '))
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, found = column.cat.codes.to_numpy().astype(np.intp), column.cat.categories.tolist()
    else:
        try:
            codes, values = pd.factorize(_apart(column))
        except TypeError:  # unhashable labels, such as lists
            codes, values = pd.factorize(column.map(label))
        found = [value.label if isinstance(value, _Typed) else value for value in values.tolist()]
    present = np.unique(codes)
    order = _sorted([found[i] for i in present])
    place = np.empty(len(found), dtype=np.int64)
    place[present[order]] = np.arange(len(present))
    return place[codes], tuple(found[present[i]] for i in order)


@dataclass(frozen=True, slots=True)
class _Typed:
    """A label that is another than its equal of another type: True than 1, and 1 than 1.0."""

    kind: type
    label: Any


def _apart(column: pd.Series) -> pd.Series:  # (n,) -> (n,)
    """Labels of several types of numbers, each with its type."""
    kinds = {type(one) for one in column.tolist()} if column.dtype == object else set[type]()
    if len(kinds & {bool, int, float}) < 2:
        return column
    return pd.Series([_Typed(type(one), one) for one in column.tolist()], dtype=object)


def _sorted(values: list[Any]) -> list[int]:
    """The order of values: their own if they have one, else that of their types, then of their texts."""
    places = range(len(values))
    try:
        return sorted(places, key=lambda i: (isinstance(values[i], str), values[i]))
    except TypeError:
        return sorted(places, key=lambda i: (type(values[i]).__name__, str(values[i])))


def label_array(classes: Iterable[Any]) -> NDArray[Any]:  # (c,)
    """Labels as an array that keeps each in its type: of Python objects where there are several, or no other will do.

    See Also:
        `autometa.make_task`.

    Example:
        >>> [label_array(labels).dtype.kind for labels in ((1, 2), ("a", "b "), (1, "a"), (2**70, 1))]
        ['i', 'U', 'O', 'O']
    """
    classes = list(classes)
    kinds = {type(one) for one in classes}
    if len(kinds) == 1 and kinds <= {bool, int, float, str} and not any(str(one).endswith("\0") for one in classes):
        array = np.asarray(classes)
        if array.dtype.kind in "biUf" and (array.dtype.kind == "f") == (kinds == {float}):
            return array
    array = np.empty(len(classes), dtype=object)
    array[:] = classes
    return array


def _are_whole(values: NDArray[np.float64]) -> bool:
    """Whether all are whole numbers that float64 tells apart."""
    return bool((values == np.floor(values)).all() and (np.abs(values) < 2**53).all())
