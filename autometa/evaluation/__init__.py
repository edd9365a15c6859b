"""One configuration on one task: how it is split, fitted, judged and kept from doing harm.

`plan_splits` says which rows are learned from, `evaluate` fits and scores, `Isolation` runs it in a process of its own
under a deadline and a RAM cap, and `evaluate_isolated` does all of it and hands on an `Evaluation`. A failure is data.

splits       which rows are learned from, and which predicted; `samples` of them, where there are too many
fitted       a configuration fitted on some rows, and what it predicts
metrics      what a prediction is worth; `formulas` are theirs
calibration  probabilities that mean what they say
conformal    intervals, and sets of classes, that hold the truth as often as was asked
decision     labels from probabilities: a threshold, where the metric judges labels
uncertainty  how far a score would be off had other rows been drawn
dummy        what a model gets that looks at no column
record       what became of it: `Evaluation`, `Outcome`
trial        fit and judge, fold by fold; `isolated` does it in a process of its own
isolation    calls in processes of their own; `watch` follows one call, `forkserver` is the process that starts them
machine      what this machine has
options      the tuned numbers
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autometa.late import late
from autometa.origins import State

if TYPE_CHECKING:
    from autometa.evaluation.calibration import IDENTITY, JUDGE_SURENESS, Calibration, Freedom, fit_calibration
    from autometa.evaluation.comparison import Metric, Weights, as_weights, labels_of
    from autometa.evaluation.conformal import Conformal, fit_conformal, read_level
    from autometa.evaluation.decision import AUTO, fit_weights, read_threshold, threshold_of, weights_of
    from autometa.evaluation.dummy import Dummy
    from autometa.evaluation.executor import Executor, Here, Local
    from autometa.evaluation.fitted import fit_model, predict_aligned
    from autometa.evaluation.formulas import COST, METRICS
    from autometa.evaluation.isolated import evaluate_isolated
    from autometa.evaluation.isolation import Isolation, shared_isolation
    from autometa.evaluation.machine import available_cpus, available_ram, crowding
    from autometa.evaluation.metrics import (
        METRIC_KINDS,
        check_metric,
        judges_labels,
        metric_for,
        resolve_metric,
        score,
        score_all,
    )
    from autometa.evaluation.record import Evaluation, Outcome, mean_of_repeats
    from autometa.evaluation.samples import places, sampled
    from autometa.evaluation.splits import Splits, plan_splits, splits_of
    from autometa.evaluation.trial import Attempt, evaluate, judged
    from autometa.evaluation.uncertainty import Interval, bootstrap, drawings, interval, judged_by_fold
    from autometa.evaluation.watch import Cancelled, Killed

__all__ = [
    "AUTO",
    "COST",
    "IDENTITY",
    "JUDGE_SURENESS",
    "METRICS",
    "METRIC_KINDS",
    "Attempt",
    "Calibration",
    "Cancelled",
    "Conformal",
    "Dummy",
    "Evaluation",
    "Executor",
    "Freedom",
    "Here",
    "Interval",
    "Isolation",
    "Killed",
    "Local",
    "Metric",
    "Outcome",
    "Splits",
    "State",
    "Weights",
    "as_weights",
    "available_cpus",
    "available_ram",
    "bootstrap",
    "check_metric",
    "crowding",
    "drawings",
    "evaluate",
    "evaluate_isolated",
    "fit_calibration",
    "fit_conformal",
    "fit_model",
    "fit_weights",
    "interval",
    "judged",
    "judged_by_fold",
    "judges_labels",
    "labels_of",
    "mean_of_repeats",
    "metric_for",
    "places",
    "plan_splits",
    "predict_aligned",
    "read_level",
    "read_threshold",
    "resolve_metric",
    "sampled",
    "score",
    "score_all",
    "shared_isolation",
    "splits_of",
    "threshold_of",
    "weights_of",
]

_HOMES = {
    "AUTO": "decision",
    "Attempt": "trial",
    "COST": "formulas",
    "Calibration": "calibration",
    "Cancelled": "watch",
    "Conformal": "conformal",
    "Dummy": "dummy",
    "Evaluation": "record",
    "Executor": "executor",
    "Freedom": "calibration",
    "IDENTITY": "calibration",
    "Interval": "uncertainty",
    "Isolation": "isolation",
    "JUDGE_SURENESS": "calibration",
    "Killed": "watch",
    "Here": "executor",
    "Local": "executor",
    "METRICS": "formulas",
    "METRIC_KINDS": "metrics",
    "Metric": "comparison",
    "Outcome": "record",
    "Splits": "splits",
    "Weights": "comparison",
    "as_weights": "comparison",
    "available_cpus": "machine",
    "available_ram": "machine",
    "bootstrap": "uncertainty",
    "check_metric": "metrics",
    "crowding": "machine",
    "drawings": "uncertainty",
    "evaluate": "trial",
    "evaluate_isolated": "isolated",
    "fit_calibration": "calibration",
    "fit_conformal": "conformal",
    "fit_model": "fitted",
    "fit_weights": "decision",
    "interval": "uncertainty",
    "judged": "trial",
    "judged_by_fold": "uncertainty",
    "judges_labels": "metrics",
    "labels_of": "comparison",
    "mean_of_repeats": "record",
    "metric_for": "metrics",
    "places": "samples",
    "plan_splits": "splits",
    "predict_aligned": "fitted",
    "read_level": "conformal",
    "read_threshold": "decision",
    "resolve_metric": "metrics",
    "sampled": "samples",
    "score": "metrics",
    "score_all": "metrics",
    "shared_isolation": "isolation",
    "splits_of": "splits",
    "threshold_of": "decision",
    "weights_of": "decision",
}


__getattr__ = late(__name__, _HOMES)  # who answers with a model tries none
