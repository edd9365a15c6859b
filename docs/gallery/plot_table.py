"""
A table
=======

A table goes in, a tuned model with its leaderboard comes out.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import RocCurveDisplay
from sklearn.model_selection import train_test_split

from autometa import AutoMetaClassifier

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y, test_size=0.1)

# %%
# What the memory knows of similar tables is tried first. Three trials of two fast families are enough to see it
# work; without arguments a minute is spent on all of them.
model = AutoMetaClassifier(trials=3, families=["linear", "naive_bayes"], remember=False)
model.fit(X_train, y_train)
print(model.leaderboard_[["rank", "family", "origin", "roc_auc", "fit_seconds"]])

# %%
# Rows that no search has seen have the last word.
RocCurveDisplay.from_predictions(y_test, model.predict_proba(X_test)[:, 1], name="AutoMeta")
plt.show()
