"""A validation table: rows that judge every model of a task, and that none of them learns from.

It is read as a later table is, by the schema and the classes of the training table, and its rows stand behind those of
the training table in the task. So whatever is made from held-out rows (scores, ensemble, threshold, calibration,
intervals, explanations) is made from these.

Law: every problem of the table is told at once, each under its name.

Letters:  n rows · v rows of the validation table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from autometa.errors import InputError, Problem, did_you_mean
from autometa.task.counting import read_weights
from autometa.task.findings import InputFindings
from autometa.task.in_memory import as_column, as_table
from autometa.task.names import named
from autometa.task.target import later_target
from autometa.task.task import Task


def with_validation(
    task: Task,
    frame: Any,
    *,
    y: Any = None,
    weight: str | None = None,
    sample_weight: ArrayLike | None = None,
    drop_missing_target: bool = False,
    name: str = "validation",
    source: str = "autometa:validation",
) -> Task:
    """A task whose models are judged on the rows of another table, and learn from none of them.

    Args:
        task: Of the training table, made with ``apart=True``.
        frame: (v, any) a raw table with the columns of the training table, in any order and among others; an array has
            them in order.
        y: (v,) its labels or numbers; None where the column of the target is in `frame`.
        weight: The column that says how much each row counts, where the training rows have weights.
        sample_weight: (v,) the same, given on its own; without either each row counts the same.
        drop_missing_target: Leave out rows without a label rather than refuse them.
        name: What messages call the table.
        source: Where it came from, for whoever does it again.

    Raises:
        InputError: With everything that is wrong with the table.

    See Also:
        `autometa.make_task`; `autometa.evaluation.plan_splits`, which judges by these rows.

    Example:
        >>> from autometa.task import make_task
        >>> train = pd.DataFrame({"x": [0.5, 1.5, 2.5, 3.5, 4.5, 5.5], "class": list("abbaab")})
        >>> task = with_validation(make_task(train), pd.DataFrame({"x": [0.7, 2.2], "class": ["a", "b"]}))
        >>> task.n_learned, task.validation, task.held_out.y.tolist()
        (6, 2, [0, 1])
    """
    problems: list[Problem] = []

    def taken(error: InputError) -> None:
        for one in error.problems:
            fix = "Is it the right column?" if "--allow-missing" in one.fix else one.fix  # which is for answers alone
            problems.append(Problem(f"{name}: {one.where}".removesuffix(": "), one.what, fix))

    frame = as_table(frame)
    frame = named(frame) if isinstance(frame, pd.DataFrame) else frame
    if not len(frame):
        raise InputError(Problem(name, "no rows", "Rows with labels are needed."))
    column = _column(frame, y, task.target, name, problems)
    counts = _column(frame, sample_weight, weight, name, problems) if (weight or sample_weight is not None) else None
    if counts is not None and task.weights is None:
        problems.append(Problem(name, "its rows have weights, and those of the training table have none"))
    found: NDArray[Any] | None = None
    there = np.ones(len(frame), dtype=bool)
    if column is not None:
        decimal = task.schema.reading["decimal"]
        try:
            found, there = later_target(
                column, task.classes, target=task.target, decimal=decimal, drop_missing=drop_missing_target
            )
        except InputError as error:
            taken(error)
    findings = InputFindings(name)
    weights = None if counts is None else read_weights(counts.loc[there], weight or "sample_weight", findings)
    taken(InputError(findings.problems)) if findings.problems else None
    try:
        X, later = task.schema.apply_later(frame)
    except InputError as error:
        taken(error)
    if problems:
        raise InputError(problems)
    assert found is not None
    X = X.loc[there].reset_index(drop=True)
    left_out = [] if there.all() else [f"left out {int((~there).sum())} of {len(there)} rows, whose label is missing."]
    if task.weights is not None and weights is None:
        weights = np.ones(len(found))
    return replace(
        task,
        X=_stacked(task.X, X),
        y=np.concatenate([np.asarray(task.y), found]),
        weights=None if weights is None else np.concatenate([np.asarray(task.weights), weights]),
        groups=None,
        time_order=None,
        validation=len(found),
        notes=(*task.notes, *_notes(task, X, found, name), *(f"{name}: {one}" for one in (*left_out, *later))),
        aside=(*task.aside, ("validation", source)),
    )


def repeated_rows(task: Task, X: pd.DataFrame, y: NDArray[Any]) -> int:
    """How many typed rows (v, p) are, with their label (v,), rows of a task; 0 where chance may explain them.

    In a table of few distinct rows new ones repeat old ones about as often as those of training repeat each other.

    Example:
        >>> from autometa.task import make_task
        >>> task = make_task(pd.DataFrame({"x": np.arange(30.0) ** 1.5}), y=[0, 1] * 15)
        >>> repeated_rows(task, task.X.head(4), np.array([0, 1, 0, 0]))
        3
    """

    def hashed(X: pd.DataFrame, y: NDArray[Any]) -> NDArray[np.uint64]:
        plain = X.astype(dict.fromkeys(task.columns.categorical, "object"))
        labels = pd.Series(np.asarray(y), plain.index, name="autometa:y")
        return pd.util.hash_pandas_object(pd.concat([plain, labels], axis=1), index=False).to_numpy()

    known = hashed(task.X, task.y)
    seen = int(np.isin(hashed(X, y), known).sum())
    _, times = np.unique(known, return_counts=True)
    by_chance = 1.0 - float((times == 1).sum()) / len(known)
    return seen if seen > (2.0 * by_chance + 0.01) * len(y) else 0


def _notes(task: Task, X: pd.DataFrame, y: NDArray[Any], name: str) -> Iterator[str]:  # (v, p), (v,)
    """What should be known of typed rows that judge."""
    yield f"Every model is judged on the {len(y):,} rows of {name}, and learns from none of them."
    if seen := repeated_rows(task, X, y):
        share = f"{seen:,} of {len(y):,} rows of {name} are in the training table as well"
        yield f"{share}, label and all: what is learned by heart is judged too well. Leave them out of one."
    if lacking := [str(one) for k, one in enumerate(task.classes) if not (y == k).any()]:
        yield f"{name} has no row of {', '.join(map(repr, lacking[:5]))}: nothing is said of them."


def _column(frame: Any, given: Any, column: str | None, name: str, problems: list[Problem]) -> pd.Series | None:  # (v,)
    """What is given on its own, or a column of the table; None, with a problem, where it is not there."""
    if given is not None:
        given = as_column(given)
        found = given if isinstance(given, pd.Series) else pd.Series(np.asarray(given).reshape(len(given), -1)[:, 0])
        if len(found) == len(frame):
            return found.reset_index(drop=True)
        problems.append(Problem(name, f"has {len(found)} labels or weights for {len(frame)} rows"))
        return None
    if isinstance(frame, pd.DataFrame) and column in frame.columns:
        return frame[column].reset_index(drop=True)
    names = list(frame.columns) if isinstance(frame, pd.DataFrame) else []
    problems.append(Problem(name, f"no column {column!r}", did_you_mean(str(column), names)))
    return None


def _stacked(above: pd.DataFrame, below: pd.DataFrame) -> pd.DataFrame:  # (n, p), (v, p) -> (n + v, p)
    """One table under another of the same schema; categories stay what they were."""
    both = pd.concat([above, below], ignore_index=True)
    changed = {name: above[name].dtype for name in above.columns if both[name].dtype != above[name].dtype}
    return both.astype(changed) if changed else both
