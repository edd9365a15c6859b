"""What is tuned: replace it by your own. The same file is on every machine."""

from __future__ import annotations

import math

import optuna

STUDY = "bowl"  # the name of the study in Optuna's storage
SPACE = "bowls"  # the name under which AutoMeta's store keeps studies of this search space
DIRECTION = "minimize"


def objective(trial: optuna.Trial) -> float:
    """A stand-in for a training: its loss."""
    rate = trial.suggest_float("rate", 1e-4, 1.0, log=True)
    depth = trial.suggest_int("depth", 1, 12)
    return (math.log10(rate) + 2.0) ** 2 + 0.01 * abs(depth - 6)
