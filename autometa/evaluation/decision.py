"""From probabilities to labels: the most probable class, or a threshold where the metric judges labels.

F1 wants more positives than are probable, balanced accuracy each class as if it were as frequent as the others; a
probability that means what it says cannot know that. So the probabilities stay, and each class is weighed before the
largest is taken. Of two classes the weights are a threshold; of several they are one over a power of the class's share.

Where it is said what mistakes cost, the label is the class of the least expected cost, and the weights are the costs.

Law: the weights are chosen on out-of-fold predictions, and stay those of the most probable class unless others do
better on rows that they were not chosen by.

Letters:  n rows · c classes · k weights that are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autometa.errors import InputError, Problem
from autometa.evaluation.calibration import parts_of
from autometa.evaluation.comparison import Weights
from autometa.evaluation.formulas import METRICS
from autometa.evaluation.metrics import judges_labels, score
from autometa.evaluation.options import OPTIONS

AUTO = "auto"  # a threshold that is chosen where the metric judges labels
MOST_PROBABLE: Weights = ()

# Metrics of labels that are left at the most probable class. Of accuracy it is the best choice; the others are largest
# where everything, or next to nothing, is taken for the positive class.
_SETTLED = frozenset((
    "accuracy", "precision", "recall", "positive_likelihood_ratio", "neg_negative_likelihood_ratio",
))  # fmt: skip


def read_threshold(value: float | str) -> float | str:
    """A threshold that was asked for: ``auto``, or a number between 0 and 1.

    Raises:
        InputError: It is neither.

    See Also:
        `threshold_of`.

    Example:
        >>> read_threshold(" AUTO "), read_threshold("0.3"), read_threshold(0.5)
        ('auto', 0.3, 0.5)
    """
    if isinstance(value, str) and value.strip().casefold() == AUTO:
        return AUTO
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if isinstance(value, bool) or not 0.0 < number < 1.0:
        fix = "Say auto, 0.5 for the most probable class, or the probability from which a row counts as positive."
        raise InputError(Problem("threshold", f"{value!r} is not a number between 0 and 1", fix))
    return number


def fit_weights(
    metric: str,
    y: NDArray[np.intp],
    probability: NDArray[np.float64],
    *,
    positive: int = 1,
    threshold: float | str = AUTO,
    costs: Weights = (),
    sample_weight: NDArray[np.float64] | None = None,
    classes: Sequence[Any] = (),
) -> Weights:
    """The weights (c,) of the classes with which the largest probability is the label; () for the most probable class.

    Where costs are given, it is these: the label is the class of the least expected cost.

    Args:
        metric: A scorer name; where it does not judge labels, they are the most probable class.
        y: (n,) class codes.
        probability: (n, c) calibrated out-of-fold probabilities.
        positive: The code of the positive class, of two.
        threshold: A number, the probability from which a row of two classes counts as positive; or ``auto``.
        costs: (c, c) of each true class (down) taken for each (across); () where it is not said.
        sample_weight: (n,) how much each row counts; None for all the same.
        classes: (c,) the labels, for metrics of one's own.

    See Also:
        `labels_of`, `fit_calibration`.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> p = rng.beta(1, 9, 4000)
        >>> y = (rng.random(4000) < p).astype(int)
        >>> found = fit_weights("balanced_accuracy", y, np.column_stack([1 - p, p]))
        >>> 0.05 < threshold_of(found) < 0.15
        True
    """
    c = probability.shape[1]
    if costs:
        return costs
    if threshold != AUTO:
        return () if threshold == 0.5 else weights_of(float(threshold), positive)
    if not judges_labels(metric) or metric in _SETTLED or len(np.unique(y)) < 2:
        return ()
    quick = metric in METRICS  # the other scorers cost a hundred times as much
    step = -(-len(y) // (OPTIONS.decision_rows if quick else OPTIONS.decision_rows // 4))
    p, truth = probability[::step], np.asarray(y[::step], dtype=np.intp)
    grid = OPTIONS.thresholds if quick else OPTIONS.thresholds // 3
    choices = _thresholds(p, truth, positive, grid) if c == 2 else _powers(truth, c)

    counts = None if sample_weight is None else sample_weight[::step]

    def judged(rows: NDArray[np.bool_], some: list[Weights]) -> NDArray[np.float64]:  # (k,)
        counted = None if counts is None else counts[rows]
        how: dict[str, Any] = {"positive": positive, "sample_weight": counted, "classes": classes}
        scores = [score(metric, truth[rows], p[rows], c, weights=weights, **how) for weights in some]
        return np.nan_to_num(np.asarray(scores), nan=-np.inf)

    parts = parts_of(truth, OPTIONS.decision_parts)
    gain = 0.0
    for part in range(OPTIONS.decision_parts):
        rest, own = parts != part, parts == part
        best = _best(judged(rest, choices))
        with_it, without = judged(own, [choices[best], ()])
        gain += with_it - without if np.isfinite(with_it - without) else 0.0
    return choices[_best(judged(np.ones(len(truth), dtype=bool), choices))] if gain > 0 else ()


def weights_of(threshold: float, positive: int) -> Weights:
    """The weights of two classes that are a threshold.

    See Also:
        `threshold_of`, `fit_weights`.

    Example:
        >>> weights_of(0.25, 1), weights_of(0.25, 0)
        ((0.25, 0.75), (0.75, 0.25))
    """
    return (threshold, 1.0 - threshold) if positive == 1 else (1.0 - threshold, threshold)


def threshold_of(weights: Weights, positive: int = 1) -> float:
    """The probability from which a row of two classes counts as positive.

    See Also:
        `weights_of`, `read_threshold`.

    Example:
        >>> threshold_of((0.2, 0.8)), threshold_of(()), threshold_of(((0.0, 1.0), (4.0, 0.0)))
        (0.2, 0.5, 0.2)
    """
    if not weights:
        return 0.5
    given = np.asarray(weights, dtype=np.float64)
    if given.ndim == 2:  # what a false alarm costs more, and a miss
        given = np.array([given[0, 1] - given[0, 0], given[1, 0] - given[1, 1]])
    return float(given[1 - positive] / given.sum())


def _thresholds(p: NDArray[np.float64], y: NDArray[np.intp], positive: int, most: int) -> list[Weights]:
    """Thresholds between the probabilities that there are, spread evenly over the rows that may be positive."""
    own = p[:, positive]
    share = float((y == positive).mean())
    # Half of the grid among all rows, half among as many of the highest as twice the positives: that is where F1 looks.
    upper = np.linspace(max(0.0, 1.0 - 2.0 * share), 1.0, most // 2 + 2)[1:-1]
    places = np.concatenate([np.linspace(0.0, 1.0, most // 2 + 2)[1:-1], upper])
    found = np.unique(np.clip(np.quantile(own, places), 1e-6, 1.0 - 1e-6))
    return [weights_of(float(t), positive) for t in np.unique([*found, 0.5])]


def _powers(y: NDArray[np.intp], c: int) -> list[Weights]:
    """One over powers of the classes' shares, from none to a little more than the whole."""
    shares = (np.bincount(y, minlength=c) + 1.0) / (len(y) + c)
    return [tuple((shares.max() / shares) ** power) for power in np.linspace(0.0, 1.25, OPTIONS.class_powers)]


def _best(scores: NDArray[np.float64]) -> int:
    """The best of scores over ordered choices, each averaged with its neighbours: one lucky row decides nothing."""
    known = np.isfinite(scores)
    if not known.any():
        return 0
    width = max(1, len(scores) // OPTIONS.smoothed_part) | 1
    padded = np.pad(np.where(known, scores, scores[known].min()), width // 2, mode="edge")
    return int(np.argmax(np.convolve(padded, np.full(width, 1.0 / width), mode="valid")))
