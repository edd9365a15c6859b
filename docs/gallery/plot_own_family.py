"""
A model family of your own
==========================

A family says which parameters it has and how a configuration becomes a pipeline.
"""

import inspect
from dataclasses import replace

import matplotlib.pyplot as plt
from sklearn.datasets import load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import Pipeline

from autometa.evaluation import evaluate, plan_splits
from autometa.families import FAMILIES, naive_bayes
from autometa.space import SearchSpace, real
from autometa.task import make_task

# %%
# The shortest way to understand one is to read one. This is the whole file of naive Bayes:
print(inspect.getsource(naive_bayes))

# %%
# Another one: linear discriminant analysis with a shrinkage between none and all. It borrows the preprocessing of
# naive Bayes.


def space(kind):
    return SearchSpace.of(shrinkage=real(0.0, 1.0, 0.1))


def build(config, columns, kind, **how):
    borrowed = naive_bayes.build(naive_bayes.space(kind).default, columns, kind, **how)
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=config["shrinkage"])
    return Pipeline([borrowed.steps[0], ("model", model)])


MINE = replace(naive_bayes.MODEL_FAMILY, name="lda", label="Shrunken LDA", space=space, build=build)
FAMILIES["lda"] = MINE

# %%
# It is in the catalogue, and judged as all others are.
X, y = load_wine(return_X_y=True, as_frame=True)
task = make_task(X, y=y)
splits = plan_splits(task, seed=0)
losses = {}
for shrinkage in (0.0, 0.05, 0.1, 0.2, 0.5, 1.0):
    outcome = evaluate(task, {"family": "lda", "lda.shrinkage": shrinkage}, splits, seed=0)
    losses[shrinkage] = -outcome.evaluation.scores["neg_log_loss"]
del FAMILIES["lda"]

fig, ax = plt.subplots(figsize=(5, 3), layout="constrained")
ax.plot(list(losses), list(losses.values()), "o-")
ax.set_xlabel("shrinkage")
ax.set_ylabel("log loss, cross-validated")
plt.show()

# %%
# For a search of your own to try it, put ``MINE`` into a module, and call ``register_family(MINE)`` there: trials run
# in processes of their own, which import it. A package announces its families by entry points (*Writing a family*).
