"""Five studies of the same kind; each starts from those before it."""

from collections.abc import Callable

import optuna
import optunahub

package = optunahub.load_module("samplers/autometa_warm_start")
STORE, SPACE = "team.db", "quadratic"


def objective_of(month: int) -> Callable[[optuna.Trial], float]:
    """What is tuned every month; its optimum moves a little."""

    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", -10, 10)
        kind = trial.suggest_categorical("kind", ["plain", "steep"])
        return (x - 2 - 0.1 * month) ** 2 * (4 if kind == "steep" else 1)

    return objective


if __name__ == "__main__":
    for month in range(5):
        study = optuna.create_study(
            study_name=f"month {month}", sampler=package.WarmStartSampler(STORE, space=SPACE, seed=month)
        )
        study.optimize(objective_of(month), n_trials=12, callbacks=[package.remember(STORE, space=SPACE)])
        print(
            f"month {month}: after 3 trials {min(t.value for t in study.trials[:3]):.4f}, best {study.best_value:.4f}"
        )
