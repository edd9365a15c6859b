"""
Time order
==========

With a time order folds learn from the past of what they are judged on.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from autometa import AutoMetaRegressor

rng = np.random.default_rng(0)
day = pd.date_range("2024-01-01", periods=240)
drift = np.linspace(0, 3, len(day))
X = pd.DataFrame({"day": day, "demand": rng.normal(size=len(day)) + drift, "price": rng.normal(size=len(day))})
y = 2 * X["demand"] - X["price"] + drift**2 + rng.normal(0, 0.3, len(day))

# %%
# Neighbours in time know each other's answers. Judged at random, nearest neighbours look good; judged on the
# future, they do not.
settings = {"trials": 2, "families": ["knn"], "remember": False, "cold": True}
random = AutoMetaRegressor(**settings).fit(X, y)
ordered = AutoMetaRegressor(**settings).fit(X, y, time_order=X["day"])
errors = [-model.leaderboard_["neg_root_mean_squared_error"].iloc[0] for model in (random, ordered)]
print(errors)

# %%
fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.bar(["random folds", "time order"], errors)
ax.set_ylabel("RMSE, as estimated")
plt.show()
