"""
Text and dates
==============

Columns are read as what they hold: dates become month, weekday and time elapsed, text becomes the parts of its words,
and whatever is done is said.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.inspection import permutation_importance

from autometa import AutoMetaClassifier, make_task

rng = np.random.default_rng(0)
n = 500
remarks = ["arrived late and broken", "all was fine", "asks for a refund", "will order again", "no answer to the mail"]
table = pd.DataFrame(
    {
        "ordered": pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 500, n), unit="D"),
        "remark": [f"{remarks[i]}, order {number}" for number, i in enumerate(rng.integers(0, 5, n))],
        "price": [f"${price:,.2f}" for price in rng.lognormal(6, 1, n)],
        "sku": [f"SKU-{number:05}" for number in range(n)],
    }
)
returned = np.where(table["remark"].str.contains("broken|refund"), "yes", "no")

# %%
# How the table is read, before anything is fitted:
task = make_task(table, y=returned)
print(*task.schema.notes, sep="\n")
print(task.X.dtypes)

# %%
# The model takes the table as it is, and so does ``predict``.
model = AutoMetaClassifier(trials=2, families=["linear"], remember=False).fit(table, returned)
print(model.leaderboard_[["family", "roc_auc"]])
print(model.predict(table.head(3)))

# %%
# The words decide, and the model has found them: each of your columns is shuffled, and the model asked again.
found = permutation_importance(model, table, returned, scoring="roc_auc", n_repeats=2, random_state=0)
fig, ax = plt.subplots(figsize=(5, 2.5), layout="constrained")
ax.barh(table.columns, found.importances_mean, xerr=found.importances_std)
ax.set_xlabel("loss of ROC AUC when shuffled")
plt.show()
