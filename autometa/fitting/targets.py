"""Several targets of one table: one search each, one after another, under one time budget and with one memory.

All runs are made before the first search begins, with the table in each: so whatever is killed can be resumed. What an
earlier target does not need of its share of the time is shared among the later ones; what it taught is in the memory
when the next one asks. No column of one target is a feature of another.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autometa.errors import InputError, Problem
from autometa.evaluation import Executor, available_cpus, shared_isolation
from autometa.families import FAMILIES, REGISTRY, available, catalogue
from autometa.files import private_folder
from autometa.fitting.fit import read_file
from autometa.fitting.searched import resume_run
from autometa.search import Progress, Result, Run, SearchPlan, Settings, default_folder, open_run, prepare
from autometa.search.several import folders_of, parts_of_run, save_targets
from autometa.task import Task
from autometa.values import Gathered

Telling = Callable[[], AbstractContextManager[Progress]]  # a progress for each target
WORTH_GRANTING = 1.0  # seconds, less than which are not handed on. Judgement.


@dataclass(frozen=True, slots=True)
class Results:
    """What came of the searches of several targets.

    See Also:
        `fit_targets`, `autometa.search.load_models`.

    Example:
        >>> from autometa.search import open_run
        >>> Results(Path("both"), {"wine": open_run(run)}).summary()["targets"]["wine"]["metric"]
        'neg_log_loss'
    """

    run: Path
    results: Mapping[str, Result]  # by target, those that ended

    @property
    def interrupted(self) -> bool:
        """Whether the person ended it: a search, or before all had begun."""
        lacking = len(self.results) < len(parts_of_run(self.run))
        return lacking or any(result.interrupted for result in self.results.values())

    def summary(self) -> dict[str, Any]:
        """What ``autometa fit --json`` prints: `Result.summary` of each target."""
        return {"run": str(self.run), "targets": {name: one.summary() for name, one in self.results.items()}}


def fit_targets(
    data: Any,
    targets: Sequence[str],
    *,
    settings: Settings,
    telling: Telling,
    run: Path | None = None,
    metric: str | Mapping[str, str] | None = None,
    started: float | None = None,
    executor: Executor | None = None,
    **how: Any,
) -> Results:
    """Reads a table, and searches for each of several targets.

    Args:
        data: As `fit_file`; what can be read once alone, standard input, it cannot be.
        targets: Columns to predict.
        settings: Of each search; the time is for all of them together.
        telling: Gives the progress of a target.
        run: Folder to make; None for one under ``autometa_runs``.
        metric: Of all, or by target.
        started: When the time budget began (`time.monotonic`).
        executor: Where trials run; None for this machine.
        how: The other arguments of `fit_file`: ``validation``, ``group``, ``reading`` and so on.

    Raises:
        InputError: Everything that is wrong with the table, the targets, the folder and the settings, together.

    See Also:
        `resume_targets`, `fit_file`.

    Example:
        >>> import tempfile
        >>> from contextlib import nullcontext
        >>> from sklearn.datasets import load_wine
        >>> from autometa.search import Silent
        >>> settings = Settings(trials=1, families=("linear",), cold=True, remember=False)
        >>> how = {"settings": settings, "telling": lambda: nullcontext(Silent())}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "wine.csv"
        ...     load_wine(as_frame=True).data.to_csv(path, index=False)
        ...     found = fit_targets(path, ["hue", "alcohol"], run=Path(folder) / "run", **how)
        >>> {name: one.task.kind for name, one in found.results.items()}
        {'hue': 'regression', 'alcohol': 'regression'}
    """
    started = time.monotonic() if started is None else started
    (executor or shared_isolation()).warm_up()
    gathered = Gathered()
    gathered.problems += _wrong_targets(data, targets, metric)
    gathered.refuse()
    tasks: dict[str, Task] = {}
    with telling() as progress:
        for name in targets:
            own = metric.get(name) if isinstance(metric, Mapping) else metric
            others = tuple(other for other in targets if other != name)
            task = _of_target(
                gathered, name, read_file, data, target=name, metric=own, others=others,
                settings=settings, progress=progress, **how,
            )  # fmt: skip
            if task is not None:
                tasks[name] = task
                for note in task.notes:
                    progress.note(f"{name}: {note}")
        first = next(iter(tasks.values()), None)
        run = run or default_folder("targets" if first is None else first.name)
        gathered.problems += Run.check_free(run)
        return search_targets(
            tasks, settings, run, telling=telling, started=started, gathered=gathered, executor=executor
        )


def search_targets(
    tasks: Mapping[str, Task],
    settings: Settings,
    run: Path,
    *,
    telling: Telling,
    started: float,
    gathered: Gathered | None = None,
    executor: Executor | None = None,
) -> Results:
    """Makes the run of each target, and searches one after another.

    Args:
        tasks: By target.
        settings: Of each search; the time is for all of them together.
        run: Folder to make.
        telling: Gives the progress of a target.
        started: When the time budget began.
        gathered: What is wrong already, to be refused together.
        executor: Where trials run; None for this machine.

    Raises:
        InputError: A family is unknown, none suits one of the tasks, the folder is taken; or what was gathered.
    """
    gathered = gathered or Gathered()
    asked = {name: _suiting(settings, task) for name, task in tasks.items()}
    cpus = available_cpus() if executor is None else executor.cpus
    plans = {
        name: _of_target(gathered, name, SearchPlan.of, task, asked[name], cpus, machines=executor)
        for name, task in tasks.items()
    }
    gathered.problems += [one for one in Run.check_free(run) if one not in gathered.problems]
    gathered.refuse()
    left = None if settings.seconds is None else max(settings.seconds - (time.monotonic() - started), 1.0)
    seconds = None if left is None else left / len(tasks)
    parts = folders_of(run, list(tasks))
    private_folder(run)
    with telling() as progress:
        for name, task in tasks.items():
            own = replace(asked[name], seconds=seconds)
            prepare(task, own, parts[name], plan=plans[name], progress=progress)
            if lacking := sorted(set(settings.families or ()) - set(own.families or ())):
                progress.note(f"{name}: left out, since they are not made for {task.kind}: {', '.join(lacking)}.")
    save_targets(run, parts)
    return _conducted(run, telling, None if left is None else time.monotonic() + left, executor=executor)


def _suiting(settings: Settings, task: Task) -> Settings:
    """The settings with the families, of those that were asked for, which are made for a task of this kind.

    Kinds of targets differ; where none is left, it is for the search to refuse.
    """
    known = available(task.kind)
    REGISTRY.recalled(settings.own_families)
    own = tuple(origin for origin in settings.own_families if task.kind in FAMILIES[origin.name].kinds)
    chosen = tuple(name for name in settings.families or () if name in known or name not in catalogue())
    return replace(settings, families=chosen or settings.families, own_families=own)


def resume_targets(
    run: str | Path,
    *,
    telling: Telling,
    seconds: float | None = None,
    trials: int | None = None,
    trusted: bool = False,
    store: str | None = None,
    executor: Executor | None = None,
) -> Results:
    """Goes on with the targets of a folder that are not finished; added time is shared, added trials each gets.

    Args:
        run: A folder that `fit_targets` made.
        telling: Gives the progress of a target.
        seconds: Extra time, for all of them together.
        trials: Extra trials of each.
        trusted: As `resume_run`.
        store: As there.
        executor: As there.

    Raises:
        RunError: As `resume_run`.

    Example:
        >>> from contextlib import nullcontext
        >>> from autometa.search import Silent
        >>> resume_targets("nowhere", telling=lambda: nullcontext(Silent())).results  # a folder of no targets
        {}
    """
    count = max(len(parts_of_run(run)), 1)
    extra = {"seconds": None if seconds is None else seconds / count, "trials": trials}
    return _conducted(Path(run), telling, None, trusted=trusted, store=store, executor=executor, **extra)


def _conducted(run: Path, telling: Telling, until: float | None, **how: Any) -> Results:
    """Searches, or goes on with, one target after another; of the time until then later ones get what is left."""
    parts, found = parts_of_run(run), dict[str, Result]()
    for number, (name, part) in enumerate(parts.items()):
        with telling() as progress:
            progress.note(f"Target {name!r}, {number + 1} of {len(parts)}.")
            if until is not None:
                _grant(part, (until - time.monotonic()) / (len(parts) - number))
            found[name] = resume_run(part, progress=progress, **how)
        if found[name].interrupted:
            break
    return Results(run, found)


def _grant(part: Path, seconds: float) -> None:
    """Hands on what earlier targets did not need of their time."""
    folder = Run.open(part)
    extra = seconds - (folder.settings.seconds or seconds)
    if extra > WORTH_GRANTING:
        with folder.locked():
            folder.grant(folder.study(repair=True), extra, 0)


def open_targets(run: str | Path, *, trusted: bool = False) -> Results:
    """The finished runs of several targets.

    Raises:
        RunError: One is not finished, or damaged.

    Example:
        >>> open_targets("nowhere").summary()
        {'run': 'nowhere', 'targets': {}}
    """
    parts = parts_of_run(run)
    return Results(Path(run), {name: open_run(part, trusted=trusted) for name, part in parts.items()})


def _of_target(gathered: Gathered, name: str, call: Callable[..., Any], /, *given: Any, **how: Any) -> Any:
    """What a call gives; None, and its problems kept under the name of a target, when it refuses."""
    try:
        return call(*given, **how)
    except InputError as error:
        for one in error.problems:
            problem = Problem(one.where, one.what, one.fix)
            if problem not in gathered.problems:  # a file that is not there is told once
                gathered.problems.append(problem)
        return None


def _wrong_targets(data: Any, targets: Sequence[str], metric: str | Mapping[str, str] | None) -> list[Problem]:
    """What cannot be asked of several targets, whatever the table."""
    problems = []
    if twice := sorted({name for name in targets if list(targets).count(name) > 1}):
        problems.append(Problem("target", f"{', '.join(map(repr, twice))} is named twice"))
    if isinstance(metric, Mapping) and (odd := [name for name in metric if name not in targets]):
        what = f"{', '.join(map(repr, odd))} is no target"
        problems.append(Problem("metric", what, f"Targets: {', '.join(targets)}."))
    if data == "-":
        what = "standard input can be read once, and each of several targets reads the table"
        problems.append(Problem("-", what, "Name a file."))
    return problems
