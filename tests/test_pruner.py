"""The pruner stops what cannot win, and nothing else."""

from __future__ import annotations

import numpy as np
import optuna
import pytest
from optuna.trial import Trial

from autometa import ImprobableWinPruner
from autometa.pruner import chance

optuna.logging.set_verbosity(optuna.logging.ERROR)


def optimised(direction: str = "minimize", noise: float = 0.0, trials: int = 40) -> optuna.Study:
    sign = 1 if direction == "minimize" else -1
    study = optuna.create_study(
        direction=direction, sampler=optuna.samplers.RandomSampler(seed=0), pruner=ImprobableWinPruner()
    )
    rng = np.random.default_rng(0)

    def objective(trial: Trial) -> float:
        x = trial.suggest_float("x", 0, 1)
        for step, wobble in enumerate(noise * rng.standard_normal(10)):
            trial.report(sign * (x + 0.5**step + wobble), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return sign * x

    study.optimize(objective, n_trials=trials)
    return study


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_what_cannot_win_is_stopped_early_and_what_wins_never(direction: str) -> None:
    study = optimised(direction)
    pruned = [trial for trial in study.trials if trial.state == optuna.trial.TrialState.PRUNED]
    assert len(pruned) > 25
    assert all(trial.last_step == 0 for trial in pruned)
    best = min(trial.params["x"] for trial in study.trials)
    assert study.best_params["x"] == best


def test_where_reports_say_little_little_is_stopped() -> None:
    clear, noisy = optimised(noise=0.01), optimised(noise=3.0)
    stopped = [sum(t.state == optuna.trial.TrialState.PRUNED for t in study.trials) for study in (clear, noisy)]
    assert stopped[1] < stopped[0] / 2


def test_a_trial_that_reports_nothing_or_too_early_is_left_alone() -> None:
    study = optimised()
    quiet = study.ask()
    assert not quiet.should_prune()
    study.pruner = ImprobableWinPruner(warm_up=5)
    early = study.ask()
    early.report(99.0, step=2)
    assert not early.should_prune()
    early.report(99.0, step=6)
    assert early.should_prune()


def test_a_trial_that_reports_no_number_is_stopped() -> None:
    trial = optimised().ask()
    trial.report(float("nan"), step=1)
    assert trial.should_prune()


def test_the_chance_falls_with_the_report_and_is_calibrated() -> None:
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(400):
        at = rng.standard_normal(9)
        end = at + rng.standard_normal(9)
        best = end[:8].max()
        inside.append((chance(at[8], list(zip(at[:8], end[:8], strict=True)), best=best), end[8] > best))
    said, came = np.array(inside).T
    assert abs(said.mean() - came.mean()) < 0.04
    assert came[said < 0.03].mean() < 0.05
    chances = [chance(report, [(0, 1), (1, 2.1), (2, 2.9), (3, 4.2)], best=4.0) for report in (0, 1, 2, 3, 4)]
    assert chances == sorted(chances)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="probability"):
        ImprobableWinPruner(1.5)
    with pytest.raises(ValueError, match="fewer than 3"):
        ImprobableWinPruner(least=2)
