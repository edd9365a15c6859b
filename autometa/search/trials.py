"""The trials of one search: asked for, tried in isolation, journalled at once, told.

Law: the evaluation of a trial is on disk before the next one of its thread begins. Ctrl-C once ends the trials that run
and begins no other; Ctrl-C again raises. SIGTERM and SIGHUP are as Ctrl-C once.
"""

from __future__ import annotations

import contextlib
import math
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from autometa.evaluation import AUTO, Attempt, Cancelled, Evaluation, Executor, State, judged
from autometa.families import FAMILIES
from autometa.files import whole
from autometa.origins import GROWN_FROM, MADE_FROM, ORIGIN, REASON, ROWS, Origin
from autometa.search import pace
from autometa.search.clock import Clock
from autometa.search.crossing import Crossings
from autometa.search.first import CONFIG, HERE, FirstModel, first_model
from autometa.search.gpus import Gpus
from autometa.search.in_context import InContext
from autometa.search.newcomers import Newcomers
from autometa.search.patience import is_enough, why_enough
from autometa.search.plan import SearchPlan, cells_per_second
from autometa.search.result import leaderboard
from autometa.search.run import EVALUATION, FILES, FINISHED, STARTED, Run, origin_of, trial_row
from autometa.search.rungs import Rungs, Samples
from autometa.search.settings import Progress, TrialRow
from autometa.search.signals import heard_by
from autometa.space import FAMILY, Config
from autometa.transfer.cost import TrialLimit

if TYPE_CHECKING:
    import optuna


class Trials:
    """Tries configurations in threads until the budget ends; the lock guards the study and the finished trials."""

    def __init__(
        self,
        run: Run,
        plan: SearchPlan,
        clock: Clock,
        study: optuna.Study,
        executor: Executor,
        progress: Progress,
        first: FirstModel | None = None,
    ) -> None:
        """Reads the finished trials of the study; `settle` sees to those that were cut off."""
        self.run, self.plan, self.clock, self.study = run, plan, clock, study
        self.executor, self.progress = executor, progress
        self.metric = run.task.metric
        self.finished = list(run.trials(study))
        self.first = first  # made at the start, where there is a time budget
        self.rungs = Rungs.of(run.task, run.settings, plan, self.finished)
        self._samples = Samples(run.task, plan.splits, run.settings.seed)
        self._climbed = {row.grown_from for row in self.finished if row.grown_from}  # a trial, and with how many rows
        self.crossings = Crossings(plan.space, self.metric, clock.budget.trials, options=plan.options)
        self.in_context = InContext.of(run.task, run.settings, plan, clock.budget.trials, executor)
        self._ranked, self._leaders = -1, list[TrialRow]()  # of how many finished trials
        self.interrupted = False  # by the person
        self._lock = threading.RLock()
        self._stop = threading.Event()  # no more trials
        self._faults: list[BaseException] = []
        self._without_models: set[int] = set()  # trials whose fold models were dropped
        self.gpus = Gpus.of(run.settings.device, executor)
        self._newcomers = Newcomers(run, plan)
        self._left_out = frozenset[str]()  # families that ran out of time again and again

    @property
    def leaders(self) -> list[TrialRow]:
        """The complete trials, best first; sorted once for each trial that ends."""
        if self._ranked != (known := len(self.finished)):
            self._ranked, self._leaders = known, leaderboard(self.finished, self.metric)
        return self._leaders

    def begin_with_the_default(self, *, again: bool = False) -> None:
        """Where the table is large for the time, the library's default of boosting comes first, whatever is proposed.

        Past tasks are smaller, and what was best there often cannot end here. It tells what a trial takes.
        """
        seconds, options = self.run.settings.seconds, self.plan.options
        if seconds is None or (self.finished and not again):
            return
        heavy = cells_per_second(self.run.task, seconds, options) >= options.default_first_load
        if heavy or len(self.rungs.ladder) > 1:
            default = pace.default_to_begin_with(self.plan.space, self.run.task.c, options)
            reason = "The library's default first: the table is large for the time."
            pace.begin_with(self.study, [default], reason, again=again)

    def settle(self) -> None:
        """Trials that were running when the process died: finished if their evaluation is there, else tried again."""
        from optuna.trial import TrialState

        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if row := trial_row(trial):
                self._tell(trial, row.evaluation)
            else:
                self.study.tell(trial.number, state=TrialState.FAIL)
                if trial.params:
                    self.study.enqueue_trial(trial.params, user_attrs=dict(trial.user_attrs))

    def conduct(self) -> None:
        """Trials until the budget ends, or the person; where not one came to an end, the first model.

        Raises:
            BaseException: Whatever went wrong outside of a configuration.
        """
        threads = [threading.Thread(target=self._work, daemon=True, name=f"trial-{k}") for k in range(self.plan.jobs)]
        for thread in threads:
            thread.start()
        told = False
        while alive := [thread for thread in threads if thread.is_alive()]:
            alive[0].join(0.1)  # short, so that Ctrl-C is heard
            if self.interrupted and not told:
                told = True
                self.progress.note("Ending with the best so far; Ctrl-C again stops at once.")
        if self._faults:
            raise self._faults[0]
        if not self.leaders and not self.interrupted:
            self._take_the_first()

    def conduct_here(self, loading: float) -> None:
        """A few defaults in this process, the first after `loading` seconds of the processor, and the first model."""
        clock, took = self.clock, loading * self.clock.budget.crowding
        late = max(clock.budget.left, 0.0) + self.plan.options.late_here
        for default in pace.defaults_here(self.plan.space, self.run.task, self.plan.options):
            if self.interrupted or took > (clock.left_to_search(self._best()) if self.finished else late):
                break
            self.study.enqueue_trial(default, user_attrs={ORIGIN: Origin.DEFAULT.value, REASON: HERE})
            trial, seconds = self.study.ask(), max(clock.budget.left, self.plan.options.least_here)
            self._try(trial, self.plan.space.suggest(trial), "cpu", seconds)
            tried = self.finished[-1].evaluation
            took = tried.fit_seconds + tried.predict_seconds  # the first loads what all need as well
        self._take_the_first()

    @contextlib.contextmanager
    def interrupts(self) -> Iterator[None]:
        """First Ctrl-C: no more trials, finish with the best so far. Second: stop at once.

        What ends a session (SIGTERM of a scheduler, SIGHUP of a terminal) counts as the first, however often it comes.
        """

        def hear(signum: int) -> None:
            again, self.interrupted = self.interrupted and signum == signal.SIGINT, True
            self._stop.set()
            self.executor.cancel_all()
            if again:
                raise KeyboardInterrupt

        with heard_by(hear):
            yield

    # ---------------------------------------------------------------------------------------------------- one by one

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                with self._lock:
                    best = self._best()
                    if not self._may_begin(best):
                        return
                    self._leave_out_the_late()
                    self._climb(best)
                    left, rows = self.clock.left_to_search(best), self.rungs.rows
                    for kind in (self.crossings, self.in_context):
                        kind.enqueue(self.study, self.finished, rows, left=left, longest=self._longest(rows))
                    trial = self.study.ask()
                    config = self.plan.space.suggest(trial)
                with self.gpus.held(config, self._is_over) as device:
                    self._try(trial, config, device)
        except Cancelled:
            return  # by the person, which says nothing about the configuration
        except BaseException as error:  # noqa: BLE001 - carried to the main thread and raised there
            self._faults.append(error)
            self._stop.set()

    def _may_begin(self, best: Evaluation | None) -> bool:
        from optuna.trial import TrialState

        if self._stop.is_set() or self._is_enough(best):
            return False
        begun = len(self.finished)
        if self.clock.budget.trials is not None:
            begun += len(self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))
        quickest = min((row.finished - row.started for row in self.leaders), default=0.0)
        return self.clock.may_begin(best, begun=begun, quickest=quickest)

    def _is_enough(self, best: Evaluation | None) -> bool:
        """Whether nothing better is expected; said once."""
        clock, left, asked = self.clock, self.clock.left_to_search(best), self.run.settings.patience
        options, elapsed = self.plan.options, clock.budget.elapsed
        if left <= 0 or (asked == AUTO and self.rungs.n > options.patient_rows):
            return False
        if not is_enough(self.finished, self.metric, asked, elapsed=elapsed, left=left, options=options):
            return False
        self._stop.set()
        self.progress.note(why_enough(asked, left, clock.budget.seconds))
        return True

    def _leave_out_the_late(self) -> None:
        """Tells the sampler which families run out of time, or have to wait, and what a trial may take here."""
        families = self.plan.space.families
        late = pace.late_families(self.finished, self.plan.options.late_trials).intersection(families)
        late = late if len(late) < len(families) else self._left_out
        for family in sorted(late - self._left_out):
            self.progress.note(f"{FAMILIES[family].label} ran out of time again and again: it is left out from now on.")
        self._left_out = late
        sampler: Any = self.study.sampler
        before = sampler.limit or TrialLimit(math.inf)
        waiting = late | self.gpus.busy(families) | self.in_context.reserved()
        limit = replace(before, late=waiting if len(waiting) < len(families) else late)
        if self.finished and sampler.limit is not None:  # by now trials tell how fast this machine is
            limit = replace(limit, seconds=self._longest(self.rungs.rows))
        if limit != before:
            sampler.limit = limit
        sampler.wanted = self._newcomers.due(self.study, self.finished) - waiting

    def _best(self) -> Evaluation | None:
        return next((row.evaluation for row in self.leaders), None)

    def _is_over(self) -> bool:
        """Whether no trial should begin any more."""
        with self._lock:
            return self._stop.is_set() or self.clock.left_to_search(self._best()) <= 0

    def _try(self, trial: optuna.Trial, config: Config, device: str, seconds: float | None = None) -> None:
        """One configuration: evaluated, journalled and told; `seconds` is its deadline, None for the clock's."""
        origin, reason = origin_of(trial)
        rows = self._rows(trial)
        with self._lock:
            best, begun = self._best(), self.clock.budget.elapsed
            seconds = seconds or self.clock.deadline(best, self._longest(rows))
            patience = self.clock.patience(best, seconds)
            aim = self.clock.to_grow(seconds, self._longest(rows))
            if aim is not None:
                folds = self.plan.splits.n_folds
                faster = pace.affordable(config, self.finished, seconds=aim, folds=folds, rows=rows)
                config = faster if self.plan.space.contains(faster) else config  # a parameter may be fixed
            self.progress.trial_started(trial.number, config, origin, reason)
            attempt = replace(self._attempt(trial.number, config, origin, seconds, rows), device=device)
        evaluation = self.executor.evaluate(
            self.run.folder / "task",
            attempt,
            seconds=seconds,
            max_ram=self.plan.trial_ram(self.executor.overhead()),
            oof_path=self.run.oof_path(trial.number),
            patience=patience,
        )
        with self._lock:
            self._choose_base(evaluation)
            if rows != self.rungs.rows and ROWS not in trial.user_attrs:  # the base has moved meanwhile
                trial.set_user_attr(ROWS, rows)
            source = trial.user_attrs.get(GROWN_FROM)
            grown = None if source is None else (int(source), rows)
            ended, predicted = self.clock.budget.elapsed, self.plan.splits.predicted(evaluation.n_folds)
            made = trial.user_attrs.get(MADE_FROM)
            row = TrialRow(trial.number, evaluation, origin, reason, begun, ended, grown, predicted, made)
            trial.set_user_attr(FILES, self.run.keep_files(trial.number))
            trial.set_user_attr(STARTED, row.started)
            trial.set_user_attr(FINISHED, row.finished)
            trial.set_user_attr(EVALUATION, evaluation.to_dict())  # from here on the trial is finished
            self._tell(trial, evaluation)
            self.finished.append(row)
            leaders = self.leaders
            self._keep_models_of_the_best(leaders)
            if not leaders and evaluation.state in (State.TIMEOUT, State.MEMORY):
                self._fall_back()
            self.progress.trial_finished(row, leaders[0] if leaders else None, self.clock.budget.elapsed)
            if made is not None and evaluation.made:
                self.progress.note(f"Columns made in trial {row.number}: {', '.join(evaluation.made)}.")

    def _keep_models_of_the_best(self, leaders: list[TrialRow]) -> None:
        """Whoever is not among the best any more loses its fold models, and never needs them again: once for each."""
        for row in leaders[self.plan.options.candidates :]:
            if row.number not in self._without_models:
                self.run.drop_models(row.number)
                self._without_models.add(row.number)

    def _rows(self, trial: Any) -> int:
        """That a trial learns from, of the whole table."""
        return int(trial.user_attrs.get(ROWS, self.rungs.rows))

    def _longest(self, rows: int) -> float:
        """Seconds that a trial on so many rows should take at most."""
        return self.clock.longest_on_sample if self.rungs.samples and rows <= self.rungs.rows else self.clock.longest

    def _choose_base(self, evaluation: Evaluation) -> None:
        """By the first trial that came to an end, where a first one was only expected to take its share.

        As long as none does, for want of time, the next one has fewer rows; the default comes again.
        """
        seconds = self.clock.seconds
        if seconds is None or self.leaders or evaluation.rows != self.rungs.rows:
            return
        if evaluation.state == State.COMPLETE:
            self.rungs = self.rungs.moved(evaluation.seconds, self.plan.options.sample_share * seconds)
        elif evaluation.state == State.TIMEOUT and self.rungs.base > 0:
            self.rungs = self.rungs.at(self.rungs.base - 1)
            self.begin_with_the_default(again=True)

    def _climb(self, best: Evaluation | None) -> None:
        """Puts next in the queue what should go on with more rows."""
        left, longest = self.clock.left_to_search(best), self.clock.longest
        up = self.rungs.climb(self.finished, self.metric, begun=self._climbed, left=left, longest=longest)
        if up is None:
            return
        self._climbed.add((up.row.number, up.rows))
        reason = f"Trial {up.row.number} on {up.rows:,} of {self.rungs.n:,} rows, after {up.row.evaluation.rows:,}."
        noted = {ORIGIN: Origin.GROWN.value, REASON: reason, ROWS: up.rows, GROWN_FROM: up.row.number}
        self.study.enqueue_trial(up.row.evaluation.config, user_attrs=noted)

    def _attempt(self, number: int, config: Config, origin: str, seconds: float, rows: int) -> Attempt:
        """How a configuration is tried: against the incumbent, its models kept if they may enter the ensemble."""
        leaders, most = self.leaders, self.plan.options.candidates
        return Attempt(
            config,
            self._samples.of(rows),
            self.run.settings.seed,
            threads=self.plan.threads,
            rival=self._newcomers.rival(leaders, self.finished, config[FAMILY]),
            keep_models=self.run.models_path(number),
            keep_above=leaders[most - 1].evaluation.scores[self.metric] if len(leaders) >= most else None,
            calibrate=True,
            threshold=self.plan.threshold,
            growth=self.clock.to_grow(seconds, self._longest(rows)),
            origin=origin,
            rows=rows,
        )

    def _tell(self, trial: Any, evaluation: Evaluation) -> None:
        """Complete trials have a value; the others are pruned, which Optuna ranks below, with what was seen of them.

        What was seen is the mean over the folds that were finished, reported at the last of them: without it a sampler
        could not tell a hopeless family from one that was never tried. A trial on other rows than those by which
        configurations are proposed is none of a sampler's, and so counts as failed: those look past it.
        """
        from optuna.trial import TrialState

        if ROWS in self.study._storage.get_trial(trial._trial_id).user_attrs:
            self.study.tell(trial.number, state=TrialState.FAIL)
            return
        value, folds = evaluation.scores.get(self.metric, math.nan), evaluation.folds.get(self.metric, ())
        if math.isfinite(value):
            self.study._storage.set_trial_intermediate_value(trial._trial_id, len(folds) - 1, value)
        if evaluation.state == State.COMPLETE and math.isfinite(value):
            self.study.tell(trial.number, value)
            return
        self.study.tell(trial.number, state=TrialState.PRUNED)

    # ----------------------------------------------------------------------------------------------------- fall back

    def _fall_back(self) -> None:
        """Puts the default of a cheap family not yet tried next in the queue."""
        reason = "A cheap default, because nothing that was tried so far came to an end."
        cheap = pace.fall_back(self.plan.space, self.finished, self.run.task.c, self.plan.options)
        pace.begin_with(self.study, cheap, reason, Origin.FALLBACK)

    def _take_the_first(self) -> None:
        """The first model becomes a trial, and so what there is to answer with."""
        from optuna.trial import TrialState, create_trial

        run, plan = self.run, self.plan
        elapsed = self.clock.budget.elapsed
        first = self.first or first_model(
            run.task, plan.splits, seed=run.settings.seed, seconds=self.clock.to_first_model, options=plan.options
        )
        alone = not self.leaders
        if first.is_constant and not alone:
            return
        number, reason = len(self.study.get_trials(deepcopy=False)), first.reason(alone=alone)
        attempt = replace(self._attempt(number, CONFIG, Origin.FALLBACK.value, math.inf, run.task.n), rival=None)
        outcome = judged(run.task, attempt, first.predictions)
        assert outcome.predictions is not None
        evaluation = replace(outcome.evaluation, fit_seconds=first.fit_seconds, rows=first.rows)
        value = evaluation.scores.get(self.metric, math.nan)
        if not math.isfinite(value):
            return  # the metric is not defined for this table, whoever answers
        with whole(run.oof_path(number)) as temporary, temporary.open("wb") as file:
            np.save(file, outcome.predictions if len(outcome.predictions) > 1 else outcome.predictions[0])
        first.save(run.models_path(number))
        ended, predicted = self.clock.budget.elapsed, self.plan.splits.predicted(evaluation.n_folds)
        row = TrialRow(number, evaluation, Origin.FALLBACK.value, reason, elapsed, ended, None, predicted)
        attributes = {
            FILES: run.keep_files(number), STARTED: row.started, FINISHED: row.finished, ORIGIN: row.origin,
            REASON: row.reason, EVALUATION: evaluation.to_dict(),
        }  # fmt: skip
        self.study.add_trial(create_trial(state=TrialState.COMPLETE, value=value, user_attrs=attributes))
        self.finished.append(row)
        if alone:
            self.progress.note(reason)
        self.progress.trial_finished(row, row, self.clock.budget.elapsed)
