"""
Thresholds
==========

A model answers probabilities; which of them is a yes is a decision about costs. scikit-learn tunes it around any
classifier, AutoMeta's among them.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import train_test_split

from autometa import AutoMetaClassifier

X, y = make_classification(700, 8, weights=[0.9], random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
model = AutoMetaClassifier(trials=2, families=["linear"], remember=False).fit(X_train, y_train)
sure = model.predict_proba(X_test)[:, 1]

# %%
# A miss costs ten times as much as a false alarm.


def cost(threshold):
    (_, alarms), (misses, _) = confusion_matrix(y_test, sure >= threshold)
    return 10 * misses + alarms


thresholds = np.linspace(0.01, 0.99, 99)
costs = [cost(threshold) for threshold in thresholds]
print("at 0.5:", cost(0.5), "best:", min(costs), "at", round(thresholds[np.argmin(costs)], 2))

# %%
# Probabilities are calibrated, so theory has a good guess without looking: 1 / (1 + 10).
fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(thresholds, costs)
ax.axvline(1 / 11, color="black", linestyle="--", label="1 / 11")
ax.set_xlabel("threshold")
ax.set_ylabel("cost")
ax.legend()
plt.show()
