"""The sampler for what the past does not help with."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import optuna
from optuna.trial import FrozenTrial


def several_cold_sampler(
    seed: int | None = None, constraints_func: Callable[[FrozenTrial], Sequence[float]] | None = None
) -> optuna.samplers.TPESampler:
    """Optuna's default for several objectives, TPE without a joint model.

    Example:
        >>> study = optuna.create_study(directions=["minimize"] * 2, sampler=several_cold_sampler(seed=0))
        >>> study.optimize(lambda trial: (trial.suggest_float("x", -1, 1), 0.0), n_trials=3)
        >>> len(study.trials)
        3
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return optuna.samplers.TPESampler(seed=seed, constraints_func=constraints_func)


def cold_sampler(
    seed: int | None = None, constraints_func: Callable[[FrozenTrial], Sequence[float]] | None = None
) -> optuna.samplers.TPESampler:
    """Optuna's TPE as it does best on a conditional space: each family's parameters are modelled jointly.

    The default TPE's joint space is only what all trials share, in a CASH space the choice of family.

    See Also:
        `autometa.WarmStartSampler`.

    Example:
        >>> study = optuna.create_study(sampler=cold_sampler(seed=0))
        >>> study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=3)
        >>> len(study.trials)
        3
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        warnings.simplefilter("ignore", FutureWarning)  # there is a newer way to tell constraints than a function
        return optuna.samplers.TPESampler(
            seed=seed, multivariate=True, group=True, constant_liar=True, constraints_func=constraints_func
        )
