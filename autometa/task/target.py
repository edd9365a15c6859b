"""What is to be predicted: the target column, its kind, and its labels as codes or numbers.

A target tells its own kind (`infer_kind`) unless the caller or the metric does. What is wrong with it is added to the
caller's list of problems, what was decided to its notes, so that both reach the user together with everything else.

Letters:  n rows · c classes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.errors import Problem, did_you_mean
from autometa.task.schema import (
    MISSING,
    common_unit,
    holds_dates,
    labels,
    listed,
    number_style,
    numbers,
    spelled_numbers,
    without_unit,
)

Kind = Literal["binary", "multiclass", "regression"]

TARGET_NAMES = ("target", "class", "label", "y")
MIN_ROWS = 5  # the fewest rows that can be cross-validated
MIN_CLASS_ROWS = 2  # one to learn from, one to be judged by
MAX_CODES = 30  # whole numbers from 0 or 1 upwards are class codes up to this many classes,
ROWS_PER_CODE = 10  # if there are this many rows for each on average,
MAX_GAPS = 1.3  # and if few codes are left out: their span is at most this many times their number
EVEN = 0.8  # classes are about equally frequent when the rarest has this share of the most frequent one's rows
MOST_EITHER = 100  # whole numbers might as well be classes up to this many; it is said how to have them so
MOSTLY = 0.9  # a text target is meant as numbers when more than this share of its rows spells them
RARE_ROWS = 10  # a class with fewer rows deserves a note
IMBALANCE = 0.05  # a rarest class below this share of the rows deserves a note


@dataclass(frozen=True, slots=True)
class Target:
    """A target that can be learned."""

    y: NDArray[Any]  # (n,) int64 codes into classes | float64
    classes: tuple[Any, ...]  # (c,) original labels; () for regression
    kind: Kind


@dataclass(frozen=True, slots=True)
class Metric:
    """The metric asked for, if any, and the kinds it serves, if known."""

    name: str | None
    known: Mapping[str, Collection[str]] | None

    @property
    def serves(self) -> frozenset[str]:
        """The kinds it serves; empty when unknown."""
        return frozenset((self.known or {}).get(self.name or "", ()))

    def problems(self, kind: Kind | None = None) -> list[Problem]:
        """Why it cannot be used, at all or for this kind of task."""
        if self.name is None or self.known is None:
            return []
        if self.name not in self.known:
            fix = f"{did_you_mean(self.name, list(self.known))} Known metrics: {', '.join(sorted(self.known))}."
            return [Problem("metric", f"unknown metric {self.name!r}", fix.strip())]
        if kind is not None and kind not in self.serves:
            fit = ", ".join(sorted(name for name, kinds in self.known.items() if kind in kinds))
            what = f"{self.name!r} does not measure {kind} tasks, and this is one"
            return [Problem("metric", what, f"Metrics that do: {fit}.")]
        return []


def find_target(names: Collection[str], target: str | None) -> tuple[str, str | None]:
    """The target's name and why it is the one; None for why if there is no such column."""
    if target is not None:
        return str(target), "as asked" if str(target) in names else None
    folded = {name.strip().casefold(): name for name in reversed(list(names))}
    for wanted in TARGET_NAMES:
        if wanted in folded:
            return folded[wanted], "because of its name"
    *_, last = names
    return last, f"the last one, as none is called {', '.join(TARGET_NAMES[:-1])} or {TARGET_NAMES[-1]}"


def labelled(
    column: pd.Series, where: str, drop_missing: bool, problems: list[Problem], notes: list[str]
) -> tuple[pd.Series, NDArray[np.bool_]]:  # the labels there are, (n,) whether a row has one
    """The rows that have a label. From here on, every cell that is left is a label.

    Whole numbers that are floats only because some are missing become whole again. "None" is a label like any other in
    a target that holds text.
    """
    column = column.reset_index(drop=True)
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_complex_dtype(column.dtype):
        keep = np.isfinite(column.to_numpy(np.float64, na_value=np.nan))
    else:
        codes, texts = labels(column, MISSING - {"None"})
        keep = codes >= 0
        if "None" in texts:
            if number_style([text for text in texts if text != "None"]) is None:
                notes.append("The label 'None' is taken as a class.")
            else:
                keep &= codes != texts.index("None")
    missing = int((~keep).sum())
    if not missing:
        return column, keep
    if missing == len(keep):
        problems.append(Problem(where, "every label is missing", "Name another column as the target."))
    elif drop_missing:
        notes.append(f"Left out {missing} of {len(keep)} rows, whose label is missing.")
    else:
        fix = "Fill them in, or leave these rows out with --drop-missing-target (drop_missing_target=True)."
        what = "1 label is" if missing == 1 else f"{missing} labels are"
        problems.append(Problem(where, f"{what} missing (NaN) or infinite, of {len(keep)}", fix))
    column = column.loc[keep].reset_index(drop=True)
    if column.dtype == np.float64 and _are_whole(column.to_numpy()):
        column = column.astype(np.int64)
    return column, keep


def read_target(
    column: pd.Series,  # (n,) without missing labels
    where: str,
    kind: str | None,
    metric: Metric,
    problems: list[Problem],
    notes: list[str],
    keep_lone_classes: bool = False,
) -> Target | None:
    """The target as codes or numbers; None, with a problem, where that cannot be."""
    if kind not in (None, "binary", "multiclass", "classification", "regression"):
        problems.append(Problem("kind", f"unknown kind {kind!r}", "Known: binary, multiclass, regression."))
        return None
    if holds_dates(column.dtype):
        problems.append(Problem(where, "dates cannot be predicted", "Name another column as the target."))
        return None
    if len(column) < MIN_ROWS:
        rows = "1 row (1 sample)" if len(column) == 1 else f"{len(column)} rows"
        problems.append(Problem(where, f"only {rows} with a label", f"At least {MIN_ROWS} are needed."))
        return None
    why = "as asked"
    if kind is None and metric.serves == {"regression"}:
        kind, why = "regression", f"because {metric.name} measures numbers"
    elif kind is None and metric.serves and "regression" not in metric.serves:
        kind, why = "classification", f"because {metric.name} measures classes"
    elif kind is None:
        kind, why = infer_kind(column)
    before = len(problems)
    if kind == "regression":
        found = _read_numbers(column, where, why, problems, notes)
    else:
        found = _read_classes(column, where, why, problems, notes, keep_lone_classes)
    if kind == "binary" and len(found.classes) > 2:
        problems.append(Problem(where, f"{len(found.classes)} classes for a binary task: {listed(found.classes)}"))
    if len(problems) == before:
        problems += metric.problems(found.kind)
    return found


def infer_kind(column: pd.Series) -> tuple[Literal["classification", "regression"], str]:  # column: (n,)
    """What a target without missing labels asks for, and why.

    Text, categories and truth values are classes, unless the text spells numbers. Two distinct numbers are classes.
    More are classes if they look like codes: stored as whole numbers, from 0 or 1 upwards with few gaps, at least two
    rows for each and ten on average, and not more than `MAX_CODES` unless all are about equally frequent. All other
    numbers are to be predicted as numbers. This agrees with the catalogue on 362 of 367 real tables written to CSV;
    the other five are codes with many gaps or another start (-2 to 3, 101 to 115), and grades.

    Example:
        >>> infer_kind(pd.Series([1, 2, 3] * 20))[0], infer_kind(pd.Series([0.5, 1.5, 2.5] * 20))[0]
        ('classification', 'regression')
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        return "classification", "because it holds categories"
    if pd.api.types.is_bool_dtype(column.dtype):
        return "classification", "because it is true or false"
    if pd.api.types.is_numeric_dtype(column.dtype):
        values, whole = column.to_numpy(np.float64), pd.api.types.is_integer_dtype(column.dtype)
    else:
        values, odd = _spelled(column)
        if odd or common_unit(labels(column, ())[1]):
            distinct = np.unique(values[np.isfinite(values)])
            if np.isfinite(values).mean() > MOSTLY and (len(distinct) > MAX_CODES or not _are_whole(distinct)):
                return "regression", "because almost all of it are numbers"
            return "classification", "because it holds text"
        whole = all(text.lstrip("+-").isdigit() for text in labels(column, ())[1])
    distinct, counts = np.unique(values, return_counts=True)
    c = len(distinct)
    if c <= 2:
        return "classification", f"because it has {c} distinct values"
    if not _are_whole(distinct):
        return "regression", "because it holds fractional numbers"
    upwards = distinct[0] in (0, 1) and distinct[-1] - distinct[0] + 1 <= MAX_GAPS * c
    supported = counts.min() >= MIN_CLASS_ROWS and len(values) >= ROWS_PER_CODE * c
    few = c <= MAX_CODES or counts.min() >= EVEN * counts.max()
    if whole and upwards and supported and few:
        codes = f"the codes {distinct[0]:g} to {distinct[-1]:g}"
        return "classification", f"because it holds {codes} (the metric rmse would make them numbers)"
    either = whole and c <= MOST_EITHER and 2 * c <= len(values)
    otherwise = " (the metric log_loss would make them classes)" if either else ""
    return "regression", f"because it holds {c} distinct numbers{otherwise}"


def _read_numbers(column: pd.Series, where: str, why: str, problems: list[Problem], notes: list[str]) -> Target:
    values, odd = _spelled(column)
    if odd:
        cells = int((~np.isfinite(values)).sum())
        what = f"text among the numbers of a regression target: {listed(odd)} ({cells} cells)"
        problems.append(Problem(where, what, "Correct or remove these rows, or name another column as the target."))
    elif np.ptp(values) == 0:
        problems.append(Problem(where, f"constant: every value is {values[0]:g}", "There is nothing to learn."))
    notes.append(f"Task: regression, {why}.")
    return Target(values, (), "regression")


def _read_classes(
    column: pd.Series, where: str, why: str, problems: list[Problem], notes: list[str], keep_lone: bool
) -> Target:
    codes, classes = _coded(column)
    kind: Kind = "binary" if len(classes) == 2 else "multiclass"
    notes.append(f"Task: {kind} classification of {len(classes)} classes, {why}.")
    counts = np.bincount(codes, minlength=len(classes))
    alone = [label for label, count in zip(classes, counts, strict=True) if count < MIN_CLASS_ROWS]
    rare = [f"{label} ({count})" for label, count in zip(classes, counts, strict=True) if count < RARE_ROWS]
    if len(classes) == 1:
        what = f"constant: there is one class only, {str(classes[0])!r}"
        problems.append(Problem(where, what, "At least two are needed."))
    elif alone and not keep_lone:
        fix = "Merge each with another class, leave it out, or add rows."
        if len(classes) > len(codes) / ROWS_PER_CODE:
            fix += " If it is a number that is to be predicted, ask for a metric of regression."
        what = "1 class has" if len(alone) == 1 else f"{len(alone)} classes have"
        problems.append(Problem(where, f"{what} one row only: {listed(alone)}", fix))
    else:
        if rare:
            notes.append(f"Classes with fewer than {RARE_ROWS} rows: {listed(rare)}.")
        if counts.min() < IMBALANCE * len(codes):
            i = int(counts.argmin())
            share = counts[i] / len(codes)
            notes.append(f"Imbalanced: the rarest class, {str(classes[i])!r}, has {share:.2%} of the rows.")
    return Target(codes, classes, kind)


def _spelled(column: pd.Series) -> tuple[NDArray[np.float64], list[str]]:  # (n,)
    """The target as numbers, and the texts that are none."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        return numbers(column), []
    codes, texts = labels(column, ())
    unit = common_unit(texts)
    bare = [without_unit(text, unit) or text for text in texts]
    style = number_style([text for text in bare if number_style([text]) is not None]) or "point"
    values = spelled_numbers(bare, style)  # (distinct,)
    odd = [text for text, value in zip(texts, values, strict=True) if not np.isfinite(value)]
    return values[codes], odd


def _coded(column: pd.Series) -> tuple[NDArray[np.int64], tuple[Any, ...]]:  # (n,)
    """Codes into the sorted original labels: numbers stay numbers, truth values stay truth values."""
    values: NDArray[Any]
    if pd.api.types.is_bool_dtype(column.dtype):
        values = column.to_numpy(bool)
    elif pd.api.types.is_numeric_dtype(column.dtype):
        values = column.to_numpy(np.float64)
        values = values.astype(np.int64) if _are_whole(values) else values
    else:
        codes, texts = labels(column, ())
        values = np.array(texts, dtype=object)[codes]
    distinct, inverse = np.unique(values, return_inverse=True)
    return inverse.astype(np.int64), tuple(distinct.tolist())


def _are_whole(values: NDArray[np.float64]) -> bool:
    return bool((values == np.floor(values)).all() and (np.abs(values) < 2**53).all())
