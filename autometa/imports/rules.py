"""Rules: what one hyperparameter of another library becomes here.

A rule takes the value, the facts of the task and the learner's other settings, and gives parameters of ours, or raises
`Unmapped` where there are none. Exact where the libraries agree; see `flows` for what is taken as near enough.

Letters:  n rows to train on · p columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_NONE = 1e-4  # the low end of our families' ranges of regularisation, which stands for none


class Unmapped(Exception):
    """There is no such configuration here; says why."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a translation needs to know of a task."""

    kind: str
    n: int  # rows to train on
    p: int  # columns
    width: int  # columns once categories are one-hot
    categorical: int  # of the columns
    spread: float = 1.0  # standard deviation of a regression target


Parameters = dict[str, Any]
Rule = Callable[[Any, Facts, Parameters], Parameters]  # a value, the task, the other settings -> parameters of ours


def _nearest_share(share: float, facts: Facts) -> Any:
    """The choice of forests that looks at about so large a share of the columns at a split."""
    p = max(facts.p, 1)
    shares = {"sqrt": math.sqrt(p) / p, "log2": max(math.log2(p), 1.0) / p} | {f: f for f in (0.2, 0.4, 0.6, 0.8, 1.0)}
    nearest = min(shares, key=lambda choice: abs(shares[choice] - share))
    if abs(shares[nearest] - share) > max(1.0 / p, 0.1 + 1e-9):  # a column, or half of a step between our choices
        raise Unmapped("no choice of ours is near its share of the columns")
    return nearest


def max_features(value: Any, facts: Facts, theirs: Parameters) -> Parameters:
    """Columns that a forest looks at for a split: a rule, a number or a share, as the nearest of our choices."""
    if value in ("sqrt", "log2"):
        return {"max_features": value}
    if value == "auto":
        return {"max_features": 1.0 if facts.kind == "regression" else "sqrt"}
    if value is None:
        return {"max_features": 1.0}
    share = value if isinstance(value, float) and value <= 1 else value / max(facts.p, 1)
    return {"max_features": _nearest_share(min(share, 1.0), facts)}


def rows_of_a_leaf(value: Any, facts: Facts, theirs: Parameters) -> Parameters:
    """Rows that a leaf holds at least, with what stops a split above it."""
    leaf = math.ceil(value * facts.n) if isinstance(value, float) and value < 1 else int(value)
    split = theirs.get("min_samples_split", 2)
    split = math.ceil(split * facts.n) if isinstance(split, float) and split < 1 else int(split or 2)
    return {"min_samples_leaf": max(leaf, split // 2, 1)}


def bootstrap(value: Any, facts: Facts, theirs: Parameters) -> Parameters:
    """Whether each tree sees a sample of the rows, and what share of them."""
    if not value:
        return {"bootstrap": False}
    rows = theirs.get("max_samples")
    share = 1.0 if rows is None else rows if isinstance(rows, float) and rows <= 1 else rows / facts.n
    return {"bootstrap": True, "max_samples": float(share)}


def drawn_with_replacement(value: Any, facts: Facts, theirs: Parameters) -> Parameters:
    """Ranger's `replace`, with the ``sample.fraction`` that it assumes where it is silent."""
    share = float(theirs.get("sample.fraction") or (1.0 if value else 0.632))
    if value:
        return {"bootstrap": True, "max_samples": share}
    if share < 1:
        raise Unmapped("its trees see rows drawn without replacement")
    return {"bootstrap": False}


def none_if_zero(ours: str) -> Rule:
    """A strength of regularisation, where 0 is the low end of our range."""
    return lambda value, facts, theirs: {ours: max(float(value or 0.0), _NONE)}


def kernel_width(value: Any, facts: Facts, theirs: Parameters) -> Parameters:
    """Gamma of a kernel: ours is a multiple of 1 / (columns * variance), and scaled columns have variance one."""
    return {"gamma": 1.0 if value in ("auto", "scale", "auto_deprecated", None) else float(value) * facts.width}


def kernel(value: Any, facts: Facts, theirs: Parameters) -> Parameters:
    """The kernel of a support vector machine; a polynomial one with its degree."""
    kernel = {"rbf": "rbf", "radial": "rbf", "poly": "poly", "polynomial": "poly"}.get(value)
    if kernel is None:
        raise Unmapped(f"no kernel of ours is {value}")
    if kernel == "rbf":
        return {"kernel": "rbf"}
    if float(theirs.get("coef0") or 0.0) != 1.0:
        raise Unmapped("its polynomial kernel has no constant term, and ours has 1")
    return {"kernel": "poly", "degree": theirs.get("degree") or 3}


def in_units_of_spread(ours: str) -> Rule:
    """A size in units of the target, which ours sees standardised."""
    return lambda value, facts, theirs: {ours: float(value) / (facts.spread or 1.0)}


def penalty(value: Any, facts: Facts, theirs: Parameters) -> Parameters:
    """The penalty of a logistic regression, with the share of it that is l1."""
    ratio = theirs.get("l1_ratio") or 0.0
    if value == "l1" or (value == "elasticnet" and ratio == 1):
        return {"penalty": "elasticnet", "l1_ratio": 1.0}
    if value == "elasticnet" and ratio:
        return {"penalty": "elasticnet", "l1_ratio": float(ratio)}
    if value in ("l2", "elasticnet", "deprecated"):
        return {"penalty": "l2"}
    raise Unmapped(f"penalty={value!r} has no counterpart")


def elastic_net(strength: float, ratio: float, facts: Facts) -> Parameters:
    """``|y - Xw|^2 / 2n + strength (ratio |w|_1 + (1 - ratio) |w|^2 / 2)`` for a target divided by its spread."""
    first, second = strength * ratio / (facts.spread or 1.0), strength * (1.0 - ratio)
    alpha = first + second
    if ratio == 0:
        return {"alpha": alpha * facts.n, "penalty": "l2"}
    return {"alpha": alpha * facts.n, "penalty": "elasticnet", "l1_ratio": first / alpha}


def glmnet_strength(value: Any, facts: Facts, theirs: Parameters) -> Parameters:
    """How much glmnet shrinks, as our strength: its loss is a mean where ours is a sum."""
    strength = theirs.get("s") or value
    if not strength:
        raise Unmapped("it does not say how much it shrinks")
    ratio = 1.0 if theirs.get("alpha") is None else float(theirs["alpha"])
    if facts.kind == "regression":
        return elastic_net(float(strength), ratio, facts)
    parameters: Parameters = {"C": 1.0 / (facts.n * float(strength)), "penalty": "elasticnet" if ratio else "l2"}
    return parameters | ({"l1_ratio": ratio} if ratio else {})


def power_of_distance(value: Any, facts: Facts, theirs: Parameters) -> Parameters:
    """The power of Minkowski's distance that a distance's name stands for."""
    power = {"minkowski": theirs.get("p", 2), "euclidean": 2, "manhattan": 1, "l1": 1, "l2": 2}.get(value)
    if power is None:
        raise Unmapped(f"no distance of ours is {value}")
    return {"p": power}


def columns_of_trees(value: Any, facts: Facts, theirs: Parameters) -> Parameters:
    """The share of the columns for a tree times that for a level, which is sampled again: as the share for the tree."""
    return {
        "colsample_bytree": float(theirs.get("colsample_bytree") or 1.0) * float(value if value is not None else 1.0)
    }


def rows_of_trees(value: Any, facts: Facts, theirs: Parameters) -> Parameters:
    """The share of the rows for a tree; LightGBM draws them only if it is told how often."""
    return {"subsample": float(value) if theirs.get("subsample_freq") else 1.0}


def depth_as_leaves(value: Any, facts: Facts, theirs: Parameters) -> Parameters:
    """The greatest depth d of a tree as its greatest number of leaves, 2^d."""
    if value is None:
        raise Unmapped("its trees grow without end")
    leaves = 2 ** int(value)
    return {"max_leaf_nodes": 255 if leaves == 256 else leaves}  # one less is the most we have


def share_of_columns(value: Any, facts: Facts, theirs: Parameters) -> Parameters:
    """The share of the columns that a boosted tree looks at for a split."""
    p = max(facts.p, 1)
    shares = {"sqrt": math.sqrt(p) / p, "log2": math.log2(max(p, 2)) / p, "auto": 1.0, None: 1.0}
    if isinstance(value, str) or value is None:
        return {"max_features": shares.get(value, math.nan)}
    return {"max_features": value if isinstance(value, float) else value / p}


def half_as_leaf(value: Any, facts: Facts, theirs: Parameters) -> Parameters:
    """A node that is not split below s rows, as leaves of s / 2 rows."""
    return {"min_samples_leaf": max(int(value) // 2, 1)}
