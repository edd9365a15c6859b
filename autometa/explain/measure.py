"""An explanation within a time box: in a process of its own, so that the time is kept whatever the model does.

What was found is kept in the folder of the run; what had been found when the time was over counts.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autometa.explain.importance import look
from autometa.explain.judges import Judges, of_ensemble, of_model
from autometa.explain.labelled import labelled_task
from autometa.explain.options import OPTIONS
from autometa.explain.record import ModelExplanation
from autometa.families import QUICK
from autometa.space import FAMILY

if TYPE_CHECKING:
    from autometa.search import Model, Result
    from autometa.task import Task


_NOT_IN_TIME = ModelExplanation((), why_not="It was not measured in time.")  # said when the models were read


def kept_seconds(budget: float | None) -> float:
    """Of a time budget in seconds, those that are kept for the explanation after the search; 0 without a budget.

    See Also:
        `time_for`.

    Example:
        >>> kept_seconds(None), kept_seconds(5.0), round(kept_seconds(60.0), 1), kept_seconds(3600.0)
        (0.0, 0.6, 1.8, 10.0)
    """
    if budget is None:
        return 0.0
    return min(max(OPTIONS.share * budget, min(OPTIONS.least_seconds, budget / 5)), OPTIONS.most_seconds)


def time_for(budget: float | None, elapsed: float) -> float:
    """Seconds that the explanation after a search may take, `elapsed` after the beginning: what is left, and as kept.

    A little is there even where the budget is over: a run without an answer to "why" is the worse of the two faults.

    See Also:
        `kept_seconds`.

    Example:
        >>> time_for(None, 1e9), time_for(60.0, 50.0), round(time_for(60.0, 59.0), 2), time_for(60.0, 61.0)
        (3.0, 3.0, 0.85, 0.5)
    """
    if budget is None:
        return OPTIONS.unhurried
    most = max(OPTIONS.unhurried, kept_seconds(budget))
    return min(max(OPTIONS.until * (budget - elapsed), OPTIONS.least_late), most)


def explain(
    run: str | Path,
    *,
    seconds: float | None = None,
    thorough: bool = True,
    trusted: bool = False,
    result: Result | None = None,
    here: bool = False,
) -> ModelExplanation:
    """Which columns the model of a run needs, judged on rows that the answering models had not learned from.

    Args:
        run: Its folder.
        seconds: How long it may take; None for `OPTIONS.patient`.
        thorough: More rows, and more shuffles, than are looked at after a search.
        trusted: Read models though somebody else made them: that runs code in them.
        result: The run, where it was opened already.
        here: In this process, whose trials the models are of, rather than in one that can be ended.

    Returns:
        What was found in the time; its `why_not` says why nothing was.

    Raises:
        RunError: It is no finished run, or damaged.

    See Also:
        `explain_table`, `ModelExplanation`.

    Example:
        >>> explain(run, seconds=60).importance[0].column in wines.columns
        True
    """
    from autometa.search import open_run

    result = result or open_run(run, trusted=trusted)
    seconds = OPTIONS.patient if seconds is None else seconds
    began, run = time.monotonic(), Path(run).absolute()
    costs, files = _known(run, result, trusted)
    seconds -= time.monotonic() - began
    given = run, costs, files, seconds, thorough, result.settings.seed, trusted
    by_number = {row.number: row for row in result.trials}
    if here or all(by_number[number].evaluation.config[FAMILY] == QUICK for number, _ in result.members):
        return _here(of_run(*given), seconds)
    return _boxed(of_run, *given, seconds=seconds)


def explain_table(
    run: str | Path, task: Task, *, seconds: float | None = None, trusted: bool = False
) -> ModelExplanation:
    """Which columns the model of a run needs on another table, whose target is known.

    Args:
        run: Its folder.
        task: The table, read as `task_of` does.
        seconds: How long it may take; None for `OPTIONS.patient`.
        trusted: Read the model though somebody else made it.

    See Also:
        `explain`.

    Example:
        >>> from sklearn.datasets import load_wine
        >>> from autometa.task import make_task
        >>> task = make_task(wines, y=load_wine().target)
        >>> explain_table(run, task, seconds=60).importance[0].column in wines.columns
        True
    """
    import tempfile

    seconds = OPTIONS.patient if seconds is None else seconds
    with tempfile.TemporaryDirectory(prefix="autometa-", ignore_cleanup_errors=True) as folder:
        task.save(Path(folder) / "task")
        return _boxed(of_table, Path(run).absolute(), Path(folder) / "task", seconds, trusted, seconds=seconds)


def explain_answers(model: Model, frame: Any, y: Any, *, seconds: float) -> ModelExplanation:
    """Which columns a model needs on another table, in this process.

    Args:
        model: What answers.
        frame: (n, p) a raw table.
        y: (n,) its answers.
        seconds: After which no further step is begun.

    See Also:
        `explain_table`.

    Example:
        >>> from sklearn.datasets import load_wine
        >>> from autometa import load_model
        >>> found = explain_answers(load_model(run), wines, load_wine().target, seconds=1)
        >>> found.importance[0].column in wines.columns
        True
    """
    judges = of_model(labelled_task(model, frame, y), model, source="table")
    steps = look(judges, seconds=seconds, rows=OPTIONS.rows_asked, repeats=OPTIONS.repeats_asked, seed=0)
    return _here(steps, seconds)


def _here(steps: Iterator[ModelExplanation], seconds: float) -> ModelExplanation:
    """What is known in this process after so many seconds, and the first step at least.

    What was fitted in this process needs no other one, for which a short run has no time.
    """
    began, known = time.monotonic(), _NOT_IN_TIME
    for known in steps:
        if known != _NOT_IN_TIME and time.monotonic() - began > seconds:
            break
    return known


def _boxed(function: Any, /, *given: Any, seconds: float) -> ModelExplanation:
    """What a generator of explanations yielded last within so many seconds."""
    from autometa.evaluation import Killed, shared_isolation

    if seconds < OPTIONS.worth_seconds:
        return ModelExplanation((), why_not="There was no time left to measure it.")
    try:
        done = shared_isolation().run(function, *given, seconds=seconds, patience=OPTIONS.patience)
        found: ModelExplanation = done.value
    except Killed as killed:
        found = killed.partial or _NOT_IN_TIME
        if found == _NOT_IN_TIME and killed.state != "timeout":
            return ModelExplanation((), why_not=f"It could not be measured: {killed.reason}.")
    if found == _NOT_IN_TIME:
        why = f"The columns could not be shuffled within the {seconds:.1f} s that there were."
        return ModelExplanation((), why_not=why)
    return found


def of_run(
    run: Path,
    costs: dict[int, float],
    files: dict[str, str],
    seconds: float,
    thorough: bool,
    seed: int,
    trusted: bool,
) -> Iterator[ModelExplanation]:
    """What is known after each step, of the fold models of a run.

    `costs` are the seconds that each trial takes to answer a row, `files` the checksums of what it left: both are in
    the journal, which takes longer to read than a short run has time.
    """
    judges = judges_of(run, costs, files, seconds=seconds * OPTIONS.first_share, trusted=trusted)
    yield _NOT_IN_TIME  # from here on the time counts: loading libraries is not what the model takes
    rows, repeats = (OPTIONS.rows_asked, OPTIONS.repeats_asked) if thorough else (OPTIONS.rows, OPTIONS.repeats)
    yield from look(judges, seconds=seconds, rows=rows, repeats=repeats, seed=seed)


def of_table(run: Path, folder: Path, seconds: float, trusted: bool) -> Iterator[ModelExplanation]:
    """What is known after each step, of a model on a table that was saved."""
    from autometa.search import load_model
    from autometa.task import Task

    judges = of_model(Task.load(folder), load_model(run, trusted=trusted), source="table")
    yield _NOT_IN_TIME
    yield from look(judges, seconds=seconds, rows=OPTIONS.rows_asked, repeats=OPTIONS.repeats_asked, seed=0)


def judges_of(
    run: Path, costs: dict[int, float], files: dict[str, str], *, seconds: float, trusted: bool = False
) -> Judges:
    """The fold models of the ensemble of a run that answer in time; the final model where none were kept."""
    from autometa.search import Run, load_model

    opened = Run.open(run, trusted=trusted)
    opened.checksums.add(files)
    task, model = opened.task, load_model(run, trusted=trusted)
    paths = {member.number: opened.fold_models(member.number) for member in model.members}
    kept = {number: path for number, path in paths.items() if path is not None}
    if not kept:
        cost = sum(costs[member.number] for member in model.members)
        if task.validation:
            return of_model(task.held_out, model, source="held out", seconds=cost)
        return of_model(task, model, source="learned", seconds=cost)
    return of_ensemble(task, model, opened.splits, kept, costs, read=opened.read_models, seconds=seconds)


def _known(run: Path, result: Result, trusted: bool) -> tuple[dict[int, float], dict[str, str]]:
    """What the journal says of the members of the final model: seconds for a row, and the checksums of their files."""
    from autometa.search import Run

    opened = Run.open(run, trusted=trusted)
    rows = {row.number: row for row in opened.trials(opened.study())}
    predicted = max(int(opened.splits.test.sum()), 1)
    costs = {number: rows[number].evaluation.predict_seconds / predicted for number, _ in result.members}
    files = {}
    for number, _ in result.members:
        if (path := opened.fold_models(number)) is not None:
            files[path.relative_to(run).as_posix()] = opened.checksums.of(path)
    return costs, files
