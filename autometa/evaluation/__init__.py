"""One configuration on one task: how it is split, fitted, judged and kept from doing harm.

`plan_splits` says which rows are learned from, `evaluate` fits and scores, `Isolation` runs it in a process of its own
under a deadline and a RAM cap, and `evaluate_isolated` does all of it and hands on an `Evaluation`. A failure is data.

splits       which rows are learned from, and which predicted
fitted       a configuration fitted on some rows, and what it predicts
metrics      what a prediction is worth
calibration  temperature scaling
record       what became of it: `Evaluation`, `Outcome`
trial        fit and judge, fold by fold; `isolated` does it in a process of its own
isolation    calls in processes of their own; `watch` follows one call, `forkserver` is the process that starts them
machine      what this machine has
options      the tuned numbers
"""

from __future__ import annotations

from autometa.evaluation.calibration import JUDGE_SURENESS, fit_temperature, tempered
from autometa.evaluation.comparison import Metric
from autometa.evaluation.fitted import fit_model, predict_aligned
from autometa.evaluation.isolated import evaluate_isolated
from autometa.evaluation.isolation import Isolation, shared_isolation
from autometa.evaluation.machine import available_cpus, available_ram, crowding
from autometa.evaluation.metrics import METRIC_KINDS, METRICS, metric_for, resolve_metric, score, score_all
from autometa.evaluation.record import Evaluation, Outcome, mean_of_repeats
from autometa.evaluation.splits import Splits, plan_splits
from autometa.evaluation.trial import Attempt, evaluate, judged
from autometa.evaluation.watch import Cancelled, Killed
from autometa.origins import State

__all__ = [
    "JUDGE_SURENESS",
    "METRICS",
    "METRIC_KINDS",
    "Attempt",
    "Cancelled",
    "Evaluation",
    "Isolation",
    "Killed",
    "Metric",
    "Outcome",
    "Splits",
    "State",
    "available_cpus",
    "available_ram",
    "crowding",
    "evaluate",
    "evaluate_isolated",
    "fit_model",
    "fit_temperature",
    "judged",
    "mean_of_repeats",
    "metric_for",
    "plan_splits",
    "predict_aligned",
    "resolve_metric",
    "score",
    "score_all",
    "shared_isolation",
    "tempered",
]
