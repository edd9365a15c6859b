"""
Reading the memory
==================

What the shipped memory holds, and what it says about a table before anything is fitted.
"""

from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer

import autometa
from autometa.families import cash_space
from autometa.transfer import AdaptivePortfolio

memory = autometa.MetaStore.with_shipped("none_yet.db")
info = memory.info()
print(info["tasks"], "tasks,", info["evaluations"], "evaluations")

# %%
# On each past table some configuration is the best known. Of which family is it?
past = memory.past(kind="binary", metric="roc_auc")
scores = np.asarray(past.scores)
best = np.nanargmax(np.where(np.isnan(scores), -np.inf, scores), axis=1)
wins = Counter(past.configs[i]["family"] for i in best)
names, counts = zip(*wins.most_common(), strict=True)
fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
ax.barh(names[::-1], counts[::-1])
ax.set_xlabel("tables of two classes on which it is the best known")
plt.show()

# %%
# What it would try first on a new table, and why.
X, y = load_breast_cancer(return_X_y=True, as_frame=True)
task = autometa.make_task(X, y=y)
recommender = AdaptivePortfolio().fit(past, cash_space("binary"))
for one in recommender.recommend(autometa.describe(task), 3):
    print(one.config["family"], "|", one.reason)
