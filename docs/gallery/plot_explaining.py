"""
Explaining
==========

Which columns a model leans on, and how.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.inspection import PartialDependenceDisplay, permutation_importance
from sklearn.model_selection import train_test_split

from autometa import AutoMetaRegressor

X, y = load_diabetes(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
model = AutoMetaRegressor(trials=2, families=["linear"], remember=False).fit(X_train, y_train)

# %%
# How much worse the model gets on unseen rows when a column is shuffled. The HTML report of a run has the same,
# out of fold.
found = permutation_importance(model, X_test, y_test, n_repeats=3, random_state=0)
order = found.importances_mean.argsort()
fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.barh(X.columns[order], found.importances_mean[order], xerr=found.importances_std[order])
ax.set_xlabel("loss of R² when shuffled")
plt.show()

# %%
# In which direction: scikit-learn's tools take the estimator as any other.
PartialDependenceDisplay.from_estimator(model, X_test, ["bmi", "s5"], grid_resolution=6)
plt.show()
