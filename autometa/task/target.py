"""What is to be predicted: the target column, its kind, and its labels as codes or numbers.

A target tells its own kind (`infer_kind`) unless the caller or the metric does. What is wrong with it, and what was
decided, is added to the caller's findings, so that both reach the user together with everything else.

Letters:  n rows · c classes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.errors import did_you_mean
from autometa.task.cells import (
    MISSING_TEXTS,
    common_unit,
    labels,
    number_style,
    numbers,
    spelled_numbers,
    without_unit,
)
from autometa.task.findings import InputFindings
from autometa.task.moments import holds_dates
from autometa.task.names import listed
from autometa.task.options import OPTIONS

Kind = Literal["binary", "multiclass", "regression"]

KINDS_TO_ASK_FOR = ("binary", "multiclass", "classification", "regression")
TARGET_NAMES = ("target", "class", "label", "y")
DEFAULT_METRICS: Mapping[Kind, str] = {  # the convention of the AutoML Benchmark (Gijsbers et al., 2024)
    "binary": "roc_auc",
    "multiclass": "neg_log_loss",
    "regression": "neg_root_mean_squared_error",
}
MIN_ROWS = 5  # the fewest rows that can be cross-validated
MIN_CLASS_ROWS = 2  # one to learn from, one to be judged by


@dataclass(frozen=True, slots=True)
class Target:
    """A target that can be learned."""

    y: NDArray[Any]  # (n,) int64 codes into classes | float64
    classes: tuple[Any, ...]  # (c,) original labels; () for regression
    kind: Kind


@dataclass(frozen=True, slots=True)
class TargetRequest:
    """What the caller asks of the target; None leaves it to the target."""

    kind: str | None = None  # one of KINDS_TO_ASK_FOR
    metric: str | None = None  # a scorer name
    known_metrics: Mapping[str, Collection[str]] | None = None  # every one -> the kinds it serves; None: not checked
    drop_missing: bool = False  # leave rows without a label out, rather than refuse them
    keep_lone_classes: bool = False  # accept classes with one row

    @property
    def serves(self) -> frozenset[str]:
        """The kinds that the metric serves; empty when unknown."""
        return frozenset((self.known_metrics or {}).get(self.metric or "", ()))

    def check_metric(self, findings: InputFindings, kind: Kind | None = None) -> None:
        """Refuses a metric that cannot be used, at all or for this kind of task."""
        metric, known = self.metric, self.known_metrics
        if metric is None or known is None:
            return
        if metric not in known:
            fix = f"{did_you_mean(metric, list(known))} Known metrics: {', '.join(sorted(known))}."
            findings.at("metric").refuse(f"unknown metric {metric!r}", fix.strip())
        elif kind is not None and kind not in self.serves:
            fit = ", ".join(sorted(name for name, kinds in known.items() if kind in kinds))
            what = f"{metric!r} does not measure {kind} tasks, and this is one"
            findings.at("metric").refuse(what, f"Metrics that do: {fit}.")


def find_target(names: Collection[str], target: str | None) -> tuple[str, str | None]:
    """The target's name and why it is the one; None for why if there is no such column.

    Example:
        >>> find_target(["Label", "age"], None), find_target(["age"], "class")
        (('Label', 'because of its name'), ('class', None))
    """
    if target is not None:
        return str(target), "as asked" if str(target) in names else None
    folded = {name.strip().casefold(): name for name in reversed(list(names))}
    for wanted in TARGET_NAMES:
        if wanted in folded:
            return folded[wanted], "because of its name"
    *_, last = names
    return last, f"the last one, as none is called {', '.join(TARGET_NAMES[:-1])} or {TARGET_NAMES[-1]}"


def labelled(
    column: pd.Series, request: TargetRequest, findings: InputFindings
) -> tuple[pd.Series, NDArray[np.bool_]]:  # the labels there are, (n,) whether a row has one
    """The rows that have a label. From here on, every cell that is left is a label.

    Whole numbers that are floats only because some are missing become whole again. "None" is a label like any other in
    a target that holds text.
    """
    column = column.reset_index(drop=True)
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_complex_dtype(column.dtype):
        keep = np.isfinite(column.to_numpy(np.float64, na_value=np.nan))
    else:
        codes, texts = labels(column, MISSING_TEXTS - {"None"})
        keep = codes >= 0
        if "None" in texts:
            if number_style([text for text in texts if text != "None"]) is None:
                findings.note("The label 'None' is taken as a class.")
            else:
                keep &= codes != texts.index("None")
    missing = int((~keep).sum())
    if not missing:
        return column, keep
    if missing == len(keep):
        findings.refuse("every label is missing", "Name another column as the target.")
    elif request.drop_missing:
        findings.note(f"Left out {missing} of {len(keep)} rows, whose label is missing.")
    else:
        fix = "Fill them in, or leave these rows out with --drop-missing-target (drop_missing_target=True)."
        what = "1 label is" if missing == 1 else f"{missing} labels are"
        findings.refuse(f"{what} missing (NaN) or infinite, of {len(keep)}", fix)
    column = column.loc[keep].reset_index(drop=True)
    if column.dtype == np.float64 and _are_whole(column.to_numpy()):
        column = column.astype(np.int64)
    return column, keep


def read_target(column: pd.Series, request: TargetRequest, findings: InputFindings) -> Target | None:
    """The target, (n,) without missing labels, as codes or numbers; None, with a problem, where that cannot be."""
    if request.kind not in (None, *KINDS_TO_ASK_FOR):
        what = f"unknown kind {request.kind!r}"
        findings.at("kind").refuse(what, "Known: binary, multiclass, regression.")
        return None
    if holds_dates(column.dtype):
        findings.refuse("dates cannot be predicted", "Name another column as the target.")
        return None
    if len(column) < MIN_ROWS:
        rows = "1 row (1 sample)" if len(column) == 1 else f"{len(column)} rows"
        findings.refuse(f"only {rows} with a label", f"At least {MIN_ROWS} are needed.")
        return None
    kind, why = _wanted_kind(request) or infer_kind(column)
    before = len(findings.problems)
    if kind == "regression":
        found = _read_numbers(column, why, findings)
    else:
        found = _read_classes(column, why, request.keep_lone_classes, findings)
    if kind == "binary" and len(found.classes) > 2:
        findings.refuse(f"{len(found.classes)} classes for a binary task: {listed(found.classes)}")
    if len(findings.problems) == before:
        request.check_metric(findings, found.kind)
    return found


def _wanted_kind(request: TargetRequest) -> tuple[str, str] | None:
    """The kind that the caller asks for, or that the metric measures, and why; None where the target is to tell."""
    if request.kind is not None:
        return request.kind, "as asked"
    if request.serves == {"regression"}:
        return "regression", f"because {request.metric} measures numbers"
    if request.serves and "regression" not in request.serves:
        return "classification", f"because {request.metric} measures classes"
    return None


def infer_kind(column: pd.Series) -> tuple[Literal["classification", "regression"], str]:  # column: (n,)
    """What a target without missing labels asks for, and why.

    Text, categories and truth values are classes, unless the text spells numbers. Two distinct numbers are classes.
    More are classes if they look like codes: stored as whole numbers, from 0 or 1 upwards with few gaps, at least two
    rows for each and ten on average, and not more than 30 unless all are about equally frequent (`TaskOptions`). All
    other numbers are to be predicted as numbers. This agrees with the catalogue on 362 of 367 real targets out of CSV
    files; the other five are codes with many gaps or another start (-2 to 3, 101 to 115), and grades.

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
        values, odd = _as_numbers(column)
        if odd or common_unit(labels(column, ())[1]):
            distinct = np.unique(values[np.isfinite(values)])
            if np.isfinite(values).mean() > OPTIONS.target_number_share and (
                len(distinct) > OPTIONS.code_classes or not _are_whole(distinct)
            ):
                return "regression", "because almost all of it are numbers"
            return "classification", "because it holds text"
        whole = all(text.lstrip("+-").isdigit() for text in labels(column, ())[1])
    distinct, counts = np.unique(values, return_counts=True)
    c = len(distinct)
    if c <= 2:
        return "classification", f"because it has {c} distinct values"
    if not _are_whole(distinct):
        return "regression", "because it holds fractional numbers"
    upwards = distinct[0] in (0, 1) and distinct[-1] - distinct[0] + 1 <= OPTIONS.code_gaps * c
    supported = counts.min() >= MIN_CLASS_ROWS and len(values) >= OPTIONS.code_rows * c
    few = c <= OPTIONS.code_classes or counts.min() >= OPTIONS.code_balance * counts.max()
    if whole and upwards and supported and few:
        codes = f"the codes {distinct[0]:g} to {distinct[-1]:g}"
        return "classification", f"because it holds {codes} (the metric rmse would make them numbers)"
    either = whole and c <= OPTIONS.either_classes and 2 * c <= len(values)
    otherwise = " (the metric log_loss would make them classes)" if either else ""
    return "regression", f"because it holds {c} distinct numbers{otherwise}"


def _read_numbers(column: pd.Series, why: str, findings: InputFindings) -> Target:  # column: (n,)
    """A target of numbers; text among them, or one value only, is a problem."""
    values, odd = _as_numbers(column)
    if odd:
        cells = int((~np.isfinite(values)).sum())
        what = f"text among the numbers of a regression target: {listed(odd)} ({cells} cells)"
        findings.refuse(what, "Correct or remove these rows, or name another column as the target.")
    elif np.ptp(values) == 0:
        findings.refuse(f"constant: every value is {values[0]:g}", "There is nothing to learn.")
    findings.note(f"Task: regression, {why}.")
    return Target(values, (), "regression")


def _read_classes(column: pd.Series, why: str, keep_lone: bool, findings: InputFindings) -> Target:  # column: (n,)
    """A target of classes; one class only is a problem, and so is, unless `keep_lone`, a class of one row."""
    codes, classes = _coded(column)
    kind: Kind = "binary" if len(classes) == 2 else "multiclass"
    findings.note(f"Task: {kind} classification of {len(classes)} classes, {why}.")
    counts = np.bincount(codes, minlength=len(classes))
    alone = [label for label, count in zip(classes, counts, strict=True) if count < MIN_CLASS_ROWS]
    if len(classes) == 1:
        findings.refuse(f"constant: there is one class only, {str(classes[0])!r}", "At least two are needed.")
    elif alone and not keep_lone:
        fix = "Merge each with another class, leave it out, or add rows."
        if len(classes) > len(codes) / OPTIONS.code_rows:
            fix += " If it is a number that is to be predicted, ask for a metric of regression."
        what = "1 class has" if len(alone) == 1 else f"{len(alone)} classes have"
        findings.refuse(f"{what} one row only: {listed(alone)}", fix)
    else:
        _note_rare_classes(classes, counts, findings)
    return Target(codes, classes, kind)


def _note_rare_classes(
    classes: tuple[Any, ...], counts: NDArray[np.int64], findings: InputFindings
) -> None:  # (c,), (c,)
    """Says which classes have few rows, and how small the rarest is."""
    fewest = OPTIONS.rare_class_rows
    rare = [f"{label} ({count})" for label, count in zip(classes, counts, strict=True) if count < fewest]
    if rare:
        findings.note(f"Classes with fewer than {fewest} rows: {listed(rare)}.")
    if counts.min() < OPTIONS.rare_class_share * counts.sum():
        i = int(counts.argmin())
        share = counts[i] / counts.sum()
        findings.note(f"Imbalanced: the rarest class, {str(classes[i])!r}, has {share:.2%} of the rows.")


def _as_numbers(column: pd.Series) -> tuple[NDArray[np.float64], list[str]]:  # (n,)
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
    """Whether all are whole numbers that float64 tells apart."""
    return bool((values == np.floor(values)).all() and (np.abs(values) < 2**53).all())
