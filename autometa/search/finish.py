"""From evaluated trials to the model that answers: candidates, calibration, ensemble, members, labels.

Nothing here starts a process: who fits a member on all rows is handed in (`Fit`), and so is the clock.

Letters:  n rows · c classes · m candidates · r repeats of the cross-validation.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from autometa.errors import NoModelError
from autometa.evaluation import (
    IDENTITY,
    Calibration,
    Cancelled,
    Dummy,
    Executor,
    Freedom,
    Interval,
    Killed,
    State,
    Weights,
    bootstrap,
    drawings,
    fit_calibration,
    fit_conformal,
    fit_weights,
    interval,
    judged_by_fold,
    mean_of_repeats,
    score,
)
from autometa.families import REGISTRY
from autometa.search.candidates import Candidate, mapped
from autometa.search.clock import Clock
from autometa.search.ensemble import greedy_ensemble
from autometa.search.first import CONFIG
from autometa.search.gpus import Gpus
from autometa.search.held_out import HeldOut
from autometa.search.members import Member
from autometa.search.model import Model, refit
from autometa.search.plan import SearchPlan
from autometa.search.run import Run
from autometa.search.settings import Progress, TrialRow
from autometa.space import FAMILY
from autometa.task import Task


class Fit(Protocol):
    """Fits the configuration of a trial on all rows, or so many of them."""

    def __call__(self, row: TrialRow, *, seconds: float, threads: int, rows: int) -> bytes:
        """The fitted model, as a pickled list.

        Raises:
            Killed: It could not be fitted, or not within `seconds`.
            Cancelled: The person ended it.
        """


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """A member's models: pickled, whether they were fitted anew on all rows, and from how many rows they learned."""

    content: bytes
    anew: bool
    rows: int


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """The final model, and how good it is.

    Args:
        model: What answers.
        oof: (n,) or (n, c) its out-of-fold prediction, mean over repeats; NaN where a row was never held out.
        score: The mean over all folds of all repeats, as that of a trial is; larger is better. `score_std` is the
            standard deviation.
        refitted: Whether every member was fitted anew on all rows.
        interval: Where the score would be, 19 times of 20, had other rows been held out; None where it is not known.
        dummy: What a constant answer scores.
    """

    model: Model
    oof: NDArray[np.float64]
    score: float
    score_std: float
    refitted: bool
    interval: Interval | None = None
    dummy: Dummy | None = None


def fit_by(executor: Executor, run: Run, plan: SearchPlan) -> Fit:
    """A `Fit` that fits where trials run, each within the memory of a trial."""
    folder = run.folder.absolute()  # those processes stay in the folder in which the first of them began
    gpus = Gpus.of(run.settings.device, executor)

    def fit(row: TrialRow, *, seconds: float, threads: int, rows: int) -> bytes:
        ends = time.monotonic() + seconds

        def late() -> bool:
            if time.monotonic() > ends:
                raise Killed(State.TIMEOUT, "no GPU was free in time")
            return False

        with gpus.held(row.evaluation.config, late) as device:
            return executor.written(
                refit,
                folder / "task",
                row.evaluation.config,
                path=folder / "models" / f"{row.number}-refit.pkl",
                seconds=max(ends - time.monotonic(), 0.1),
                max_ram=plan.trial_ram(executor.overhead()),
                seed=run.settings.seed,
                threads=threads,
                device=device,
                rows=rows,
                families=REGISTRY.registered(),
            )

    return fit


def why_no_model(trials: Sequence[TrialRow]) -> str:
    """What to tell the person whose search evaluated nothing."""
    if not trials:
        return "The budget ended before the first configuration was evaluated: give it more time"
    reasons = sorted({f"{r.evaluation.config[FAMILY]}: {r.evaluation.state}, {r.evaluation.reason}" for r in trials})
    return f"None of {len(trials)} configurations could be evaluated: " + "; ".join(reasons[:5])


class Finish:
    """Puts the final model together."""

    def __init__(
        self,
        task: Task,
        plan: SearchPlan,
        clock: Clock,
        fit: Fit,
        progress: Progress,
        interrupted: Callable[[], bool] = lambda: False,
        read: Callable[[Path], bytes] = Path.read_bytes,
    ) -> None:
        """`interrupted` is asked before each fit; after an interrupt kept fold models, which `read` reads, are used."""
        self.read = read
        self.task, self.plan, self.clock = task, plan, clock
        self.fit, self.progress, self.interrupted = fit, progress, interrupted
        self.held_out = HeldOut(task, plan.splits)

    def conduct(self, candidates: Sequence[Candidate]) -> Finished:
        """The greedy ensemble of the candidates (best first), fitted on all rows as far as the time allows.

        Raises:
            NoModelError: Not one of them could be fitted, and no models of its folds are there.
        """
        self.progress.stage("ensembling")
        chosen = self._chosen([self._calibrated(candidate) for candidate in self._ready(candidates)])
        self.progress.stage("refitting", f"{len(chosen)} pipelines" if len(chosen) > 1 else "1 pipeline")
        members, refitted = self._members(chosen)
        oofs = {one.row.number: mapped(one.oof, one.calibration) for one, _ in chosen}
        oof = np.asarray(sum(member.weight * oofs[member.number] for member in members))
        del oofs
        calibration = IDENTITY
        if self.task.kind != "regression" and len(members) > 1:  # one alone has its own
            simple = Freedom.OFFSETS if self.clock.too_late_to_choose else None
            calibration = self._calibration(self.held_out.pooled(oof), simple)
            oof = mapped(oof, calibration)
        pooled = self.held_out.pooled(oof)
        labelled = self._labels(self.held_out, pooled)
        per_fold = self.held_out.scores(pooled, labelled)
        held_out = mean_of_repeats(oof)
        model = Model(
            self.task.name,
            self.task.target,
            self.task.kind,
            self.task.metric,
            self.task.classes,
            self.task.schema,
            tuple(members),
            calibration,
            labelled,
            self.task.positive,
            fit_conformal(self.task, held_out),
        )
        found, between = float(np.nanmean(per_fold)), self._interval(oof, labelled)
        return Finished(
            model,
            held_out,
            found,
            float(np.nanstd(per_fold)),
            refitted,
            interval(found, between),
            Dummy.of(self.task, self.plan.splits),
        )

    def _chosen(self, candidates: Sequence[Candidate]) -> list[tuple[Candidate, float]]:
        """The greedy ensemble's members and weights, the largest first: that one is fitted first.

        Where there are many rows and classes it is chosen by every so many of the rows, of each fold alike.
        """
        shape = candidates[0].oof.shape
        per_row = shape[-1] if len(shape) == 3 else 1
        some = self.held_out.every(-(-len(self.held_out.truth) * per_row // self.plan.options.ensemble_cells))
        known = [one.calibration.apply(some.pooled(one.oof)) for one in candidates]
        # All candidates are on one scale now, so the threshold that suits the best of them suits the others.
        labelled = self._labels(some, known[0])
        weights = greedy_ensemble(
            known,
            lambda pooled: float(np.nanmean(some.scores(pooled, labelled))),
            rounds=self.plan.options.ensemble_rounds,
            out_of_time=lambda: self.clock.too_late_to_choose,
            most=self.plan.members,
            costs=None if self.plan.infer_limit is None else [one.row.row_seconds for one in candidates],
            limit=self.plan.infer_limit or math.inf,
        )
        chosen = [(one, float(weight)) for one, weight in zip(candidates, weights, strict=True) if weight > 0]
        return sorted(chosen, key=lambda pair: -pair[1])

    def _interval(self, oof: NDArray[np.float64], labelled: Weights) -> NDArray[np.float64]:  # (b,)
        """How far the score of other held-out rows would be from that of these."""
        task, splits = self.task, self.plan.splits
        held = np.flatnonzero(splits.test.any(axis=0))  # all rows, but for a hold-out or an order in time
        judge = judged_by_fold(
            partial(score, task.metric, classes=task.classes, positive=task.positive, weights=labelled),
            self.held_out.truths,
            splits.by_fold(oof),
            [test for _, test in splits],
            task.n,
            None if task.weights is None else np.asarray(task.weights),
        )
        return bootstrap(
            lambda rows: judge(held[rows]),
            len(held),
            groups=None if task.groups is None else np.asarray(task.groups)[held],
            times=drawings(task.metric),
            out_of_time=lambda: self.clock.budget.left <= 0,
        )[:, 0]

    def _ready(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those that can answer in time; else the one that is fitted soonest.

        Models too large to be kept have to be fitted again: not those that would outlast the budget.
        """
        left = self.clock.left_to_refit
        ready = [c for c in candidates if c.models or self.clock.to_refit(c.row.evaluation) <= left]
        return ready or [min(candidates, key=lambda c: self.clock.to_refit(c.row.evaluation))]

    def _calibrated(self, candidate: Candidate) -> Candidate:
        """Calibrated: candidates that were fitted under other weights of the classes come to the same scale."""
        if self.task.kind == "regression":
            return candidate
        return replace(candidate, calibration=self._calibration(self.held_out.pooled(candidate.oof), Freedom.OFFSETS))

    def _calibration(self, pooled: NDArray[np.float64], freedom: Freedom | None) -> Calibration:
        return fit_calibration(pooled, self.held_out.truth, freedom, sample_weight=self.held_out.counts)

    def _labels(self, held_out: HeldOut, pooled: NDArray[np.float64]) -> Weights:
        """With which weights of the classes the largest probability is the label; by predictions of those rows."""
        if self.task.kind == "regression":
            return ()
        task = self.task
        return fit_weights(
            task.metric,
            held_out.truth,
            pooled,
            positive=task.positive,
            threshold=self.plan.threshold,
            costs=task.costs,
            sample_weight=held_out.counts,
            classes=task.classes,
        )

    def _members(self, chosen: Sequence[tuple[Candidate, float]]) -> tuple[list[Member], bool]:
        """Fits the chosen on all rows; one that cannot be in time answers by its fold models alone.

        Otherwise the models of the folds have half of a member's weight: a mean over models that differ errs less
        (`benchmarks/answering.py`). They are added in the order of the weights, as long as the model and the table are
        small. Models of folds in time order know only the past, and that of a hold-out lacks rows: neither is added.
        """
        # One has to be there in the end, so it may take longer when no model of any member was kept.
        last_resort = None if any(c.models for c, _ in chosen) else chosen[0][0]
        threads = self.plan.threads_for(len(chosen))

        def fitted(candidate: Candidate) -> _Fitted | None:
            return self._fitted(candidate, threads=threads, must=candidate is last_resort)

        with ThreadPoolExecutor(self.plan.jobs) as pool:
            found = list(pool.map(fitted, [candidate for candidate, _ in chosen]))
        options, task = self.plan.options, self.task
        folds_answer = self.plan.splits.n_folds > 1 and task.time_order is None and self.plan.members != 1
        folds_answer &= task.n <= options.fold_models_rows
        members, room = [], options.fold_models_bytes if folds_answer else 0
        spare = math.inf
        if self.plan.infer_limit is not None:
            spare = self.plan.infer_limit - sum(candidate.row.row_seconds for candidate, _ in chosen)
        for (candidate, weight), done in zip(chosen, found, strict=True):
            if done is None:
                continue
            content, kept = done.content, candidate.models
            whole = done.anew and candidate.row.evaluation.rows >= self.task.n
            slower = self.plan.splits.n_folds * candidate.row.row_seconds  # where the models of folds answer as well
            if whole and kept and (size := kept.stat().st_size) <= room and not slower > spare:
                content, room, spare = content + self.read(kept), room - size, spare - slower
            members.append(Member(candidate.row.number, weight, content, candidate.calibration))
        if not members:
            raise NoModelError("No evaluated pipeline could be fitted on the whole table: raise --max-ram or --time")
        total = sum(member.weight for member in members)
        for member in members:
            member.weight /= total
        self._say_from_how_many([done for done in found if done is not None])
        return members, all(done.anew for done in found if done is not None)

    def _say_from_how_many(self, fitted: Sequence[_Fitted]) -> None:
        """Where parts of the model know fewer rows than the folds of the whole table would."""
        known, n = sorted(done.rows for done in fitted), self.task.n
        if known[0] * self.plan.splits.growth < 0.99 * n:
            low, high, most = (round(rows * self.task.n_learned / n) for rows in (known[0], known[-1], n))
            rows = f"{low:,}" if low == high else f"{low:,} to {high:,}"
            self.progress.note(f"The model learned from {rows} of {most:,} rows: there was no time for more.")

    def _fitted(self, candidate: Candidate, *, threads: int, must: bool) -> _Fitted | None:
        """A member's pickled models; None where there are none."""
        row, kept = candidate.row, candidate.models
        quick = row.evaluation.config == CONFIG  # which says itself what it was made from
        learned = self.task.n if quick else int(row.evaluation.rows / self.plan.splits.growth)
        rows, seconds = self._rows_to_fit(candidate, must=must)
        if kept and self.plan.splits.apart and row.evaluation.rows >= self.task.n and not quick:
            return _Fitted(self.read(kept), True, self.task.n)  # it knows all rows that it may
        if kept and (self.interrupted() or not rows or quick):
            return _Fitted(self.read(kept), False, learned)
        try:
            return _Fitted(self.fit(row, seconds=seconds, threads=threads, rows=rows), rows == self.task.n, rows)
        except Killed as killed:
            self.progress.note(f"trial {row.number} was not refitted on all rows: {killed.reason}")
        except Cancelled:  # by the person, who will not wait for it
            pass
        return _Fitted(self.read(kept), False, learned) if kept else None

    def _rows_to_fit(self, candidate: Candidate, *, must: bool) -> tuple[int, float]:
        """On how many rows a member is fitted anew, and the seconds that it has; no rows where there is no time.

        Where there is none for all rows, on as many as there is time for, if those are many more than its models know.
        """
        evaluation, n, left = candidate.row.evaluation, self.task.n, self.clock.left_to_refit
        expected = self.clock.to_refit(evaluation)
        if expected <= left:
            return n, max(left, 0.1)
        part = int(self.plan.options.partial_refit * n * max(left, 0.0) / max(expected, 1e-9))
        if part > self.plan.options.worth_refitting * evaluation.rows:
            return part, left
        return (n, max(left, 2 * expected + 1.0)) if must else (0, 0.0)
