"""What counts: how much each row does, and what mistakes cost.

Laws: weights are 1 on average, so that their unit does not matter; of costs every pair of classes has one, in the order
of the classes.

Letters:  n rows · c classes.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from autometa.task.cells import label, numbers
from autometa.task.findings import InputFindings
from autometa.task.kinds import target_numbers
from autometa.task.names import listed

if TYPE_CHECKING:
    from autometa.task.target import Target


def read_counting(
    weights: pd.Series | None, weight: str | None, costs: Any, target: Target | None, findings: InputFindings
) -> tuple[NDArray[np.float64] | None, tuple[tuple[float, ...], ...]]:  # (n,), (c, c)
    """The weights of rows, and the costs of mistakes, as far as they are asked for and can be."""
    counts = None if weights is None else read_weights(weights, str(weight), findings)
    if target is None:
        return counts, ()
    if counts is not None and target.classes:
        check_classes_count(counts, target.y, target.classes, findings)
    return counts, () if costs is None else read_costs(costs, target.classes, findings)


def read_weights(column: pd.Series, name: str, findings: InputFindings) -> NDArray[np.float64] | None:  # (n,) -> (n,)
    """How much each row counts, 1 on average; None, with a problem, where that cannot be.

    Example:
        >>> read_weights(pd.Series([1, 3, 0, 4]), "w", InputFindings())
        array([0.5, 1.5, 0. , 2. ])
    """
    where, text = findings.at(f"weight {name!r}"), not pd.api.types.is_numeric_dtype(column.dtype)
    values, odd = target_numbers(column.reset_index(drop=True)) if text else (numbers(column), [])
    unknown, below = int((~np.isfinite(values)).sum()), int((values < 0).sum())
    if odd := [one for one in odd if one]:
        where.refuse(f"{unknown} cells are no numbers: {listed(odd)}", "Weights are numbers from 0 up.")
    elif unknown:
        where.refuse(
            f"{unknown} of {len(values)} cells are missing or infinite", "Fill them in; 0 is a row that does not count."
        )
    if below:
        where.refuse(
            f"{below} of {len(values)} weights are below 0, the least {np.nanmin(values):g}",
            "Weights are numbers from 0 up.",
        )
    if not unknown and not below and not values.sum() > 0:
        where.refuse("all weights are 0", "One row at least has to count.")
    if unknown or below or not values.sum() > 0:
        return None
    name = name.removeprefix("autometa:")
    said = f"Rows count by {name!r} ({values.min():g} to {values.max():g}), in fitting, scores and calibration"
    findings.note(f"{said}; it is not a feature.")
    return values / values.mean()


def check_classes_count(
    counts: NDArray[np.float64], y: NDArray[Any], classes: tuple[Any, ...], findings: InputFindings
) -> None:  # (n,), (n,), (c,)
    """Refuses classes of which no row counts: nothing could be said of them.

    Example:
        >>> findings = InputFindings()
        >>> check_classes_count(np.array([1.0, 0.0]), np.array([0, 1]), ("a", "b"), findings)
        >>> findings.problems[0].what
        "the weights of all rows are 0 of: class 'b'"
    """
    total = np.bincount(y, weights=counts, minlength=len(classes))
    if none := [one for one, weight in zip(classes, total, strict=True) if not weight > 0]:
        what = f"the weights of all rows are 0 of: {'class' if len(none) == 1 else 'classes'} {listed(none)}"
        findings.at("weight").refuse(what, "Leave these rows out, or let one of them count.")


def read_costs(costs: Any, classes: tuple[Any, ...], findings: InputFindings) -> tuple[tuple[float, ...], ...]:
    """What it costs to take a row of each class (down) for each (across), (c, c); () where that cannot be, and is told.

    Example:
        >>> read_costs({("fraud", "ok"): 100, ("ok", "fraud"): 1}, ("fraud", "ok"), InputFindings())
        ((0.0, 100.0), (1.0, 0.0))
    """
    where, c = findings.at("costs"), len(classes)
    if not classes:
        where.refuse(
            "a number is predicted, and mistakes in it are not those of classes", "Leave out --costs (costs=)."
        )
        return ()
    if isinstance(costs, (str, Path)):
        return () if (said := _costs_in(Path(costs), where)) is None else read_costs(said, classes, findings)
    if isinstance(costs, pd.DataFrame):
        costs = {(true, said): costs.loc[true, said] for true in costs.index for said in costs.columns}
    if isinstance(costs, Mapping):
        matrix: NDArray[Any] = np.zeros((c, c))
        codes = {label(one): k for k, one in enumerate(classes)}
        for pair, cost in costs.items():
            known = [codes.get(label(one), -1) for one in pair] if isinstance(pair, tuple) and len(pair) == 2 else []
            if len(known) != 2 or -1 in known:
                where.refuse(f"{pair!r} are no two of the classes", f"Known: {listed(classes)}.")
                continue
            matrix[known[0], known[1]] = _number(cost)
    else:
        try:
            matrix = np.asarray(costs, dtype=np.float64)
        except (TypeError, ValueError):
            matrix = np.full(1, np.nan)
    if matrix.shape != (c, c):
        where.refuse(f"{c} times {c} numbers are needed for {listed(classes)}", "Or {(true, predicted): cost}.")
    elif not np.isfinite(matrix).all():
        where.refuse("some costs are no finite numbers")
    elif not (matrix - np.diag(matrix)[:, None] > 0).any():
        where.refuse(
            "no mistake costs more than being right does", "Rows are true classes, columns what they are taken for."
        )
    else:
        pairs = [f"{classes[i]!s} taken for {classes[j]!s}: {matrix[i, j]:g}" for i, j in np.argwhere(matrix)]
        shown = "; ".join(pairs[:6]) + ("; ..." if len(pairs) > 6 else "")
        findings.note(f"Labels are those of the least expected cost ({shown}).")
        return tuple(tuple(row) for row in matrix.tolist())
    return ()


def _costs_in(path: Path, where: InputFindings) -> dict[tuple[str, str], str] | None:
    """A CSV file of costs, true classes down and what they are taken for across; None, and told, if it is none."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file, skipinitialspace=True) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        where.refuse(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}")
        return None
    fix = "Such as `,no,yes` / `no,0,1` / `yes,5,0`: true classes down, what they are taken for across."
    if len(rows) < 2 or len(rows[0]) < 3 or any(len(row) != len(rows[0]) for row in rows):
        where.refuse(f"{path} is no table of classes by classes", fix)
        return None
    across = [name.strip() for name in rows[0][1:]]
    found = {
        (row[0].strip(), name): cell.strip() or "0"
        for row in rows[1:]
        for name, cell in zip(across, row[1:], strict=True)
    }
    odd = [
        f"{cell!r}, of {true!r} taken for {said!r}" for (true, said), cell in found.items() if np.isnan(_number(cell))
    ]
    if odd:
        where.refuse(f"{path}: {odd[0]}, is no number", fix)
    return None if odd else found


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")
