"""Tasks and datasets, each checked to be whole: every row and column that the server announces, every split complete.

What is in the cache and whole is read without asking the network; what is damaged, there or on arrival, is thrown away
and fetched again, under a lock. These functions run in the process that has the client loaded.

Letters:  n rows · r repeats · k folds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from autometa.errors import AutoMetaError, InputError, OpenMLError, Problem
from autometa.openml.cache import MARK
from autometa.openml.options import OPTIONS
from autometa.openml.records import OpenMLTable, OpenMLTask, Split
from autometa.openml.retry import brief
from autometa.openml.session import ClientSession


class _Damaged(Exception):
    """What arrived, or what the cache holds, is not whole."""


def task(session: ClientSession, task_id: int) -> OpenMLTask:
    """A task; see `OpenML.task`."""
    return _whole(session, f"task/{task_id}", lambda: _read_task(session, task_id))


def table(session: ClientSession, data_id: int) -> OpenMLTable:
    """A dataset; see `OpenML.table`."""
    return _whole(session, f"data/{data_id}", lambda: _read_table(session, data_id))


def _whole(session: ClientSession, what: str, read: Callable[[], Any]) -> Any:
    """What `read` gives once it is whole: from the cache if that has it, otherwise fetched under a lock."""
    cache = session.cache
    absent, mark = cache.lacking(what), cache.folder_of(what) / MARK
    # Without the mark, another process may be writing these very files: that is for the lock to tell.
    if not absent and (session.offline or mark.exists()):
        for pickles in ("*.xml.pkl", "*.pkl.py3"):  # the client's own copies; the first are cheap to make again
            cache.drop(what, pickles)
            try:
                with cache.parquet(what):
                    return read()
            except AutoMetaError:
                raise
            except Exception as error:  # noqa: BLE001 - what is wrong with a cached file can be anything
                absent = [f"a whole copy ({brief(error)})"]
    if session.offline:
        raise InputError([cache.not_cached(what, absent)])
    with cache.lock(what):
        for attempt in range(OPTIONS.attempts):
            try:
                if cache.lacking(what):
                    session.tell(f"fetching openml:{what}")
                # The copy in ARFF has a checksum: it is tried when parquet keeps failing.
                with cache.parquet(what, wanted=attempt < OPTIONS.attempts // 2):
                    value = read()
                mark.touch()
                return value
            except AutoMetaError:
                raise
            except Exception as error:
                if session.final(error):
                    raise
                problem = brief(error)
                session.tell(f"openml:{what} is not whole, and is fetched again: {problem}")
                cache.purge(what)
    raise OpenMLError(f"openml:{what} arrived damaged {OPTIONS.attempts} times: {problem}. Try again later.")


def parts_of(session: ClientSession, data_id: int | None) -> dict[str, bool]:
    """The parts of a dataset that are asked for, as the client's keywords: offline, the qualities only if there."""
    known = data_id is not None and session.cache.has_qualities(data_id)
    qualities = known or not session.offline
    return {"download_data": True, "download_features_meta_data": True, "download_qualities": qualities}


def _read_task(session: ClientSession, task_id: int) -> OpenMLTask:
    openml = session.openml
    found = openml.tasks.get_task(task_id, **parts_of(session, session.cache.dataset_of(f"task/{task_id}")))
    kinds = {
        openml.tasks.TaskType.SUPERVISED_CLASSIFICATION: "classification",
        openml.tasks.TaskType.SUPERVISED_REGRESSION: "regression",
    }
    kind = kinds.get(found.task_type_id)
    if kind is None:
        what = f"is of the type {found.task_type!r}"
        raise InputError(Problem(f"openml:task/{task_id}", what, "Classification and regression can be done."))
    read = _read_table(session, found.dataset_id, keep=found.target_name)
    if found.target_name not in read.frame:
        raise _Damaged(f"its table has no column {found.target_name!r}")
    splits = _read_splits(session, found, len(read.frame))
    return OpenMLTask(task_id, cast(Any, kind), read, found.target_name, splits, found.evaluation_measure or None)


def _read_splits(session: ClientSession, found: Any, n: int) -> tuple[Split, ...]:
    """The splits of a task, complete where they can prove it; others are fetched twice and compared."""
    splits = tuple(
        (int(repeat), int(fold), np.asarray(samples[0].train, np.intp), np.asarray(samples[0].test, np.intp))
        for repeat, folds in sorted(found.download_split().split.items())
        for fold, samples in sorted(folds.items())
    )
    procedure = found.estimation_procedure or {}
    given = procedure.get("parameters") or {}
    repeats, folds = (int(given.get(name) or 1) for name in ("number_repeats", "number_folds"))
    crossed = procedure.get("type") == "crossvalidation"
    problem = _incomplete(splits, repeats, folds, n, crossed=crossed)
    if problem and (crossed or not _twice_the_same(session, found)):
        raise _Damaged(problem)
    return splits


def _incomplete(splits: Sequence[Split], repeats: int, folds: int, n: int, *, crossed: bool) -> str | None:
    """Why splits are not all of a procedure's: each uses every row once, and crossed folds test every row once."""
    if len(splits) != repeats * folds:
        return f"{len(splits)} of {repeats * folds} splits"
    tested = np.zeros((repeats, n), np.intp)
    for repeat, fold, train, test in splits:
        uses = np.bincount(np.concatenate([train, test]), minlength=n)
        if not len(train) or not len(test) or len(uses) != n or (uses != 1).any():
            return f"the split of repeat {repeat}, fold {fold} is not of all {n} rows"
        tested[repeat, test] += 1
    return "the folds do not test every row once" if crossed and (tested != 1).any() else None


def _twice_the_same(session: ClientSession, found: Any) -> bool:
    """Whether the file of splits is what the server sends a second time, or was so when it was fetched."""
    folder = session.cache.folder_of(f"task/{found.task_id}")
    if (folder / MARK).exists() or session.offline:
        return (folder / MARK).exists()
    text = session.openml._api_calls._download_text_file(found.estimation_procedure["data_splits_url"])
    return text == (folder / "datasplits.arff").read_text(encoding="utf-8")


def _read_table(session: ClientSession, data_id: int, keep: str = "") -> OpenMLTable:
    """A dataset, as many rows and columns as announced; the column `keep` stays though its maker marked it ignored."""
    import pandas as pd

    parts = parts_of(session, data_id)
    dataset = session.openml.datasets.get_dataset(data_id, **parts)
    frame, _, _, _ = dataset.get_data(include_row_id=True, include_ignore_attribute=True)
    features = dataset.features
    announced = (dataset.qualities or {}).get("NumberOfInstances") if parts["download_qualities"] else None
    if len(frame.columns) != len(features):
        raise _Damaged(f"{len(frame.columns)} of {len(features)} columns")
    if announced is not None and len(frame) != int(announced):
        raise _Damaged(f"{len(frame)} of {int(announced)} rows")
    frame.columns = [features[i].name for i in sorted(features)]  # ARFF's reader spoils names with quotes in them
    nominal = {feature.name for feature in features.values() if feature.data_type == "nominal"}
    nominal |= {c for c in frame.columns if isinstance(frame[c].dtype, pd.CategoricalDtype)}
    left_out = {*_listed(dataset.row_id_attribute), *_listed(dataset.ignore_attribute)} - {keep}
    frame = frame[[c for c in frame.columns if c not in left_out]].copy()
    # ARFF brings its categories in an order that means nothing, and truth values may come as such.
    for c in nominal & set(frame.columns):
        frame[c] = frame[c].astype("category").cat.as_unordered()
    target = dataset.default_target_attribute or None
    if target not in frame:  # several targets, or none
        target = None
    return OpenMLTable(data_id, dataset.name, frame, target, tuple(c for c in frame.columns if c in nominal))


def _listed(names: Any) -> list[str]:
    """Names as the client has them: none, one, or a list."""
    return [] if not names else [names] if isinstance(names, str) else list(names)
