"""Any scorer of scikit-learn, by its name, as a metric: scikit-learn itself computes it, from answers that are there.

Which kinds of task it serves is what it can judge: a small example of each kind is tried once.

Letters:  n rows · c classes.
"""

from __future__ import annotations

import warnings
from functools import cache, partial
from typing import Literal

import numpy as np

from autometa.evaluation.comparison import Comparison, Metric

_EXAMPLES = {  # truth and prediction of each kind
    "binary": (np.array([0, 1, 0, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.4, 0.6], [0.2, 0.8]])),
    "multiclass": (
        np.array([0, 1, 2, 2]),
        np.array([[0.8, 0.1, 0.1], [0.2, 0.6, 0.2], [0.1, 0.2, 0.7], [0.5, 0.3, 0.2]]),
    ),
    "regression": (np.array([1.0, 2.0, 4.0, 3.5]), np.array([1.5, 2.0, 3.0, 3.0])),
}


@cache
def scorer_metric(name: str) -> Metric | None:
    """The metric that a scorer of scikit-learn computes; None where there is no such, or it judges none of our tasks.

    Example:
        >>> found = scorer_metric("jaccard_macro")
        >>> sorted(found.kinds), found.function([0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
        (['binary', 'multiclass'], 0.5)
        >>> scorer_metric("oracle") is None
        True
    """
    from sklearn.metrics import get_scorer, get_scorer_names

    known = {scorer.removesuffix("_score"): scorer for scorer in get_scorer_names()}
    scorer = known.get(name.removesuffix("_score")) or known.get(f"neg_{name}")
    if scorer is None:
        return None
    sign: Literal[1, -1] = -1 if scorer.startswith("neg_") else 1
    formula = partial(_judged, scorer, sign)
    of_numbers = "regression" in get_scorer(scorer)._score_func.__module__  # classes may be taken for numbers
    tried = [kind for kind in _EXAMPLES if (kind == "regression") == of_numbers]
    kinds = frozenset(kind for kind in tried if np.isfinite(formula(Comparison(*_EXAMPLES[kind]))))
    title = scorer.removeprefix("neg_").removesuffix("_score").replace("_", " ")
    by_label = get_scorer(scorer)._response_method == "predict"
    needs: Literal["label", "probability", "value"] = "value" if of_numbers else "label" if by_label else "probability"
    return Metric(scorer, title, kinds, needs, sign, formula) if kinds else None


@cache
def scorer_takes_weights(name: str) -> bool:
    """Whether a scorer of scikit-learn, by its full name, can count some rows more than others.

    Example:
        >>> scorer_takes_weights("jaccard"), scorer_takes_weights("max_error"), scorer_takes_weights("oracle")
        (True, False, False)
    """
    from inspect import signature

    from sklearn.metrics import get_scorer, get_scorer_names

    return name in get_scorer_names() and "sample_weight" in signature(get_scorer(name)._score_func).parameters


def _judged(scorer: str, sign: int, seen: Comparison) -> float:
    """A scorer's judgement in the metric's own unit; NaN where it has none, as where a fold lacks a class."""
    from sklearn.metrics import get_scorer

    from autometa.evaluation.answers import Answers

    c = seen.prediction.shape[1] if seen.prediction.ndim == 2 else 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            answers = Answers(c, seen.positive, seen.weights)
            y = answers.as_judged(seen.y) if c == 2 else seen.y
            counted = {} if seen.sample_weight is None else {"sample_weight": seen.sample_weight}
            return sign * float(get_scorer(scorer)(answers, seen.prediction, y, **counted))
        except (ValueError, TypeError, IndexError):
            return float("nan")
