"""What is to be predicted: the target column, its kind, and its labels as codes or numbers.

A target tells its own kind (`autometa.task.kinds`) unless the caller or the metric does. What is wrong with it, and
what was decided, is added to the caller's findings, so that both reach the user together with everything else.

Letters:  n rows · c classes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.errors import InputError, did_you_mean
from autometa.task.cells import MISSING_TEXTS, common_unit, label, labels, spelling
from autometa.task.columns import missing_numbers
from autometa.task.findings import InputFindings
from autometa.task.kinds import MIN_CLASS_ROWS, coded, infer_kind, target_numbers
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
OF_POSITIVE = frozenset(  # metrics that judge one of two classes, the positive one
    ("f1", "precision", "recall", "average_precision", "jaccard", "ap", "pr_auc", "positive_likelihood_ratio")
)
MIN_ROWS = 5  # the fewest rows that can be cross-validated


@dataclass(frozen=True, slots=True)
class Target:
    """A target that can be learned."""

    y: NDArray[Any]  # (n,) int64 codes into classes | float64
    classes: tuple[Any, ...]  # (c,) original labels; () for regression
    kind: Kind
    positive: int = 1  # the code of the positive class, of two


@dataclass(frozen=True, slots=True)
class TargetRequest:
    """What the caller asks of the target; None leaves it to the target."""

    kind: str | None = None  # one of KINDS_TO_ASK_FOR
    metric: str | None = None  # a scorer name
    known_metrics: Mapping[str, Collection[str]] | None = None  # every one -> the kinds it serves; None: not checked
    drop_missing: bool = False  # leave rows without a label out, rather than refuse them
    keep_lone_classes: bool = False  # accept classes with one row
    na: frozenset[str] | None = None  # the words for missing; None for the usual ones
    decimal: str = "."  # the decimal sign of the file
    positive: Any = None  # the label of the positive class; None for the rarer one

    @property
    def serves(self) -> frozenset[str]:
        """The kinds that the metric serves; empty when unknown, and where none is asked for."""
        return frozenset() if self.metric is None else frozenset((self.known_metrics or {}).get(self.metric, ()))

    @property
    def asks_for_classes(self) -> bool:
        """Whether it is said that the target holds classes, whatever it looks like."""
        return (_wanted_kind(self) or ("",))[0] in ("binary", "multiclass", "classification")

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
    column: pd.Series,  # (n,)
    request: TargetRequest,
    findings: InputFindings,
    bare: Callable[[], pd.Series | None] = lambda: None,
) -> tuple[pd.Series, NDArray[np.bool_]]:  # the labels there are, (n,) whether a row has one
    """The rows that have a label. From here on, every cell that is left is a label.

    Nothing is, None and NaN are missing; a word for missing is only among numbers, or where it is said to be one. Whole
    numbers that are floats only because some are missing become whole again.

    Args:
        column: (n,) the target.
        request: What is asked of it.
        findings: Of the target.
        bare: Gives the cells as they are in the file, (n,), for the message.
    """
    column = column.reset_index(drop=True)
    if pd.api.types.is_numeric_dtype(column.dtype) and not pd.api.types.is_complex_dtype(column.dtype):
        keep = np.isfinite(column.to_numpy(np.float64, na_value=np.nan))
        keep &= ~np.isin(column.to_numpy(np.float64, na_value=np.nan), missing_numbers(request.na or ()))
    else:
        codes, texts = labels(column, {""})
        words = [text for text in texts if text in (MISSING_TEXTS if request.na is None else request.na)]
        others = [text for text in texts if text not in words]
        are_labels = request.na is None and spelling(others, most_odd=0) is None
        if words and are_labels:
            findings.note(f"{listed(words)} taken as a class; --na (na=...) says what is missing.")
        keep = codes >= 0
        if not are_labels:
            keep &= ~np.isin(codes, [texts.index(word) for word in words])
    missing = int((~keep).sum())
    if not missing:
        return column, keep
    if missing == len(keep):
        findings.refuse("every label is missing", "Name another column as the target.")
    elif request.drop_missing:
        findings.note(f"Left out {missing} of {len(keep)} rows, whose label is missing.")
    else:
        fix = "Fill them in, or leave these rows out with --drop-missing-target (drop_missing_target=True)."
        cells = bare()
        written = (
            [] if cells is None else [text for text in cells[~keep].unique() if isinstance(text, str) and text.strip()]
        )
        if written:
            fix += f" If {listed(written)} is a label, put quotes around it, or say --na '' (na=())."
        what = "1 label is" if missing == 1 else f"{missing} labels are"
        findings.refuse(f"{what} missing (NaN) or infinite, of {len(keep)}", fix)
    column = column.loc[keep].reset_index(drop=True)
    whole = column.dtype == np.float64 and (column == np.floor(column)).all() and (column.abs() < 2**53).all()
    return (column.astype(np.int64) if whole else column.infer_objects()), keep


def read_target(column: pd.Series, request: TargetRequest, findings: InputFindings) -> Target | None:
    """The target, (n,) without missing labels, as codes or numbers; None, with a problem, where that cannot be."""
    if request.kind not in (None, *KINDS_TO_ASK_FOR):
        what = f"unknown kind {request.kind!r}"
        findings.at("kind").refuse(what, "Known: binary, multiclass, regression.")
        return None
    if holds_dates(column.dtype) and not request.asks_for_classes:
        fix = "Name another column as the target, or ask for classes: --kind classification (kind=...)."
        findings.refuse("dates cannot be predicted", fix)
        return None
    if len(column) < MIN_ROWS:
        rows = "1 row (1 sample)" if len(column) == 1 else f"{len(column)} rows"
        findings.refuse(f"only {rows} with a label", f"At least {MIN_ROWS} are needed.")
        return None
    kind, why = _wanted_kind(request) or infer_kind(column, request.decimal)
    before = len(findings.problems)
    if kind == "regression":
        found = _read_numbers(column, why, request.decimal, findings)
    else:
        found = _read_classes(column, why, request.keep_lone_classes, findings)
    if kind == "binary" and len(found.classes) > 2:
        findings.refuse(f"{len(found.classes)} classes for a binary task: {listed(found.classes)}")
    if len(found.classes) == 2 or request.positive is not None:
        found = _with_positive(found, request, findings)
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


def _read_numbers(column: pd.Series, why: str, decimal: str, findings: InputFindings) -> Target:  # column: (n,)
    """A target of numbers; text among them, or one value only, is a problem."""
    values, odd = target_numbers(column, decimal)
    if odd:
        cells = int((~np.isfinite(values)).sum())
        what = f"text among the numbers of a regression target: {listed(odd)} ({cells} cells)"
        findings.refuse(what, "Correct or remove these rows, or name another column as the target.")
    elif np.ptp(values) == 0:
        findings.refuse(f"constant: every value is {values[0]:g}", "There is nothing to learn.")
    findings.note(f"Task: regression, {why}.")
    unit = "" if pd.api.types.is_numeric_dtype(column.dtype) else common_unit(labels(column, ())[1])
    if unit:
        findings.note(f"The target has the unit {unit!r}, which is left out.")
    return Target(values, (), "regression")


def _read_classes(column: pd.Series, why: str, keep_lone: bool, findings: InputFindings) -> Target:  # column: (n,)
    """A target of classes; one class only is a problem, and so is, unless `keep_lone`, a class of one row."""
    codes, classes = coded(column)
    bare = [label(one) for one in classes]
    if len(set(bare)) < len(bare):
        alike = sorted({one for one in bare if bare.count(one) > 1})
        findings.note(f"Classes that differ only in blanks, or in being text or a number: {listed(alike)}.")
    kind: Kind = "binary" if len(classes) == 2 else "multiclass"
    findings.note(f"Task: {kind} classification of {len(classes)} classes, {why}.")
    counts = np.bincount(codes, minlength=len(classes))
    alone = [one for one, count in zip(classes, counts, strict=True) if count < MIN_CLASS_ROWS]
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


def _with_positive(found: Target, request: TargetRequest, findings: InputFindings) -> Target:
    """Which of two classes is the positive one: that which was asked for, else the rarer, or 1 of 0 and 1."""
    of_positive = findings.at("positive")
    if len(found.classes) != 2:
        what = f"{found.kind} tasks have no positive class, and this is one"
        of_positive.refuse(what, "Leave --positive (positive=...) out.")
        return found
    if request.positive is not None:
        asked = request.positive
        same = [k for k, one in enumerate(found.classes) if type(one) is type(asked) and one == asked]
        alike = same or [k for k, one in enumerate(found.classes) if label(one) == label(asked)]
        if len(alike) != 1:
            of_positive.refuse(f"{asked!r} is none of the classes", f"Choose {_either(found.classes)}.")
            return found
        findings.note(f"Positive class: {str(found.classes[alike[0]])!r}, as asked.")
        return replace(found, positive=alike[0])
    counts = np.bincount(found.y, minlength=2)
    conventional = [label(one) for one in found.classes] in (["0", "1"], ["-1", "1"], ["False", "True"])
    positive = 1 if conventional or counts[1] <= counts[0] else 0
    if request.metric in OF_POSITIVE:
        why = "" if conventional else ", the rarer one"
        name = str(found.classes[positive])
        said = f"{request.metric} is that of the positive class, which is {name!r}{why}"
        findings.note(f"{said}; --positive LABEL (positive=...) names another.")
    return replace(found, positive=positive)


def later_target(
    column: pd.Series, classes: tuple[Any, ...], *, target: str, decimal: str = ".", drop_missing: bool = False
) -> tuple[NDArray[Any], NDArray[np.bool_]]:  # (n,) -> (m,), (n,)
    """The target of a later table as codes into the classes of training, or as numbers; and which rows have one.

    Args:
        column: (n,) the target of the later table.
        classes: Of the training table; () for numbers.
        target: Its name, for messages.
        decimal: The decimal sign of the file.
        drop_missing: Leave out rows without a label rather than refuse them.

    Raises:
        InputError: Labels are missing, or are none of the classes, or no numbers; all are named.

    See Also:
        `autometa.make_task`.

    Example:
        >>> later_target(pd.Series(["b", None, "a"]), ("a", "b"), target="y", drop_missing=True)
        (array([1, 0]), array([ True, False,  True]))
    """
    column, findings = column.reset_index(drop=True), InputFindings(f"target {target!r}", [], [])
    if classes:
        same = {(type(one), one): k for k, one in enumerate(classes)}
        alike = {label(one): k for k, one in enumerate(classes)}
        codes, found = pd.factorize(column.astype(object))
        known = np.array([*(same.get((type(one), one), alike.get(label(one), -2)) for one in found), -1])
        y = known[codes]
        there = y != -1
        if strange := [str(one) for one, k in zip(found, known, strict=False) if k == -2 and str(one).strip()]:
            cells = int((y == -2).sum())
            what = f"{cells} rows have a class that the model does not know: {listed(strange)}"
            findings.refuse(what, f"Known: {listed(classes)}. Leave these rows out.")
        there &= y != -2
    else:
        y, odd = target_numbers(column, decimal)
        odd = [text for text in odd if text and text not in MISSING_TEXTS]
        if odd:
            findings.refuse(f"text among numbers: {listed(odd)}", "Correct these rows, or leave them out.")
        there = np.isfinite(y)
    if not findings.problems and not there.all() and not drop_missing:
        what = f"{int((~there).sum())} of {len(there)} labels are missing"
        findings.refuse(
            what, "Fill them in, or leave these rows out with --drop-missing-target (drop_missing_target=True)."
        )
    if not findings.problems and not there.any():
        findings.refuse("no row has a label", "A table to be judged on needs them.")
    if findings.problems:
        raise InputError(findings.problems)
    return y[there], there


def _either(classes: tuple[Any, ...]) -> str:
    return " or ".join(repr(str(one)) for one in classes)


def _note_rare_classes(
    classes: tuple[Any, ...], counts: NDArray[np.int64], findings: InputFindings
) -> None:  # (c,), (c,)
    """Says which classes have few rows, and how small the rarest is."""
    fewest = OPTIONS.rare_class_rows
    rare = [f"{one} ({count})" for one, count in zip(classes, counts, strict=True) if count < fewest]
    if rare:
        findings.note(f"Classes with fewer than {fewest} rows: {listed(rare)}.")
    if counts.min() < OPTIONS.rare_class_share * counts.sum():
        i = int(counts.argmin())
        share = counts[i] / counts.sum()
        findings.note(f"Imbalanced: the rarest class, {str(classes[i])!r}, has {share:.2%} of the rows.")
