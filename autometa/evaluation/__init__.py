"""One configuration on one task: how it is split, fitted, judged and kept from doing harm.

`plan_splits` says which rows are learned from, `evaluate` fits and scores, `Isolation` runs it in a process of its own
under a deadline and a RAM cap, and `evaluate_isolated` does all of it and hands on an `Evaluation`. A failure is data.
"""

from __future__ import annotations

from autometa.evaluation.calibration import JUDGE_SURENESS, fit_temperature, tempered
from autometa.evaluation.isolation import (
    Cancelled,
    Isolation,
    Killed,
    available_cpus,
    available_ram,
    shared_isolation,
)
from autometa.evaluation.metrics import METRIC_KINDS, METRICS, Metric, metric_for, resolve_metric, score, score_all
from autometa.evaluation.splits import Splits, plan_splits
from autometa.evaluation.trial import Evaluation, Outcome, evaluate, evaluate_isolated, fit_model, predict_aligned
from autometa.origins import State

__all__ = [
    "JUDGE_SURENESS",
    "METRICS",
    "METRIC_KINDS",
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
    "evaluate",
    "evaluate_isolated",
    "fit_model",
    "fit_temperature",
    "metric_for",
    "plan_splits",
    "predict_aligned",
    "resolve_metric",
    "score",
    "score_all",
    "shared_isolation",
    "tempered",
]
