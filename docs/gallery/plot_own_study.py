"""
Your own study, cold and warm
=============================

The second study of a space begins with what the first ones found.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import optuna

import autometa

optuna.logging.set_verbosity(optuna.logging.WARNING)


def problem(seed):
    """A family of objectives: a valley that is elsewhere each time, though not far away."""
    x0, y0 = np.random.default_rng(seed).normal([0.7, -2], 0.15)

    def objective(trial):
        x = trial.suggest_float("x", -5, 5)
        y = np.log10(trial.suggest_float("y", 1e-5, 1, log=True))
        return (x - x0) ** 2 + (y - y0) ** 2

    return objective


# %%
# Six studies are remembered. Then a new one is begun twice: by Optuna's default, and by the memory.
store = autometa.MetaStore(Path(tempfile.mkdtemp()) / "team.db")
for seed in range(6):
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(problem(seed), n_trials=15)
    autometa.remember_study(study, store, space="valleys")

cold = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=9))
cold.optimize(problem(99), n_trials=15)
warm = optuna.create_study(sampler=autometa.WarmStartSampler(store, space="valleys", seed=9))
warm.optimize(problem(99), n_trials=15)

# %%
fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for name, study in {"cold (TPE)": cold, "warm": warm}.items():
    ax.plot(np.minimum.accumulate([trial.value for trial in study.trials]), marker=".", label=name)
ax.set_yscale("log")
ax.set_xlabel("trial")
ax.set_ylabel("best so far")
ax.legend()
plt.show()

# %%
# Each trial says where it came from.
for trial in warm.trials[:5]:
    print(trial.user_attrs["autometa:origin"], "|", trial.user_attrs["autometa:reason"])
