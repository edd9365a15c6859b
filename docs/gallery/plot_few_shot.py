"""
Few-shot learning on digits
===========================

A learner sees many small tasks made of the digits 0 to 6, and then needs three examples each of 7, 8 and 9.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from autometa import FewShotClassifier

model = FewShotClassifier("protonet").meta_fit("digits", steps=40)

X, y = load_digits(return_X_y=True)
new = np.flatnonzero(y >= 7)
support = np.concatenate([new[y[new] == digit][:3] for digit in (7, 8, 9)])
query = np.setdiff1d(new, support)
model.fit(X[support] / 16, y[support])
print("right:", model.score(X[query] / 16, y[query]), "by chance: 0.33")

# %%
# The nine examples it was given, and what it makes of some it was not.
fig, axes = plt.subplots(2, 9, figsize=(9, 2.4), layout="constrained")
for ax, i in zip(axes[0], support, strict=True):
    ax.imshow(X[i].reshape(8, 8), cmap="gray_r")
    ax.set_title(int(y[i]))
answers = model.predict(X[query[::60]] / 16)
for ax, i, answer in zip(axes[1], query[::60], answers, strict=False):
    ax.imshow(X[i].reshape(8, 8), cmap="gray_r")
    ax.set_title(f"{answer}", color="black" if answer == y[i] else "red")
for ax in axes.flat:
    ax.axis("off")
plt.show()
