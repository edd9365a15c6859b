"""What a run looks like to somebody who looks at it while it runs: trials so far, what is being tried, the time.

Only the folder is read, so another process may look; nothing is written, and no lock is held beyond a moment.
"""

from __future__ import annotations

import math
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from autometa.errors import RunError
from autometa.search.options import OPTIONS
from autometa.search.result import Result, open_run
from autometa.search.run import EVALUATION, GRANTED, Run, origin_of

if TYPE_CHECKING:
    import optuna

RunState = Literal["running", "finished", "ended"]


@dataclass(frozen=True, slots=True)
class RunningTrial:
    """A configuration that is being tried.

    Example:
        >>> RunningTrial(3, "lightgbm", "search", "It promises most.", 1.5).seconds
        1.5
    """

    number: int
    family: str  # empty until it is chosen
    origin: str
    reason: str
    seconds: float  # since it began


@dataclass(frozen=True, slots=True)
class Sight:
    """A run at one moment.

    Args:
        result: What is known of it, as of a finished run; without members and with a score that is NaN until it is.
        running: What is being tried.
        state: ``running``; ``finished``; ``ended`` where nobody works on it and it is not finished.
        elapsed: Seconds of its budget that are spent.
        seconds: Of its budget, with what was added; None without a time budget.
        trials: Of its budget, with what was added; None without such a budget.

    See Also:
        `sight_of`, `Result`.

    Example:
        >>> seen = sight_of(Run.open(run))
        >>> seen.state, len(seen.result.trials), seen.running, seen.left
        ('finished', 1, (), None)
    """

    result: Result
    running: tuple[RunningTrial, ...]
    state: RunState
    elapsed: float
    seconds: float | None
    trials: int | None

    @property
    def left(self) -> float | None:
        """Seconds of the budget that are left; None where it has none, or nobody works on it."""
        if self.seconds is None or self.state != "running":
            return None
        return max(self.seconds - self.elapsed, 0.0)


def sight_of(run: Run) -> Sight:
    """What can be seen of a run now.

    Args:
        run: As `Run.open` gave it; the same one may be looked at again.

    Raises:
        RunError: It is damaged, or keeps being written to while it is read.

    See Also:
        `Sight`.

    Example:
        >>> sight_of(Run.open(run)).result.best.evaluation.config["family"]
        'linear'
    """
    study = _study(run)
    if study is None:
        return Sight(_unfinished(run, ()), (), _state(run), _since(run), run.settings.seconds, run.settings.trials)
    trials = run.trials(study)
    granted = study.user_attrs.get(GRANTED, (0.0, 0))
    seconds, most = run.settings.seconds, run.settings.trials
    seconds = None if seconds is None else seconds + float(granted[0])
    most = None if most is None else most + int(granted[1])
    if (done := _finished(run, len(trials))) is not None:
        return Sight(done, (), "finished", done.seconds, seconds, most)
    state = _state(run)
    result = _unfinished(run, trials)
    spent = max((row.finished for row in trials), default=0.0)
    if state == "ended":
        return Sight(result, (), state, spent, seconds, most)
    now = datetime.now()  # as Optuna notes it: of this machine
    open_trials = [one for one in study.get_trials(deepcopy=False) if one.state.name == "RUNNING"]
    waiting = [one for one in open_trials if EVALUATION not in one.user_attrs and one.datetime_start is not None]
    running = tuple(_running(one, now) for one in waiting)
    ends = [one.datetime_complete for one in study.get_trials(deepcopy=False) if one.datetime_complete is not None]
    begun = [one.datetime_start for one in waiting if one.datetime_start is not None]
    # Between two sittings of a run no time is spent: after the last end, the clock runs from the first new beginning.
    since = [max(ends)] if ends else []
    since = [max([*since, min(begun)])] if begun else since
    elapsed = spent + max((now - since[0]).total_seconds(), 0.0) if since and trials else _since(run)
    return Sight(result, running, state, elapsed, seconds, most)


def _study(run: Run) -> optuna.Study | None:
    """The study in the journal; None where it has no trial yet.

    A journal that is being written to while it is read looks cut for a moment, so it is read again.
    """
    for left in range(OPTIONS.looks, 0, -1):
        try:
            return run.study()
        except RunError as error:
            if "has no trial yet" in str(error):
                return None
            if left == 1:
                raise
            time.sleep(OPTIONS.look_again_seconds)
    raise AssertionError


def _finished(run: Run, trials: int) -> Result | None:
    """The finished result; None where there is none, or it is about to be replaced by one of more trials."""
    if not (run.folder / "result.json").exists():
        return None
    try:
        result = open_run(run.folder, trusted=run.trusted)
    except (RunError, OSError):
        if _is_worked_on(run):
            return None
        raise
    return result if len(result.trials) == trials else None


def _unfinished(run: Run, trials: Any) -> Result:
    """What is known of a run before it is finished."""
    return Result(
        run=run.folder,
        task=run.task,
        settings=run.settings,
        trials=tuple(sorted(trials, key=lambda row: row.number)),
        recommendations=run.recommendations(),
        members=(),
        score=math.nan,
        score_std=math.nan,
        oof=np.empty(0),
        seconds=0.0,
        interrupted=False,
        model=run.folder / "model.pkl",
        refitted=False,
    )


def _running(trial: optuna.trial.FrozenTrial, now: datetime) -> RunningTrial:
    origin, reason = origin_of(trial)
    begun = trial.datetime_start or now
    family = str(trial.params.get("family", ""))
    return RunningTrial(trial.number, family, origin, reason, max((now - begun).total_seconds(), 0.0))


def _state(run: Run) -> RunState:
    """Whether somebody works on it; what was written to a moment ago is worked on."""
    journal = run.folder / "journal.log"
    with suppress(OSError):
        if time.time() - journal.stat().st_mtime < OPTIONS.quiet_seconds:
            return "running"
    return "running" if _is_worked_on(run) else "ended"


def _is_worked_on(run: Run) -> bool:
    """Whether a process holds the lock of the folder, which the system frees when it dies."""
    import fcntl

    try:
        lock = os.open(run.folder / "lock", os.O_RDONLY)
    except OSError:  # nobody has ever worked on it
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def _since(run: Run) -> float:
    """Seconds since a run was begun."""
    with suppress(ValueError):
        return max((datetime.now(UTC) - datetime.fromisoformat(run.created)).total_seconds(), 0.0)
    return 0.0


def stamp_of(folder: Path) -> tuple[float, ...]:
    """What changes where a run does: when its files were last written, and how long they are.

    Example:
        >>> stamp_of(run) == stamp_of(run)
        True
    """
    found: list[float] = []
    for name in ("journal.log", "journal.head", "result.json", "recommendations.json", "explanation.json"):
        try:
            stat = (folder / name).stat()
            found += [stat.st_mtime, stat.st_size]
        except OSError:
            found += [0.0, 0.0]
    return tuple(found)
