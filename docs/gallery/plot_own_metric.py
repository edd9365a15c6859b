"""
A metric of your own
====================

Any scorer of scikit-learn is a metric by its name. What has no name there can judge among what a search has found.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_wine
from sklearn.metrics import ConfusionMatrixDisplay, cohen_kappa_score
from sklearn.model_selection import train_test_split

from autometa import AutoMetaClassifier

X, y = load_wine(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)

# %%
# ``metric=`` decides what is searched for.
model = AutoMetaClassifier(metric="f1_macro", trials=2, families=["linear", "naive_bayes"], remember=False)
model.fit(X_train, y_train)
print(model.leaderboard_[["family", "f1_macro", "matthews_corrcoef", "neg_log_loss"]])

# %%
# Every metric is computed along the way, so a second opinion costs no second search; and a measure that is
# entirely your own is asked of the predictions.
predicted = model.predict(X_test)
print("weighted kappa:", cohen_kappa_score(y_test, predicted, weights="quadratic"))

# %%
# Which classes are taken for which is what any measure of labels is made of.
ConfusionMatrixDisplay.from_predictions(y_test, predicted, cmap="Blues", colorbar=False)
plt.show()
