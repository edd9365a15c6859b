"""One configuration tried in a process of its own: what is loaded there, what is handed back, what a kill leaves.

Law: whatever happens to the process becomes a state of the evaluation, with the folds that were finished before it.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from autometa.evaluation.isolation import Isolation
from autometa.evaluation.record import Evaluation
from autometa.evaluation.trial import Attempt, outcomes
from autometa.evaluation.watch import Killed
from autometa.files import whole
from autometa.origins import State
from autometa.space import FAMILY

if TYPE_CHECKING:
    from autometa.families import FamilyOrigin
    from autometa.space import Config
    from autometa.task import Task


def evaluate_isolated(
    isolation: Isolation,
    task_folder: Path,
    attempt: Attempt,
    *,
    seconds: float,
    max_ram: int | None = None,
    oof_path: Path | None = None,
    patience: float = 0.0,
) -> Evaluation:
    """`evaluate` in a process of its own, on a saved task; whatever happens to the process becomes a state.

    Args:
        isolation: Where processes come from.
        task_folder: Where `Task.save` wrote the task.
        attempt: What to try, and how; its deadline is `seconds`.
        seconds: Wall-clock seconds after which it is killed; what it had finished by then is kept.
        max_ram: Resident bytes of its process tree at which it is killed; None for no cap.
        oof_path: ``.npy`` file for the out-of-fold predictions of a complete evaluation, (n,) or (n, c), where rows are
            predicted more than once (r, n) or (r, n, c), a layer for each repeat; written whole or not at all. None for
            none.
        patience: Seconds by which it may be late on a crowded machine (`Isolation.run`); loading libraries is then not
            charged to it.

    Raises:
        Cancelled: If `Isolation.cancel_all` was called meanwhile.

    See Also:
        `evaluate`, `Isolation`.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from autometa.evaluation import plan_splits, shared_isolation
        >>> from autometa.families import cash_space
        >>> from autometa.task import make_task
        >>> task = make_task(np.arange(40.0).reshape(20, 2), y=[0, 1] * 10)
        >>> config = cash_space("binary").only(["naive_bayes"]).default
        >>> attempt = Attempt(config, plan_splits(task, seed=0), seed=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     task.save(Path(folder) / "task")
        ...     found = evaluate_isolated(shared_isolation(), Path(folder) / "task", attempt, seconds=300)
        >>> found.state.value
        'complete'
    """
    from autometa.families import REGISTRY

    models = None if attempt.keep_models is None else Path(attempt.keep_models).absolute()
    attempt = replace(attempt, deadline=seconds, keep_models=models, patience=patience)
    folder, oof = Path(task_folder).absolute(), None if oof_path is None else Path(oof_path).absolute()
    try:
        call = trial, folder, attempt, oof, REGISTRY.registered()
        returned = isolation.run(*call, seconds=seconds, max_ram=max_ram, patience=patience)
        return replace(returned.value, peak_ram=returned.peak_ram)
    except Killed as end:
        partial: Evaluation = end.partial or _unstarted(attempt)
        peak = max(end.peak_ram, partial.peak_ram)
        if partial.state == State.COMPLETE:  # only its models were still being written
            return replace(partial, peak_ram=peak)
        where = f"in fold {partial.n_folds + 1} of {len(attempt.splits)}"
        return replace(partial, state=end.state, reason=f"{end.reason}, {where}", peak_ram=peak)


def trial(
    task_folder: Path,
    attempt: Attempt,
    oof_path: Path | None,
    families: Sequence[FamilyOrigin] = (),
    *,
    loading_counts: bool = True,
) -> Iterator[Evaluation]:
    """What the process of a trial runs: the evaluation so far, and the predictions in a file once it is complete.

    Where loading does not count, or there is patience, the deadline begins with what is yielded first.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from autometa.evaluation import plan_splits
        >>> from autometa.families import cash_space
        >>> from autometa.task import make_task
        >>> task = make_task(np.arange(40.0).reshape(20, 2), y=[0, 1] * 10)
        >>> config = cash_space("binary").only(["naive_bayes"]).default
        >>> attempt = Attempt(config, plan_splits(task, seed=0, folds=2), seed=0, deadline=300.0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     task.save(Path(folder) / "task")
        ...     [found.state.value for found in trial(Path(folder) / "task", attempt, Path(folder) / "oof.npy")]
        ['stopped', 'complete']
    """
    from autometa.task import Task

    began = time.monotonic()
    _recall(families)
    task = Task.load(task_folder)
    assert attempt.deadline is not None
    if attempt.patience or not loading_counts:  # what was loaded until now is not charged
        _load_libraries(task, attempt.config)
        yield _unstarted(attempt)
    else:
        attempt = replace(attempt, deadline=attempt.deadline - (time.monotonic() - began))
    for outcome in outcomes(task, attempt):
        predictions = outcome.predictions
        if outcome.evaluation.state == State.COMPLETE and oof_path is not None and predictions is not None:
            with whole(oof_path) as temporary, temporary.open("wb") as file:
                np.save(file, predictions if len(predictions) > 1 else predictions[0])
        yield outcome.evaluation


def _recall(families: Sequence[FamilyOrigin]) -> None:
    """Makes the families known that were registered where the search is; what is wrong with one shows in its trial."""
    if families:
        from autometa.families import REGISTRY

        with suppress(Exception):
            REGISTRY.recalled(families)


def _load_libraries(task: Task, config: Config) -> None:
    """Imports what fitting a configuration needs; what is wrong with it is found out where it is recorded."""
    from autometa.families import FAMILIES, build

    with suppress(Exception):
        build(config, task.columns, task.kind, n_rows=task.n, seed=0)
        if (library := FAMILIES[config[FAMILY]].requires) is not None:
            importlib.import_module(library)


def _unstarted(attempt: Attempt) -> Evaluation:
    """The record of an attempt whose process ended before it had yielded anything."""
    return Evaluation(
        attempt.config, State.CRASHED, None, {}, {}, 0.0, 0.0, 0, attempt.seed, attempt.rows or attempt.splits.n, {},
        attempt.origin,
    )  # fmt: skip
