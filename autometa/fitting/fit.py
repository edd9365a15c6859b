"""A table, from a file or in memory, to a searched run: both begin to load what trials need while they read.

Letters:  n rows · p columns.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from numpy.typing import ArrayLike, NDArray

from autometa.errors import InputError
from autometa.evaluation import METRIC_KINDS, Executor, check_metric, resolve_metric, splits_of
from autometa.evaluation.custom import name_of
from autometa.fitting.beside import with_columns
from autometa.fitting.embedding import embedded, embedded_alike, with_record
from autometa.fitting.learner import OF_COLUMNS, check_learner, numbers_kept, with_numbers
from autometa.fitting.searched import searched
from autometa.fitting.validation import split_twice, with_table, wrong_validation
from autometa.openml import read_task
from autometa.search import Progress, Result, Run, Settings, Silent, default_folder
from autometa.search.plan import executor_for
from autometa.task import Task, make_task, with_validation
from autometa.task.read.sources import shown
from autometa.values import Gathered


def fit_file(
    data: str | Path | Sequence[str | Path],
    *,
    target: str | None = None,
    metric: str | None = None,
    group: str | None = None,
    time_order: str | None = None,
    weight: str | None = None,
    costs: Any = None,
    drop_missing_target: bool = False,
    rename_duplicates: bool = False,
    family: str | None = None,
    openml_id: int | None = None,
    offline: bool = False,
    server: str | None = None,
    cache: Path | None = None,
    reading: Mapping[str, Any] | None = None,
    validation: Any = None,
    encoder: str | None = None,
    encoder_options: Mapping[str, Any] | None = None,
    settings: Settings,
    run: Path | None = None,
    progress: Progress | None = None,
    started: float | None = None,
    executor: Executor | None = None,
) -> Result:
    """Reads a table, searches, and leaves a run folder with the model in it.

    Args:
        data: A file that `autometa.task.read_table` reads, several of the same columns, a folder, the URL of a
            database, ``-`` for standard input, ``openml:task/31`` or ``openml:data/61``.
        target: Column to predict; None for one called target, class, label or y, else the last.
        metric: A scikit-learn scorer name; None for the usual one of the kind of task.
        group: Column whose rows must stay together in a fold.
        time_order: Column that orders the rows in time; folds then never train on the future.
        weight: Column that says how much each row counts.
        costs: What mistakes cost, as `autometa.task.make_task` takes it.
        drop_missing_target: Leave out rows without a target instead of refusing them.
        rename_duplicates: Make duplicated column names unique instead of refusing them.
        family: The family of tables that this one is a variant of, for whoever leaves it out later.
        openml_id: Its number at OpenML.
        offline: Take what is at OpenML from its cache alone.
        server: Another server than openml.org.
        cache: Its cache; None for the client's.
        reading: Further keywords of `autometa.task.read_task`: ``kind``, ``keep``, ``drop``, ``types``, ``na``,
            ``encoding``, ``header``, ``sheet``, ``member``, ``query``, ``download``,
            ``positive``, ``monotonic``.
        validation: A table with the same columns, as `data`: every configuration is judged on its rows, and no model
            learns from them. None for folds of the table itself.
        encoder: What makes vectors of images or texts (`autometa.fewshot.encoders.find_encoder`), where `data` is a
            folder of images, a sub-folder for each class, or a table with a column of paths or texts; None for the one
            that is built in, which is taken for images alone.
        encoder_options: ``column``, ``size``, ``scaling``, ``trust``, ``download`` (`autometa.fewshot.embedded.first`).
        settings: Everything else.
        run: Folder to make; None for one under ``autometa_runs``.
        progress: Told what happens.
        started: When the time budget began (`time.monotonic`).
        executor: Where trials run; None for this machine.

    Raises:
        InputError: Everything that is wrong with the table, the folder and the settings, together.

    See Also:
        `fit_table`, `autometa.search.search`.

    Example:
        >>> import tempfile
        >>> from sklearn.datasets import load_wine
        >>> settings = Settings(trials=1, families=("linear",), cold=True, remember=False)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     load_wine(as_frame=True).frame.to_csv(Path(folder) / "wine.csv", index=False)
        ...     result = fit_file(Path(folder) / "wine.csv", settings=settings, run=Path(folder) / "run")
        >>> result.task.target, result.task.metric, len(result.trials)
        ('target', 'neg_log_loss', 1)
    """
    started = time.monotonic() if started is None else started
    progress = progress or Silent()
    executor = executor or executor_for(settings)
    executor.warm_up()  # while the table is read
    progress.stage("reading", shown(data))
    gathered = Gathered()
    gathered.problems += Run.check_free(run) if run is not None else []
    task = gathered.take(
        read_file,
        data,
        target=target,
        metric=metric,
        group=group,
        time_order=time_order,
        weight=weight,
        costs=costs,
        drop_missing_target=drop_missing_target,
        rename_duplicates=rename_duplicates,
        family=family,
        openml_id=openml_id,
        offline=offline,
        server=server,
        cache=cache,
        reading=reading,
        validation=validation,
        encoder=encoder,
        encoder_options=encoder_options,
        settings=settings,
        progress=progress,
    )
    gathered.refuse()
    assert task is not None
    for note in task.notes:
        progress.note(note)
    return searched(task, settings, run or default_folder(task.name), progress, started, executor=executor)


def read_file(
    data: Any,
    *,
    settings: Settings,
    progress: Progress,
    reading: Mapping[str, Any] | None = None,
    validation: Any = None,
    weight: str | None = None,
    drop_missing_target: bool = False,
    offline: bool = False,
    group: str | None = None,
    time_order: str | None = None,
    encoder: str | None = None,
    encoder_options: Mapping[str, Any] | None = None,
    **table: Any,
) -> Task:
    """The task in a file, with its validation table where there is one, under the scorer that its metric means.

    Args:
        data: As `fit_file`.
        settings: Of the search.
        progress: Told what is fetched.
        reading: As `fit_file`, as what follows.
        validation: As there.
        weight: As there.
        drop_missing_target: As there.
        offline: As there.
        group: As there.
        time_order: As there.
        encoder: As there.
        encoder_options: As there.
        table: Its other arguments, and what else `autometa.task.make_task` takes.

    Raises:
        InputError: Everything that is wrong with both tables.
    """
    gathered = Gathered()
    if validation is not None:
        gathered.problems += split_twice(settings.folds, group, time_order)
    made = gathered.take(embedded, data, encoder, encoder_options, reading or {}, settings, progress)
    gathered.refuse()
    reading = with_numbers(settings, data, made, reading or {}, offline)
    if made is not None:
        table["name"], data = Path(str(data)).name, made.frame
        reading = {name: value for name, value in reading.items() if name in OF_COLUMNS}
        if validation is not None:
            validation = gathered.take(embedded_alike, made, validation, settings.device)
    task = gathered.take(
        read_task,
        data,
        known_metrics=METRIC_KINDS,
        group=group,
        time_order=time_order,
        weight=weight,
        drop_missing_target=drop_missing_target,
        offline=offline,
        tell=progress.note,
        apart=validation is not None,
        **table,
        **reading,
    )
    if validation is not None:
        progress.stage("reading", shown(validation))
        of_validation = {**reading, "server": table.get("server"), "cache": table.get("cache")}
        task = gathered.take(with_table, task, validation, weight, drop_missing_target, offline, of_validation)
    gathered.refuse()
    assert task is not None
    task = task if made is None else with_record(task, made)
    check_learner(task, settings)
    return with_known_metric(task)


def fit_table(
    frame: pd.DataFrame | NDArray[Any],
    y: NDArray[Any],
    *,
    kind: str | None = None,
    metric: Any = None,
    groups: ArrayLike | None = None,
    time_order: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    costs: Any = None,
    keep: Sequence[str] = (),
    drop: Sequence[str] = (),
    types: Mapping[str, str] | None = None,
    na: Sequence[str] | None = None,
    positive: Any = None,
    monotonic: Mapping[Any, Any] | None = None,
    cv: Any = None,
    validation: tuple[Any, ...] | None = None,
    settings: Settings,
    run: Path,
    progress: Progress | None = None,
    started: float | None = None,
    executor: Executor | None = None,
) -> Result:
    """Searches for a table that is in memory, and leaves a run folder with the model in it.

    Args:
        frame: (n, p) table.
        y: (n,) labels or numbers.
        kind: ``classification`` or ``regression``; None to decide by `y`.
        metric: A scikit-learn scorer, by name or itself, or a function that can be imported; None for the usual one of
            the kind of task.
        groups: (n,) rows of one group stay together in a fold.
        time_order: (n,) moments; folds never train on the future.
        sample_weight: (n,) how much each row counts.
        costs: As `autometa.task.make_task`.
        keep: As `autometa.task.make_task`.
        drop: As there.
        types: As there.
        na: As there.
        positive: As there.
        monotonic: As there.
        cv: A splitter of scikit-learn, or pairs of row numbers, by which trials are judged; None as `settings` say.
        validation: ``(X, y)`` or ``(X, y, sample_weight)`` of rows on which every configuration is judged, and from
            which no model learns.
        settings: Everything else.
        run: Folder to make.
        progress: Told what happens.
        started: When the time budget began (`time.monotonic`); None for now.
        executor: Where trials run; None for this machine.

    Raises:
        InputError: Everything that is wrong with the table, the folder and the settings, together.

    See Also:
        `fit_file`, `autometa.AutoMetaClassifier`.

    Example:
        >>> import tempfile
        >>> from sklearn.datasets import load_wine
        >>> X, y = load_wine(return_X_y=True, as_frame=True)
        >>> settings = Settings(trials=1, families=("linear",), cold=True, remember=False)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     result = fit_table(X, y.to_numpy(), settings=settings, run=Path(folder) / "run")
        >>> result.task.kind, len(result.trials)
        ('multiclass', 1)
    """
    started = time.monotonic() if started is None else started
    progress, executor = progress or Silent(), executor or executor_for(settings)
    task = task_of_table(
        frame,
        y,
        kind=kind,
        metric=metric,
        groups=groups,
        time_order=time_order,
        sample_weight=sample_weight,
        costs=costs,
        keep=keep,
        drop=drop,
        types=types,
        na=na,
        positive=positive,
        monotonic=monotonic,
        cv=cv,
        validation=validation,
        settings=settings,
        executor=executor,
    )
    for note in task.notes:
        progress.note(note)
    splits = None if cv is None else splits_of(cv, frame, y, groups)
    return searched(task, settings, run, progress, started, splits, executor)


def task_of_table(
    frame: pd.DataFrame | NDArray[Any],
    y: Any,
    *,
    settings: Settings,
    metric: Any = None,
    groups: ArrayLike | None = None,
    time_order: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    cv: Any = None,
    validation: tuple[Any, ...] | None = None,
    executor: Executor | None = None,
    **table: Any,
) -> Task:
    """The task in a table in memory, with its validation rows where there are some, under the scorer that it means.

    Args:
        frame: As `fit_table`, as what follows.
        y: As there.
        settings: As there.
        metric: As there.
        groups: As there.
        time_order: As there.
        sample_weight: As there.
        cv: As there.
        validation: As there.
        executor: As there.
        table: Its other arguments.

    Raises:
        InputError: Everything that is wrong with the rows.
    """
    if validation is not None and (problems := wrong_validation(validation, settings, cv, groups, time_order)):
        raise InputError(problems)
    executor = executor or executor_for(settings)
    executor.warm_up()
    if settings.own_families:
        table["keep"] = [*table.get("keep", ()), *numbers_kept(settings, pd.DataFrame(frame))]
    frame, group, order, weight = with_columns(frame, groups, time_order, sample_weight)
    task = make_task(
        frame,
        y=y,
        metric=name_of(metric),
        known_metrics=METRIC_KINDS,
        group=group,
        time_order=order,
        weight=weight,
        keep_lone_classes=True,
        apart=validation is not None,
        **table,
    )
    if validation is not None:
        X, answers, *counts = validation
        task = with_validation(task, X, y=answers, sample_weight=counts[0] if counts else None)
    check_learner(task, settings)
    return with_known_metric(task)


def with_known_metric(task: Task) -> Task:
    """Under the scorer that the name of its metric means.

    Raises:
        InputError: It is not defined for what the task holds.
    """
    metric = resolve_metric(task.metric, task.kind)
    check_metric(metric, task)
    return replace(task, metric=metric)
