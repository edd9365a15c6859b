"""
A space that has changed
========================

A parameter is renamed, a range is widened, another parameter comes: past studies count where they still can.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import optuna

import autometa

optuna.logging.set_verbosity(optuna.logging.WARNING)
store = autometa.MetaStore(Path(tempfile.mkdtemp()) / "team.db")


def before(trial):
    return (trial.suggest_float("eta", 0.01, 0.3, log=True) - 0.1) ** 2 + (trial.suggest_int("depth", 2, 6) - 5) ** 2


for seed in range(4):
    study = optuna.create_study(study_name=f"week {seed}", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(before, n_trials=12)
    autometa.remember_study(study, store, space="trees")

# %%
# Today the objective asks for something else.


def today(trial):
    rate = trial.suggest_float("learning_rate", 0.001, 1.0, log=True)  # another name and a wider range
    depth = trial.suggest_int("depth", 2, 10)  # wider
    weight = trial.suggest_float("child_weight", 1, 10)  # new
    return (rate - 0.1) ** 2 + (depth - 5) ** 2 + 0.1 * (weight - 3) ** 2


sampler = autometa.WarmStartSampler(store, space="trees", renamed={"eta": "learning_rate"}, seed=0)
study = optuna.create_study(sampler=sampler)
study.optimize(today, n_trials=10)
print(study.best_params)
print(*sampler.notes, sep="\n")

# %%
# It begins where the past was good, and widens from there.
values = [trial.value for trial in study.trials]
fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(range(1, len(values) + 1), values, "o", label="trial")
ax.step(range(1, len(values) + 1), np.minimum.accumulate(values), where="post", label="best so far")
ax.set_yscale("log")
ax.set_xlabel("trial")
ax.set_ylabel("loss")
ax.legend()
plt.show()
