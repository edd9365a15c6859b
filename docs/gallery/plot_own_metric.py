"""
A metric of your own
====================

Any scorer of scikit-learn is a metric by its name; so is a function that can be imported, or a scorer made of one.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import ConfusionMatrixDisplay, fbeta_score, make_scorer
from sklearn.model_selection import train_test_split

from autometa import AutoMetaClassifier

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
y = y.map({0: "malignant", 1: "benign"})
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y, test_size=0.1)

# %%
# ``metric=`` decides what is searched for: here an F score in which a missed tumour counts more than a false alarm.
# Trials run in processes of their own, so a function of yours has to be importable: from a module beside your program.
missed = make_scorer(fbeta_score, beta=2, pos_label="malignant")
model = AutoMetaClassifier(metric=missed, trials=2, families=["linear", "naive_bayes"], remember=False)
model.fit(X_train, y_train)

# %%
# Every metric is computed along the way, so a second opinion costs no second search. As this one judges labels, the
# threshold is chosen for it, and stays at one half where another is no better.
print(model.leaderboard_[["family", "roc_auc", "accuracy", "neg_log_loss"]])
print("threshold:", model.model_.threshold)
predicted = model.predict(X_test)

# %%
# Which classes are taken for which is what any measure of labels is made of.
ConfusionMatrixDisplay.from_predictions(y_test, predicted, cmap="Blues", colorbar=False)
plt.show()
