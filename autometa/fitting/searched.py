"""A search, and what follows it: why the model answers as it does, and a card that says what it is."""

from __future__ import annotations

import time
from pathlib import Path

from autometa.errors import RunError
from autometa.evaluation import Executor, Here, Splits, available_cpus
from autometa.explain import explain, kept_seconds, time_for
from autometa.fitting.listeners import tell_of
from autometa.search import Progress, Result, Run, SearchPlan, Settings, Silent, resume, search
from autometa.task import Task


def resume_run(
    run: str | Path,
    *,
    seconds: float | None = None,
    trials: int | None = None,
    progress: Progress | None = None,
    trusted: bool = False,
    store: str | None = None,
    executor: Executor | None = None,
) -> Result:
    """`autometa.search.resume`, and what `fit_file` does after a search: why the model answers as it does.

    See Also:
        `autometa.search.resume`.

    Example:
        >>> resume_run("nowhere")
        Traceback (most recent call last):
            ...
        autometa.errors.RunError: nowhere is not a run: it has no run.json
    """
    budget = Run.open(Path(run), trusted=trusted).settings.seconds
    kept = kept_seconds(None if budget is None else seconds or budget)
    before = _stamp(run)
    where = {"store": store, "executor": executor}
    result = resume(run, seconds=seconds, trials=trials, progress=progress, trusted=trusted, kept=kept, **where)  # type: ignore[arg-type]
    if before is not None and _stamp(run) == before:  # it was finished, and nothing is new
        return result
    explained(result, kept or time_for(None, 0.0), progress or Silent(), trusted=trusted)
    tell_of(result, progress or Silent())
    return result


def _stamp(run: str | Path) -> int | None:
    """When the result of a run was written; None where it has none."""
    path = Path(run) / "result.json"
    return path.stat().st_mtime_ns if path.exists() else None


def searched(
    task: Task,
    settings: Settings,
    run: Path,
    progress: Progress | None,
    started: float,
    splits: Splits | None = None,
    executor: Executor | None = None,
) -> Result:
    """Searches, and explains what was found in the time that is kept for it."""
    kept = kept_seconds(settings.seconds)
    plan = None
    if splits is not None:
        cpus = available_cpus() if executor is None else executor.cpus
        plan = SearchPlan.of(task, settings, cpus, splits=splits, machines=executor)
    result = search(task, settings, run, progress=progress, started=started, plan=plan, kept=kept, executor=executor)
    left = time_for(settings.seconds, time.monotonic() - started)
    explained(result, left, progress or Silent(), here=isinstance(executor, Here))
    tell_of(result, progress or Silent())
    return result


def explained(result: Result, seconds: float, progress: Progress, *, trusted: bool = False, here: bool = False) -> None:
    """Keeps in the folder of a finished run why its model answers as it does, in so many seconds, and a model card.

    A run that was interrupted has no explanation: whoever interrupts does not wait. Where it cannot be made, or kept,
    that is a note, and the run is no less finished.

    See Also:
        `fit_file`.

    Example:
        >>> from autometa.search import Silent, open_run
        >>> explained(open_run(run), seconds=1, progress=Silent())
        >>> (run / "explanation.json").is_file(), (run / "model_card.md").is_file()
        (True, True)
    """
    from autometa.report import write_card

    why = f"`autometa explain {result.run}` does it later."
    try:
        if not result.interrupted:
            progress.stage("explaining")
            how = {"thorough": False, "trusted": trusted, "here": here}
            explain(result.run, seconds=seconds, result=result, **how).save(result.run)
    except (RunError, OSError) as error:
        progress.note(f"The model was not explained: {error}. {why}")
    except KeyboardInterrupt:
        progress.note(f"The model was not explained: stopped. {why}")
    try:
        write_card(result)
    except (RunError, OSError) as error:
        progress.note(f"The model card was not written: {error}.")
