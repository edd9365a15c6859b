"""
Groups
======

Several rows of one person are on one side of every split. Without that the score flatters.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from autometa import AutoMetaClassifier

rng = np.random.default_rng(0)
people, visits = 40, 6
person = np.repeat(np.arange(people), visits)
face = rng.normal(size=(people, 5))  # what makes a person recognisable, and has nothing to do with the answer
ill = rng.integers(0, 2, people)
X = pd.DataFrame(face[person] + rng.normal(0, 0.05, (people * visits, 5)), columns=list("abcde"))
y = ill[person]

# %%
# The answer is drawn by lot for each person, so nobody can foretell it for a new one.
settings = {"trials": 2, "families": ["knn"], "remember": False, "cold": True}
naive = AutoMetaClassifier(**settings).fit(X, y)
honest = AutoMetaClassifier(**settings).fit(X, y, groups=person)
scores = [model.leaderboard_["roc_auc"].iloc[0] for model in (naive, honest)]
print(scores)

# %%
fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.bar(["rows split at random", "people kept together"], scores)
ax.axhline(0.5, color="black", linestyle="--")
ax.set_ylabel("ROC AUC, as estimated")
plt.show()
