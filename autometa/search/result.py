"""What a search found: its result, the order of its trials, and what starting from past tasks bought.

The order of a leaderboard, what counts as a failure and what the warm start bought are decided here once; the command
line, the report and the estimators say it in their own words.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autometa.errors import RunError
from autometa.evaluation import Dummy, Interval, Weights, as_weights, threshold_of
from autometa.files import digest, whole
from autometa.origins import State
from autometa.search.first import CONFIG as QUICK
from autometa.search.first import HERE
from autometa.search.model import save_model
from autometa.search.records import DamagedError, read_record, reading, write_record
from autometa.search.run import FORMAT, GRANTED, Run
from autometa.search.settings import Settings, TrialRow
from autometa.space import FAMILY
from autometa.task import Task

if TYPE_CHECKING:
    import optuna

    from autometa.search.model import Model
    from autometa.transfer import Recommendation


@dataclass(frozen=True, slots=True)
class Result:
    """A finished search.

    Args:
        run: Its folder.
        task: The task searched.
        settings: What was asked.
        trials: Every finished trial, in order.
        recommendations: What the memory proposed before the first trial.
        members: (trial number, weight) of the final model; one member is the best single pipeline.
        score: Of the final model, out of fold, in the task's metric, larger is better; `score_std` over folds.
        oof: (n,) or (n, c) out-of-fold prediction of the final model; NaN where a row was never held out.
        seconds: Wall time of everything.
        interrupted: Whether the person ended it.
        model: Where the model is.
        refitted: Whether the members were fitted anew on all rows; otherwise each is the average of its fold models.
        weights: How labels come from probabilities: (c,) of the classes, (c, c) costs, or () for the most probable.
        interval: Where the score would be, 19 times of 20, had other rows been held out; None of a run of an older
            version, and where too few rows say.
        dummy: What a constant answer scores; None of a run of an older version.

    See Also:
        `open_run`, `leaderboard`.

    Example:
        >>> result = open_run(run)  # on scikit-learn's wines
        >>> result.task.kind, len(result.trials), result.best.evaluation.config["family"]
        ('multiclass', 1, 'linear')
    """

    run: Path
    task: Task
    settings: Settings
    trials: tuple[TrialRow, ...]
    recommendations: tuple[Recommendation, ...]
    members: tuple[tuple[int, float], ...]
    score: float
    score_std: float
    oof: NDArray[np.float64]
    seconds: float
    interrupted: bool
    model: Path
    refitted: bool
    weights: Weights = ()
    interval: Interval | None = None
    dummy: Dummy | None = None

    @property
    def best(self) -> TrialRow:
        """The best single trial."""
        return leaderboard(self.trials, self.task.metric)[0]

    @property
    def warm_start(self) -> WarmStart:
        """What starting from past tasks bought."""
        return WarmStart.of(self.trials, self.task.metric)

    @property
    def was_hurried(self) -> bool:
        """Whether there was no time to ask the memory: what ends quickly was tried in the search's own process."""
        return any(row.reason == HERE or row.evaluation.config == QUICK for row in self.trials)

    @property
    def _of_two_classes(self) -> dict[str, Any]:
        """The positive class, and from which probability on it is the label."""
        task = self.task
        if task.kind != "binary":
            return {}
        return {"positive": task.positive_label, "threshold": round(threshold_of(self.weights, task.positive), 6)}

    def summary(self) -> dict[str, Any]:
        """What ``autometa fit --json`` prints."""
        best = self.best
        by_number = {t.number: t for t in self.trials}
        return {
            "run": str(self.run),
            "task": self.task.kind,
            "target": self.task.target,
            "rows": self.task.n_learned,
            **({"validation_rows": self.task.validation} if self.task.validation else {}),
            "columns": self.task.p,
            "metric": self.task.metric,
            "score": self.score,
            "score_std": self.score_std,
            "interval": None if self.interval is None else list(self.interval),
            "dummy": None if self.dummy is None else self.dummy.to_dict(),
            **self._of_two_classes,
            "trials": len(self.trials),
            **Ends.of(self.trials).to_dict(),
            "warm_trials": self.warm_start.proposed,
            "seconds": round(self.seconds, 3),
            "best": {
                "family": best.evaluation.config[FAMILY],
                "params": {k: v for k, v in best.evaluation.config.items() if k != FAMILY},
                "score": best.evaluation.scores[self.task.metric],
                "trial": best.number,
                "origin": best.origin,
            },
            "ensemble": [
                {"trial": number, "family": by_number[number].evaluation.config[FAMILY], "weight": weight}
                for number, weight in self.members
            ],
        }


def leaderboard(trials: Sequence[TrialRow], metric: str) -> list[TrialRow]:
    """The complete trials with a finite score in `metric`, best first; ties go to the earlier.

    See Also:
        `failed`, `TrialRow`.

    Example:
        >>> from autometa.evaluation import Evaluation, State
        >>> def row(number, score, state=State.COMPLETE):
        ...     scores = {"roc_auc": score} if state is State.COMPLETE else {}
        ...     done = Evaluation({"family": "knn"}, state, None, scores, {}, 0.5, 0.1, 0, 0, 90, {})
        ...     return TrialRow(number, done, "search", "", 0.0, 1.0)
        >>> [one.number for one in leaderboard([row(0, 0.8), row(1, 0.9), row(2, 0.0, State.FAILED)], "roc_auc")]
        [1, 0]
    """
    complete = [
        t for t in trials if t.evaluation.state == State.COMPLETE and math.isfinite(t.evaluation.scores[metric])
    ]
    return sorted(complete, key=lambda t: (-t.evaluation.scores[metric], t.number))


def failed(trials: Sequence[TrialRow]) -> list[TrialRow]:
    """The trials whose evaluation failed, crashed or ran out of time or memory, in order.

    What was stopped because it could not win any more did not fail.

    See Also:
        `leaderboard`.

    Example:
        >>> from autometa.evaluation import Evaluation, State
        >>> def row(number, score, state=State.COMPLETE):
        ...     scores = {"roc_auc": score} if state is State.COMPLETE else {}
        ...     done = Evaluation({"family": "knn"}, state, None, scores, {}, 0.5, 0.1, 0, 0, 90, {})
        ...     return TrialRow(number, done, "search", "", 0.0, 1.0)
        >>> [one.number for one in failed([row(0, 0.8), row(1, 0.9, State.TIMEOUT)])]
        [1]
    """
    return [t for t in trials if not t.evaluation.ended_well]


@dataclass(frozen=True, slots=True)
class Ends:
    """How the trials of a search ended: evaluated, stopped because they could not win any more, or failed.

    See Also:
        `failed`, `Result`.

    Example:
        >>> from autometa.evaluation import Evaluation, State
        >>> def row(number, state):
        ...     done = Evaluation({"family": "knn"}, state, None, {}, {}, 0.5, 0.1, 0, 0, 90, {})
        ...     return TrialRow(number, done, "search", "", 0.0, 1.0)
        >>> Ends.of([row(0, State.COMPLETE), row(1, State.STOPPED), row(2, State.TIMEOUT), row(3, State.TIMEOUT)])
        Ends(complete=1, stopped=1, failed={'timeout': 2})
    """

    complete: int
    stopped: int
    failed: Mapping[str, int]  # by how it failed, in order of appearance

    @classmethod
    def of(cls, trials: Sequence[TrialRow]) -> Ends:
        """Of the trials of one run."""
        counts = Counter(str(trial.evaluation.state) for trial in trials)
        complete, stopped = counts.pop(State.COMPLETE.value, 0), counts.pop(State.STOPPED.value, 0)
        return cls(complete, stopped, dict(counts))

    def to_dict(self) -> dict[str, int]:
        """The three numbers."""
        return {"complete": self.complete, "stopped": self.stopped, "failed": sum(self.failed.values())}


@dataclass(frozen=True, slots=True)
class WarmStart:
    """What starting from past tasks bought: how far their proposals came, and how far the other trials did.

    Args:
        proposed: How many trials were of configurations that past tasks proposed before the search began.
        evaluated: How many of these have a finite score, and so a place on the leaderboard.
        best_proposed: The best of them; None if there is none.
        best_other: The best of all other trials on the leaderboard; None if there is none.

    See Also:
        `Result`.

    Example:
        >>> from autometa.evaluation import Evaluation, State
        >>> def row(number, score, state=State.COMPLETE):
        ...     scores = {"roc_auc": score} if state is State.COMPLETE else {}
        ...     done = Evaluation({"family": "knn"}, state, None, scores, {}, 0.5, 0.1, 0, 0, 90, {})
        ...     return TrialRow(number, done, "search", "", 0.0, 1.0)
        >>> bought = WarmStart.of([row(0, 0.8), row(1, 0.9)], "roc_auc")
        >>> bought.proposed, bought.best_other.number
        (0, 1)
    """

    proposed: int
    evaluated: int
    best_proposed: TrialRow | None
    best_other: TrialRow | None

    @classmethod
    def of(cls, trials: Sequence[TrialRow], metric: str) -> WarmStart:
        """Of the trials of one run, judged by `metric`."""
        leaders = leaderboard(trials, metric)
        ours = [t for t in leaders if t.proposed]
        others = [t for t in leaders if not t.proposed]
        return cls(sum(t.proposed for t in trials), len(ours), next(iter(ours), None), next(iter(others), None))


def save_result(result: Result, model: Model, granted: tuple[float, int] = (0.0, 0)) -> None:
    """Writes the final model, its predictions, and what it is made of; `open_run` reads it back.

    `granted` are the seconds and trials that were added to the budget since the run began.

    Without ``result.json`` the run counts as unfinished, so that goes first and comes last.
    """
    path = result.run / "result.json"
    path.unlink(missing_ok=True)
    save_model(model, result.run / "model.pkl")
    with whole(result.run / "oof.npy") as temporary, temporary.open("wb") as file:
        np.save(file, result.oof, allow_pickle=False)
    write_record(
        path,
        {
            "format": FORMAT,
            "members": result.members,
            "score": result.score,
            "score_std": result.score_std,
            "seconds": result.seconds,
            "interrupted": result.interrupted,
            "refitted": result.refitted,
            "weights": result.weights,
            "interval": result.interval,
            "dummy": None if result.dummy is None else result.dummy.to_dict(),
            "granted": granted,
            "summary": result.summary(),
            "files": {name: digest(result.run / name) for name in ("model.pkl", "oof.npy")},
        },
    )


def open_run(run: str | Path, *, trusted: bool = False) -> Result:
    """A finished run, read back from its folder; nothing is written, and none of its code runs.

    Args:
        run: Its folder.
        trusted: Read a run of an older version though somebody else made it: its table is in a pickle.

    Raises:
        RunError: It is not a run, not finished, or damaged.

    See Also:
        `Result`, `autometa.load_model`.

    Example:
        >>> open_run(run).summary()["metric"]
        'neg_log_loss'
    """
    run = Path(run)
    folder = Run.open(run, trusted=trusted)
    values = read_result(folder)
    trials = folder.trials(folder.study())
    with reading(run / "result.json"):
        expected = int(values["summary"]["trials"])
        if len(trials) != expected:
            raise DamagedError(run / "journal.log", f"it has {len(trials)} finished trials, the result {expected}")
        return Result(
            run=run,
            task=folder.task,
            settings=folder.settings,
            trials=trials,
            recommendations=folder.recommendations(),
            members=tuple((number, weight) for number, weight in values["members"]),
            score=values["score"],
            score_std=values["score_std"],
            oof=folder.array(run / "oof.npy"),
            seconds=values["seconds"],
            interrupted=values["interrupted"],
            model=run / "model.pkl",
            refitted=values["refitted"],
            weights=as_weights(values.get("weights", ())),
            interval=None if values.get("interval") is None else tuple(values["interval"]),
            dummy=Dummy.read(values.get("dummy")),
        )


def finished(folder: Run, study: optuna.Study) -> bool:
    """Whether nothing is left to do: a result that is whole, of all trials and of all that was ever granted.

    A run that the person ended before its budget did is not finished, and one is not whose model was set aside.
    """
    try:
        values = read_result(folder)
        for name in values.get("files", {}):
            folder.checksums.check(folder.folder / name)
        known = int(values["summary"]["trials"])
    except (RunError, OSError, ValueError, KeyError, TypeError):
        return False
    granted = tuple(study.user_attrs.get(GRANTED, (0.0, 0)))
    same = granted == tuple(values.get("granted", granted))
    return same and not values["interrupted"] and known == len(folder.trials(study))


def read_result(folder: Run) -> dict[str, Any]:
    """What ``result.json`` says; from here on the checksums of the files beside it are known.

    Raises:
        RunError: The run is not finished, or the file is damaged.
    """
    path = folder.folder / "result.json"
    if not path.exists():
        raise RunError(f"{folder.folder} was not finished. `autometa resume {folder.folder}` goes on with it")
    with reading(path):
        values: dict[str, Any] = read_record(path, newer=FORMAT if folder.format > 1 else None)
        folder.checksums.add(values.get("files", {}))
    return values
