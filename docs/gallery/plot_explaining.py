"""
Explaining
==========

Which columns a model needs, and which way they move its answers.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.inspection import PartialDependenceDisplay
from sklearn.model_selection import train_test_split

from autometa import AutoMetaRegressor

X, y = load_diabetes(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
model = AutoMetaRegressor(trials=2, families=["linear"], remember=False).fit(X_train, y_train)

# %%
# Every ``fit`` ends with it: how much the score falls when the values of a column are shuffled, on rows that the
# answering models had not learned from.
found = model.feature_importance()
print(found)

# %%
# The bars are 90 % intervals: by how much the figure would change with other rows.
found = found[::-1]
fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
beside = [found["importance"] - found["low"], found["high"] - found["importance"]]
ax.barh(found["column"], found["importance"], xerr=beside)
ax.set_xlabel("how much RMSE grows when shuffled")
plt.show()

# %%
# In which shape: scikit-learn's tools take the estimator as any other.
fig, ax = plt.subplots(figsize=(6, 3), layout="constrained")
PartialDependenceDisplay.from_estimator(model, X_test, ["bmi", "s5"], grid_resolution=6, ax=ax)
plt.show()
