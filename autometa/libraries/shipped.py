"""`WarmStartSampler("shipped", space=...)`: the memory that ships with AutoMeta, and the past of a library in it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from numpy.typing import NDArray

from autometa.errors import InputError, Problem, StoreError, did_you_mean
from autometa.evaluation.metrics import metric_for, resolve_metric
from autometa.libraries.past import LibraryPast
from autometa.libraries.vocabulary import LIBRARIES
from autometa.libraries.words import NewTable
from autometa.store import Exclusion, MetaStore
from autometa.store.address import shipped_memory
from autometa.studies import About

if TYPE_CHECKING:
    from autometa.task import Kind

SHIPPED = "shipped"  # as the past of a sampler: the memory that ships with the package
KINDS: tuple[Kind, ...] = ("binary", "multiclass", "regression")
_log = optuna.logging.get_logger("optuna.autometa")


def shipped_store() -> MetaStore:
    """The memory that ships with the package, read-only.

    Raises:
        StoreError: This installation came without it.

    See Also:
        `read_library`, `autometa.MetaStore`.

    Example:
        >>> len(shipped_store().tasks(kind="regression")) > 100
        True
    """
    if Path(SHIPPED).exists():
        _log.warning(f"{SHIPPED!r} is the memory that ships with AutoMeta; for the file here pass './{SHIPPED}'.")
    if (path := shipped_memory()) is None:
        raise StoreError("no memory ships with this installation. Name a store, or install the wheel.")
    return MetaStore(path, immutable=True)


def read_library(
    store: MetaStore,
    space: str,
    about: About | None = None,
    target: NDArray[Any] | None = None,
    kind: str | None = None,
    metric: str | None = None,
    exclude: Exclusion | None = None,
    renamed: Mapping[str, str] | None = None,
) -> LibraryPast:
    """What a store knows of a library's family on tasks of one kind, to be put into the library's words.

    Args:
        store: With evaluations in the catalogue's space, as the shipped memory has them.
        space: A name in `LIBRARIES`.
        about: What is known of the new task.
        target: Of the new task, (n,), if it is known: some parameters are in the unit of a numeric one.
        kind: Of the past tasks; that of the new task by default.
        metric: Whose scores to read; the new task's by default, else the default of the kind.
        exclude: What must not be read.
        renamed: The library's name of a parameter -> the objective's own.

    Raises:
        InputError: The name is of no library, or kind and metric are not known, not made for one another, or without
            any evaluation in the store.

    See Also:
        `shipped_store`, `LibraryPast`.

    Example:
        >>> past = read_library(shipped_store(), "xgboost", kind="binary")
        >>> past.canonical(past.first().past.configs[0])["max_depth"] >= 2
        True
    """
    problems = []
    if space not in LIBRARIES:
        raise InputError(_unknown(space, store))
    library = LIBRARIES[space]
    about = About() if about is None else about
    asked = kind or _kind_of(about) or (next(iter(library.kinds)) if len(library.kinds) == 1 else None)
    if asked is None:
        fix = f"Pass task=(X, y), or kind= one of {', '.join(KINDS)}."
        problems.append(Problem("kind", f"what kind of task {space!r} is for is not known", fix))
    elif asked not in KINDS:
        problems.append(
            Problem("kind", f"{asked!r} is not known", f"{did_you_mean(asked, KINDS)} Known: {', '.join(KINDS)}.")
        )
    elif asked not in library.kinds:
        others = ", ".join(name for name, other in LIBRARIES.items() if asked in other.kinds)
        problems.append(Problem("space", f"{space!r} is not made for {asked}", f"There are: {others}."))
    if problems:
        raise InputError(problems)
    own = about.table is not None and about.table.kind == asked
    metric = metric or (about.table.metric if own else metric_for(asked))  # type: ignore[union-attr, arg-type]
    metric = resolve_metric(metric, asked)  # type: ignore[arg-type]
    past = store.past(kind=asked, metric=metric, exclude=Exclusion() if exclude is None else exclude)
    found = LibraryPast(library, past, _table(about, target, str(asked)), renamed=renamed)
    if not found.past.configs:
        raise InputError(Problem(store.url, f"nothing is known there of {space!r} on {asked} tasks in {metric}"))
    return found


def _unknown(space: str, store: MetaStore) -> Problem:
    """What to say of a name that is neither a library's nor in the store."""
    there = sorted({record.space for record in store.tasks(space=None)} - {"fit"})
    known = f"Libraries: {', '.join(LIBRARIES)}. In the store: {', '.join(there) or 'none'}."
    what = f"{space!r} is neither a library whose words are known nor a space in the store"
    return Problem("space", what, f"{did_you_mean(space, [*LIBRARIES, *there])} {known}".strip())


def target_of(task: Any) -> NDArray[Any] | None:
    """The target in what a person hands over as a task, (n,); None where that has none.

    See Also:
        `NewTable`.

    Example:
        >>> target_of(([[1.0], [2.0]], [0.5, 1.5]))
        array([0.5, 1.5])
    """
    target = task[1] if isinstance(task, tuple) else getattr(task, "y", None)
    return None if target is None else np.asarray(target)


def _kind_of(about: About) -> str | None:
    """The kind of a task, by its number of classes where only meta-features are known; None where that does not say."""
    if about.table is not None:
        return about.table.kind
    seen = about.metafeatures
    if seen is None or "classes" not in seen.names or math.isnan(classes := seen["classes"]):
        return None
    return "binary" if classes <= 2 else "multiclass"


def _table(about: About, target: NDArray[Any] | None, kind: str) -> NewTable:
    """What some words need to know of the new table."""
    spread = None
    if kind == "regression" and target is not None and target.dtype.kind in "iufb":
        spread = float(np.nanstd(target.astype(float))) or None
    if about.table is not None:
        return NewTable(kind, about.table.n_rows, about.table.n_columns, spread)
    if (seen := about.metafeatures) is None:
        return NewTable(kind)
    known = (seen["rows"], seen["columns"]) if {"rows", "columns"} <= set(seen.names) else (math.nan, math.nan)
    rows, columns = (None if math.isnan(value) else int(value) for value in known)
    return NewTable(kind, rows, columns)
