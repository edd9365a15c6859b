"""
Comparing two runs
==================

With memory and without, on the same table and the same folds.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer

from autometa import AutoMetaClassifier

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
families = ["linear", "naive_bayes"]
runs = {
    name: AutoMetaClassifier(trials=4, families=families, cold=cold, remember=False, random_state=0).fit(X, y)
    for name, cold in {"with memory": False, "cold": True}.items()
}

# %%
# The leaderboards, and the score of the best so far, trial by trial.
fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for name, model in runs.items():
    board = model.leaderboard_.sort_values("trial")
    print(name, model.leaderboard_[["family", "origin", "roc_auc"]].head(3), sep="\n")
    ax.step(board["trial"], np.maximum.accumulate(board["roc_auc"].fillna(0)), where="post", label=name)
ax.set_xlabel("trial")
ax.set_ylabel("best ROC AUC so far")
ax.legend()
plt.show()

# %%
# Their members by score: a difference that is smaller than the spread over folds is none.
for name, model in runs.items():
    print(name, {key: model.summary_[key] for key in ("score", "score_std") if key in model.summary_})
