"""The search: what to try, tried in isolation, journalled at once, and put together at the end.

    propose   the sampler asks the memory first, then Optuna
    try       each configuration in a process of its own, under a deadline and a memory cap
    journal   the evaluation is on disk before the next trial begins
    finish    greedy ensemble of what was evaluated, refitted, sealed, remembered

Law: with a trial budget, one job, the same seed and the same store, two searches try the same configurations and end in
the same model. So nothing below depends on the clock unless there is a time budget.
"""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autometa.errors import InputError, NoModelError, Problem, RunError
from autometa.evaluation import (
    JUDGE_SURENESS,
    Attempt,
    Cancelled,
    Evaluation,
    Isolation,
    Killed,
    Splits,
    available_cpus,
    available_ram,
    evaluate_isolated,
    fit_temperature,
    plan_splits,
    score,
    shared_isolation,
    tempered,
)
from autometa.families import available, cash_space, suited, truncatable
from autometa.search.budget import Budget
from autometa.search.ensemble import greedy_ensemble
from autometa.search.model import Member, Model, refit, save_model
from autometa.search.result import Result, leaderboard
from autometa.search.run import EVALUATION, FINISHED, STARTED, Run, origin_of, trial_row, write_json
from autometa.search.seal import check_seal
from autometa.search.settings import Progress, Settings, Silent, TrialRow
from autometa.space import FAMILY, Config, SearchSpace
from autometa.store import Exclusion
from autometa.task import Task
from autometa.transfer.cost import TrialLimit

if TYPE_CHECKING:
    import optuna

    from autometa.transfer import Recommendation, Surrogate

ENSEMBLE_CANDIDATES = 25  # best trials whose predictions may enter the ensemble, and whose fold models are kept
FOLD_MODELS_BYTES = 64 << 20  # of fold models in the final model, at most
REFIT_SHARE = 0.2  # of the time budget, the most that is kept for fitting the best on all rows beyond the usual reserve
TRIAL_SHARE = 0.25  # of the time budget, the most one trial should take once there is something to fall back on
GRACE = 1.5  # times that: what aimed at it is ended then; two folds of three, for want of a second, are nothing
DESCRIBE_SECONDS = 1.0  # for meta-features
WARM_TRIALS = 5  # at most so many are the recommender's, and at most half of a trial budget; then the guarded search
SHOWN = 10  # recommendations that are kept for people to read
THREE_FOLDS_ABOVE, HOLD_OUT_ABOVE = 5_000, 30_000  # cells of the table per second of the budget
LARGE, LARGE_HOLD_OUT_ABOVE = 15_000, 8_000  # rows of which a hold-out takes a sixth at most: one earlier
FREE_CLASSES = 5  # more cost in proportion
REPEATS_FROM = 300.0  # seconds of the budget
CHEAP = ("linear", "naive_bayes", "knn")  # families whose defaults end soon on any table
LAST_RESORT = 10.0  # seconds, whatever the budget, for one cheap default where nothing else was evaluated in time
UNHURRIED = 600.0  # seconds for what has no time budget, so that a hang still ends


def search(
    task: Task,
    settings: Settings,
    run: Path,
    *,
    progress: Progress | None = None,
    started: float | None = None,
    isolation: Isolation | None = None,
) -> Result:
    """Searches in a new run folder until the budget ends.

    Args:
        task: What to learn.
        settings: Budget, families, store, seed and the rest.
        run: A folder that is new or empty.
        progress: Told what happens; None for silence.
        started: When the clock of the time budget began (`time.monotonic`); None for now.
        isolation: Where trials run; None for the one that searches of this process share.

    Raises:
        InputError: The folder is taken, a family is unknown, or none suits the table.
        NoModelError: The budget ended before any configuration could be evaluated.
        StoreError: The metadata store cannot be used.
    """
    budget = Budget(settings.seconds, settings.trials, time.monotonic() if started is None else started)
    space = search_space(task, settings)
    splits = affordable_splits(task, settings, available_cpus())
    folder = Run.create(run, task, settings, splits)
    with folder.locked():
        return _Search(folder, space, splits, budget, progress or Silent(), isolation).conduct()


def resume(
    run: Path,
    *,
    seconds: float | None = None,
    trials: int | None = None,
    progress: Progress | None = None,
    trusted: bool = False,
) -> Result:
    """Goes on with a run that was killed at any moment, with what was left of its budget.

    Args:
        run: Its folder.
        seconds: Extra time, added to what was left.
        trials: Extra trials, added to what was left.
        progress: Told what happens; None for silence.
        trusted: Go on even though somebody else began it: that runs code that is in the folder.

    Raises:
        RunError: The folder is not a run, is in use, or is somebody else's.
        NoModelError: The budget ended before any configuration could be evaluated.
    """
    started = time.monotonic()
    folder = Run.open(run)
    if not trusted:
        check_seal(run / "run.json")
    with folder.locked():
        settings = folder.settings
        study = folder.study(repair=True)
        used = max((t.finished for t in folder.trials(study)), default=0.0)
        more_seconds, more_trials = folder.grant(study, seconds or 0.0, trials or 0)
        total = settings.seconds
        if total is not None:
            # What comes after the last trial needs its time even when the search had spent all of its own.
            total = max(total + more_seconds, used + 2 * Budget(total, None).reserve)
        wanted = settings.trials if settings.trials is None else settings.trials + more_trials
        budget = Budget(total, wanted, started - used)
        space = search_space(folder.task, settings)
        return _Search(folder, space, folder.splits, budget, progress or Silent(), None, study).conduct()


def search_space(task: Task, settings: Settings) -> SearchSpace:
    """The conditional space of every family that was asked for, is installed and suits the table.

    Raises:
        InputError: A family is unknown, or none is left.
    """
    asked = tuple(settings.families or available(task.kind))
    cash_space(task.kind, asked)  # refuses unknown names
    unsuited = suited(task, asked)
    kept = tuple(f for f in asked if f not in unsuited)
    if not kept:
        raise InputError([Problem(f"family {f}", why, "Choose another.") for f, why in unsuited.items()])
    return cash_space(task.kind, kept)


def affordable_splits(task: Task, settings: Settings, cpus: int) -> Splits:
    """The splits that suit the task's size, with fewer fits per trial where the time budget is short for it.

    A trial that takes a tenth of the budget leaves a search of ten; what more folds gain in the judgement of each trial
    does not make up for that. Repeats wait for five minutes, and a table too large for five folds gets three or one.
    With one CPU there is half of the time, while more than two run more trials, none of them faster.
    """
    full = plan_splits(task, seed=settings.seed)
    if settings.seconds is None:
        return full
    load = _load(task, settings.seconds * min(cpus, 2) / 2)
    hold_out_above = LARGE_HOLD_OUT_ABOVE if task.n >= LARGE else HOLD_OUT_ABOVE
    folds = 1 if load > hold_out_above else 3 if load > THREE_FOLDS_ABOVE else 5
    if full.n_folds <= folds or (folds == 5 and settings.seconds >= REPEATS_FROM):
        return full
    return plan_splits(task, seed=settings.seed, folds=folds)


def _load(task: Task, seconds: float) -> float:
    """Cells of the table per second of the budget; boosting fits a tree per class, so many classes count like rows."""
    return task.n * max(task.p, 1) * max(task.c / FREE_CLASSES, 1.0) / seconds


def default_jobs(task: Task, settings: Settings, cpus: int) -> int:
    """Trials at once where nobody says: one per CPU, but one with all CPUs where a trial is heavy for the budget.

    Two heavy trials side by side on half of the threads each end too late, or not at all.
    """
    if settings.seconds is None or _load(task, settings.seconds) > HOLD_OUT_ABOVE:
        return 1
    return cpus


def jobs_on(cores: int) -> int | None:
    """`Settings.jobs` for somebody who may use so many CPUs: where they are all, the search knows best."""
    return None if cores >= available_cpus() else cores


class _Search:
    """One search in one run folder. The lock guards the study and everything that a finished trial changes."""

    def __init__(
        self,
        run: Run,
        space: SearchSpace,
        splits: Splits,
        budget: Budget,
        progress: Progress,
        isolation: Isolation | None,
        study: optuna.Study | None = None,  # the run's, where it was read already
    ) -> None:
        self.run, self.space, self.splits, self.budget, self.progress = run, space, splits, budget, progress
        self.task, self.settings = run.task, run.settings
        cpus = available_cpus()
        self.jobs = self.settings.jobs or default_jobs(self.task, self.settings, cpus)
        self.threads = max(1, cpus // self.jobs)
        self.isolation = isolation or shared_isolation()
        self.known_study = study
        self.lock = threading.RLock()
        self.stop = threading.Event()  # no more trials
        self.interrupted = False
        self.rows: list[TrialRow] = []
        self.faults: list[BaseException] = []

    # ------------------------------------------------------------------------------------------------ the whole of it

    def conduct(self) -> Result:
        """Search, then finish."""
        with contextlib.ExitStack() as stack:
            self.isolation.warm_up()
            sampler = self._recall()
            self.study = self.known_study or self.run.study(repair=True)
            self.study.sampler = sampler
            self.rows = list(self.run.trials(self.study))
            self.recommendations = self._recommendations()
            self._settle_interrupted()
            self.progress.started(self.task, self.settings, self.recommendations)
            stack.enter_context(self._interrupts())
            self.progress.stage("searching")
            self._search()
            return self._finish()

    # --------------------------------------------------------------------------------------------------------- recall

    def _recall(self) -> optuna.samplers.BaseSampler:
        """The sampler, with what the store remembers behind it unless the search is cold."""
        from autometa.metafeatures import describe
        from autometa.sampler import WarmStartSampler
        from autometa.store import MetaStore

        seed, total = self.settings.seed, self.settings.seconds
        self.metafeatures = None
        if self.settings.remember or not self.settings.cold:
            self.progress.stage("describing")
            allowance = UNHURRIED if total is None else min(DESCRIBE_SECONDS, 0.05 * total)
            self.metafeatures = describe(self.task, seconds=allowance)
        if self.settings.cold:
            return WarmStartSampler(None, self.space, seed=seed)
        past = MetaStore.with_shipped(self.settings.store).past(
            kind=self.task.kind, metric=self.task.metric, exclude=self.settings.exclude
        )
        return WarmStartSampler(
            past,
            self.space,
            self.metafeatures,
            n_initial=self._warm_trials(),
            surrogate=self._surrogate(),
            seed=seed,
            seconds=None if total is None else max(self.budget.left_to_search, 0.0),
            jobs=self.jobs,
            limit=None if math.isinf(self._longest()) else TrialLimit(self._longest(), truncatable(self.space)),
            folds=len(self.splits),
        )

    def _surrogate(self) -> Surrogate | None:
        """The surrogate that ships with the package, if it knows everything that is searched here."""
        from autometa.store.address import meta_db
        from autometa.transfer import Surrogate

        path = meta_db() / f"surrogate-{self.task.kind}.npz"
        if not path.is_file() or self.settings.exclude != Exclusion():  # weights cannot forget what they learned from
            return None
        try:
            return Surrogate.load(path).restricted(self.space)
        except InputError as error:
            self.progress.note(f"The surrogate that ships with AutoMeta is not used: {error}")
            return None

    def _warm_trials(self) -> int:
        return WARM_TRIALS if self.budget.trials is None else min(WARM_TRIALS, -(-self.budget.trials // 2))

    def _recommendations(self) -> list[Recommendation]:
        """What the memory proposed before the first trial."""
        from autometa.sampler import WarmStartSampler

        if self.settings.cold:
            return []
        if not self.rows and not self.run.recommendations():
            sampler = self.study.sampler
            assert isinstance(sampler, WarmStartSampler)
            self.run.save_recommendations(sampler.recommend(self.study, SHOWN))
        return list(self.run.recommendations())

    # --------------------------------------------------------------------------------------------------------- search

    def _settle_interrupted(self) -> None:
        """Trials that were running when the process died: finished if their evaluation is there, else tried again."""
        from optuna.trial import TrialState

        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if row := trial_row(trial):
                self._tell(trial, row.evaluation)
            else:
                self.study.tell(trial.number, state=TrialState.FAIL)
                if trial.params:
                    self.study.enqueue_trial(trial.params, user_attrs=dict(trial.user_attrs))

    def _search(self) -> None:
        threads = [threading.Thread(target=self._work, daemon=True, name=f"trial-{k}") for k in range(self.jobs)]
        for thread in threads:
            thread.start()
        told = False
        while alive := [thread for thread in threads if thread.is_alive()]:
            alive[0].join(0.1)  # short, so that Ctrl-C is heard
            if self.interrupted and not told:
                told = True
                self.progress.note("Ending with the best so far; Ctrl-C again stops at once.")
        if self.faults:
            raise self.faults[0]
        if self._has_nothing_in_time():
            self._resort_to_the_cheapest()

    def _has_nothing_in_time(self) -> bool:
        """Whether time alone, such as that of loading libraries from a slow disk, has left the search with nothing."""
        open_ended = self.budget.trials is None or len(self.rows) < self.budget.trials
        late = all(row.evaluation.state == "timeout" for row in self.rows)
        return late and open_ended and not self.interrupted and self.settings.seconds is not None

    def _resort_to_the_cheapest(self) -> None:
        """One more trial: a model some seconds late is worth more than none."""
        self.progress.note(f"Nothing could be evaluated in time: a cheap default has up to {LAST_RESORT:g} s more.")
        self._fall_back(again=True)
        trial = self.study.ask()
        config = self.space.suggest(trial)
        self._try(trial, config, self.budget.elapsed, min(LAST_RESORT, self.settings.trial_seconds or math.inf))

    def _work(self) -> None:
        try:
            while not self.stop.is_set():
                with self.lock:
                    if not self._may_begin():
                        return
                    trial = self.study.ask()
                    config = self.space.suggest(trial)
                    begun = self.budget.elapsed
                    seconds = self._deadline(bool(leaderboard(self.rows, self.task.metric)))
                self._try(trial, config, begun, seconds)
        except Cancelled:
            return  # by the person, which says nothing about the configuration
        except BaseException as error:  # noqa: BLE001 - carried to the main thread and raised there
            self.faults.append(error)
            self.stop.set()

    def _may_begin(self) -> bool:
        from optuna.trial import TrialState

        if self.stop.is_set() or self._left_to_search() <= 0:
            return False
        if self.budget.trials is None:
            return True
        running = len(self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))
        return len(self.rows) + running < self.budget.trials

    def _try(self, trial: optuna.Trial, config: Config, begun: float, seconds: float) -> None:
        origin, reason = origin_of(trial)
        metric = self.task.metric
        with self.lock:
            self.progress.trial_started(trial.number, config, origin, reason)
            board = leaderboard(self.rows, metric)
        last = board[ENSEMBLE_CANDIDATES - 1] if len(board) >= ENSEMBLE_CANDIDATES else None
        evaluation = evaluate_isolated(
            self.isolation,
            self.run.folder / "task",
            Attempt(
                config,
                self.splits,
                self.settings.seed,
                threads=self.threads,
                device=self.settings.device,
                rival=None if not board else board[0].evaluation.folds[metric],
                keep_models=self.run.models_path(trial.number),
                keep_above=None if last is None else last.evaluation.scores[metric],
                calibrate=True,
                growth=None if math.isinf(self._longest()) else min(seconds, self._longest()),
                origin=origin,
            ),
            seconds=seconds,
            max_ram=self.settings.max_ram or self._share_of_ram(),
            oof_path=self.run.oof_path(trial.number),
        )
        with self.lock:
            row = TrialRow(trial.number, evaluation, origin, reason, begun, self.budget.elapsed)
            trial.set_user_attr(STARTED, row.started)
            trial.set_user_attr(FINISHED, row.finished)
            trial.set_user_attr(EVALUATION, evaluation.to_dict())  # from here on the trial is finished
            self._tell(trial, evaluation)
            self.rows.append(row)
            board = leaderboard(self.rows, metric)
            for dropped in board[ENSEMBLE_CANDIDATES:]:
                self.run.models_path(dropped.number).unlink(missing_ok=True)
            if not board and evaluation.state in ("timeout", "memory"):
                self._fall_back()
            self.progress.trial_finished(row, board[0] if board else None, self.budget.elapsed)

    def _tell(self, trial: Any, evaluation: Evaluation) -> None:
        """Complete trials have a value; the others are pruned, which Optuna ranks below, with what was seen of them.

        What was seen is the mean over the folds that were finished, reported at the last of them: without it a sampler
        could not tell a hopeless family from one that was never tried.
        """
        from optuna.trial import TrialState

        value, folds = evaluation.scores.get(self.task.metric, math.nan), evaluation.folds.get(self.task.metric, ())
        if math.isfinite(value):
            self.study._storage.set_trial_intermediate_value(trial._trial_id, len(folds) - 1, value)
        if evaluation.state == "complete" and math.isfinite(value):
            self.study.tell(trial.number, value)
            return
        self.study.tell(trial.number, state=TrialState.PRUNED)

    def _fall_back(self, *, again: bool = False) -> None:
        """Puts the default of a cheap family not yet tried next in the queue; with `again`, else one that was."""
        from autometa.sampler import ORIGIN, REASON

        tried = {row.evaluation.config[FAMILY] for row in self.rows}
        cheap = [config for family in CHEAP for config in self.space.defaults() if config[FAMILY] == family]
        for config in ([c for c in cheap if c[FAMILY] not in tried] or cheap * again)[:1]:
            reason = "A cheap default, because nothing that was tried so far came to an end."
            attributes = {ORIGIN: "default", REASON: reason}
            self.study.enqueue_trial(config, user_attrs=attributes, skip_if_exists=not again)

    def _left_to_search(self) -> float:
        """Seconds for more trials; where the best takes long to fit on all rows, that time is kept for it.

        Models of folds know a part of the rows only: on 11,000 rows the error of such a forest was a tenth larger.
        """
        if self.settings.seconds is None:
            return math.inf
        board = leaderboard(self.rows, self.task.metric)
        wanted = 1.2 * self._refit_seconds(board[0]) - 0.5 * self.budget.reserve if board else 0.0
        return self.budget.left_to_search - min(max(wanted, 0.0), REFIT_SHARE * self.settings.seconds)

    def _deadline(self, have_something: bool) -> float:
        """Seconds for the next trial."""
        limits = [self.settings.trial_seconds or math.inf]
        if self.settings.seconds is None:
            limits.append(UNHURRIED)
        else:
            left = self._left_to_search()
            # Before anything has finished, half of what is left: then there is always a next try, and a cheaper one.
            limits += [left, GRACE * self._longest() if have_something else max(0.5 * left, 2.0)]
        return max(min(limits), 0.1)

    def _longest(self) -> float:
        """Seconds that a trial should take at most; infinite where neither the search nor a trial has a limit."""
        total = math.inf if self.settings.seconds is None else TRIAL_SHARE * self.settings.seconds
        return min(total, self.settings.trial_seconds or math.inf)

    def _share_of_ram(self) -> int:
        return int(0.8 * available_ram() / self.jobs)

    # --------------------------------------------------------------------------------------------------------- finish

    def _finish(self) -> Result:
        metric = self.task.metric
        board = leaderboard(self.rows, metric)
        if not board and self.interrupted:
            raise KeyboardInterrupt
        if not board:
            raise NoModelError(self._why_no_model())
        self.progress.stage("ensembling")
        candidates = [
            (row, oof) for row in board[:ENSEMBLE_CANDIDATES] if (oof := self.run.oof(row.number)) is not None
        ]
        if not candidates:
            raise RunError(f"{self.run.folder / 'oof'} lacks the predictions of every complete trial")
        # Models too large to be kept have to be fitted again: not those that would outlast the budget.
        ready = [
            (row, oof) for row, oof in candidates if self._kept(row) or self._refit_seconds(row) <= self._time_to_fit()
        ]
        candidates = ready or [min(candidates, key=lambda c: self._refit_seconds(c[0]))]
        seen = np.isfinite(candidates[0][1].reshape(self.task.n, -1)).all(axis=1)
        temperatures = {row.number: self._temperature(oof, seen, member=True) for row, oof in candidates}
        candidates = [(row, tempered(oof, temperatures[row.number])) for row, oof in candidates]
        judge = partial(self._score, rows=seen)
        weights = greedy_ensemble(
            [oof for _, oof in candidates], judge, out_of_time=lambda: self.budget.left < 0.6 * self.budget.reserve
        )
        chosen = [(row, float(w)) for (row, _), w in zip(candidates, weights, strict=True) if w > 0]
        chosen.sort(key=lambda c: -c[1])  # who has most to say is fitted first
        self.progress.stage("refitting", f"{len(chosen)} pipelines" if len(chosen) > 1 else "1 pipeline")
        members, refitted = self._fit_members(chosen)
        oofs = {row.number: oof for row, oof in candidates}
        oof = np.asarray(sum(m.weight * oofs[m.number] for m in members))
        for member in members:
            member.temperature = temperatures[member.number]
        temperature = self._temperature(oof, seen)
        oof = tempered(oof, temperature)
        per_fold = np.array([self._score(oof, rows=test) for _, test in self.splits])
        model = Model(
            self.task.name,
            self.task.target,
            self.task.kind,
            metric,
            self.task.classes,
            self.task.schema,
            tuple(members),
            temperature,
        )
        save_model(model, self.run.folder / "model.pkl")
        if self.settings.remember:
            self.progress.stage("remembering")
            self._remember()
        result = Result(
            run=self.run.folder,
            task=self.task,
            settings=self.settings,
            trials=tuple(sorted(self.rows, key=lambda row: row.number)),
            recommendations=tuple(self.recommendations),
            members=tuple((m.number, m.weight) for m in members),
            score=float(np.nanmean(per_fold)),
            score_std=float(np.nanstd(per_fold)),
            oof=oof,
            seconds=self.budget.elapsed,
            interrupted=self.interrupted,
            model=self.run.folder / "model.pkl",
            refitted=refitted,
        )
        np.save(self.run.folder / "oof.npy", oof)
        write_json(
            self.run.folder / "result.json",
            {
                "members": result.members,
                "score": result.score,
                "score_std": result.score_std,
                "seconds": result.seconds,
                "interrupted": result.interrupted,
                "refitted": refitted,
                "summary": result.summary(),
            },
        )
        return result

    def _kept(self, row: TrialRow) -> Path | None:
        """The trial's fold models, unless they were too large."""
        path = self.run.models_path(row.number)
        return path if path.exists() else None

    def _time_to_fit(self) -> float:
        return UNHURRIED if self.settings.seconds is None else self.budget.left - 0.4 * self.budget.reserve

    def _refit_seconds(self, row: TrialRow) -> float:
        """Expected, on all rows."""
        return row.evaluation.fit_seconds / len(row.evaluation.folds[self.task.metric]) * self.splits.growth

    @property
    def _folds_answer(self) -> bool:
        """Whether fold models answer beside the one fitted on all rows; not those that know only the past."""
        return self.splits.n_folds > 1 and self.task.time_order is None

    def _fit_members(self, chosen: list[tuple[TrialRow, float]]) -> tuple[list[Member], bool]:
        """Fits the chosen configurations on all rows; one that cannot be in time answers by its fold models alone.

        Otherwise the models of the folds have half a member's say: a mean over models that differ errs less
        (`benchmarks/answering.py`). They are added in the order of the weights, as long as the model stays small.
        """
        isolation = self.isolation
        # One has to be there in the end, so it may take longer when no model of any member was kept.
        last_resort = None if any(self._kept(row) for row, _ in chosen) else chosen[0][0].number

        threads = max(self.threads, available_cpus() // len(chosen))

        def fit(row: TrialRow) -> tuple[bytes | None, bool]:
            path = self.run.folder / "models" / f"{row.number}-refit.pkl"
            seconds, expected = self._time_to_fit(), self._refit_seconds(row)
            kept = self._kept(row)
            if kept and (self.interrupted or expected > seconds):
                return kept.read_bytes(), False
            try:
                isolation.call(
                    refit,
                    self.run.folder / "task",
                    row.evaluation.config,
                    path,
                    seconds=max(seconds, 2 * expected + 1.0 if row.number == last_resort else 0.1),
                    max_ram=self.settings.max_ram or self._share_of_ram(),
                    seed=self.settings.seed,
                    threads=threads,
                    device=self.settings.device,
                )
                return path.read_bytes(), True
            except Killed as killed:
                self.progress.note(f"trial {row.number} was not refitted on all rows: {killed.reason}")
                return (kept.read_bytes() if kept else None), False
            except Cancelled:  # by the person, who will not wait for it
                return (kept.read_bytes() if kept else None), False
            finally:
                path.unlink(missing_ok=True)

        with ThreadPoolExecutor(self.jobs) as pool:
            fitted = list(pool.map(fit, [row for row, _ in chosen]))
        members, room = [], FOLD_MODELS_BYTES if self._folds_answer else 0
        for (row, w), (content, anew) in zip(chosen, fitted, strict=True):
            if not content:
                continue
            if anew and (kept := self._kept(row)) and (size := kept.stat().st_size) <= room:
                content, room = content + kept.read_bytes(), room - size
            members.append(Member(row.number, w, content))
        if not members:
            raise NoModelError("No evaluated pipeline could be fitted on the whole table: raise --max-ram or --time")
        total = sum(m.weight for m in members)
        for member in members:
            member.weight /= total
        return members, all(anew for content, anew in fitted if content)

    def _score(self, prediction: NDArray[np.float64], *, rows: NDArray[Any]) -> float:
        return score(self.task.metric, self.task.y[rows], prediction[rows], len(self.task.classes))

    def _temperature(self, oof: NDArray[np.float64], seen: NDArray[np.bool_], *, member: bool = False) -> float:
        """Of out-of-fold probabilities; a member's matters where the metric does, that of all together to the user."""
        if self.task.kind == "regression" or (member and self.task.metric not in JUDGE_SURENESS):
            return 1.0
        return fit_temperature(oof[seen], self.task.y[seen])

    def _remember(self) -> None:
        from autometa.store import MetaStore, TaskRecord

        store = MetaStore(self.settings.store)
        record = TaskRecord.of(self.task, self.metafeatures, source="fit")
        store.add(record, [row.evaluation for row in self.rows])

    def _why_no_model(self) -> str:
        if not self.rows:
            return "The budget ended before the first configuration was evaluated: give it more time"
        reasons = sorted(
            {f"{r.evaluation.config[FAMILY]}: {r.evaluation.state}, {r.evaluation.reason}" for r in self.rows}
        )
        return f"None of {len(self.rows)} configurations could be evaluated: " + "; ".join(reasons[:5])

    # ----------------------------------------------------------------------------------------------------- interrupts

    @contextlib.contextmanager
    def _interrupts(self) -> Iterator[None]:
        """First Ctrl-C: no more trials, finish with the best so far. Second: stop at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def heard(signum: int, frame: Any) -> None:
            again, self.interrupted = self.interrupted, True
            self.stop.set()
            self.isolation.cancel_all()
            if again:
                raise KeyboardInterrupt

        before = signal.signal(signal.SIGINT, heard)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
