"""What a fitted estimator can draw: plots of matplotlib (extra ``plots``), on axes that are yours.

Each gives its axes back, so that a title, a scale or a file of one's own is a line more.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from sklearn.utils.validation import check_is_fitted

from autometa.errors import InputError, Problem, RunError, did_you_mean
from autometa.extras import need
from autometa.origins import Origin
from autometa.report.words import metric_title, origin_words, own_unit
from autometa.search.run import trial_row
from autometa.values import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from autometa.explain import ModelExplanation
    from autometa.search import TrialRow

_COLOURS = {  # those of the report (`report/page.css`)
    "default": "#7b858f", "portfolio": "#0f8f94", "similar": "#8e4ec6", "surrogate": "#c2410c", "newcomer": "#a14a6b",
    "search": "#2f62d9", "grown": "#2e7d32", "features": "#8a6d00",
}  # fmt: skip
_MARKS = {"circle": "o", "square": "s", "diamond": "D", "triangle": "^", "wedge": "v"}
_BLUE = "#2f62d9"


class Plots:
    """The plots of a fitted estimator.

    See Also:
        `autometa.AutoMetaClassifier`, which has them.

    Example:
        >>> [name for name in dir(Plots) if name.startswith("plot_")]
        ['plot_dependence', 'plot_errors', 'plot_importance', 'plot_search']
    """

    study_: Any
    explanation_: ModelExplanation | None
    metric_: str
    model_: Any

    def plot_search(self, ax: Axes | None = None) -> Axes:
        """The score of every trial over the time, by where its configuration came from, and the best so far.

        Args:
            ax: Where to draw; None for a figure of its own.
        """
        ax = self._axes("plot_search", ax)
        rows = [row for trial in self.study_.get_trials(deepcopy=False) if (row := trial_row(trial)) is not None]
        scored = sorted((row for row in rows if math.isfinite(self._score(row))), key=lambda row: row.finished)
        for known in Origin:
            own = [row for row in scored if row.origin == known]
            if own:
                ax.scatter(
                    [row.finished for row in own],
                    [own_unit(self.metric_, self._score(row)) for row in own],
                    c=_COLOURS.get(known, "#5c6670"),
                    marker=_MARKS.get(known.shape, "o"),
                    label=origin_words(known),
                    zorder=3,
                )
        best = np.maximum.accumulate([self._score(row) for row in scored]) if scored else np.empty(0)
        line = [own_unit(self.metric_, float(score)) for score in best]
        ax.step([row.finished for row in scored], line, where="post", color="#16191d", linewidth=1, label="best so far")
        ax.set_xlabel("seconds since the start")
        ax.set_ylabel(metric_title(self.metric_))
        ax.legend(frameon=False)
        return ax

    def plot_importance(self, ax: Axes | None = None, *, most: int = 15) -> Axes:
        """How much the score falls when the values of a column are shuffled, with intervals; the largest on top.

        Args:
            ax: Where to draw; None for a figure of its own.
            most: Columns that are drawn.

        Raises:
            RunError: It was not measured.
        """
        ax = self._axes("plot_importance", ax)
        top = self._explained().importance[:most][::-1]
        names, drops = [printable(one.column) for one in top], np.array([one.drop for one in top])
        low = np.array([one.drop - one.low if math.isfinite(one.low) else 0.0 for one in top])
        high = np.array([one.high - one.drop if math.isfinite(one.high) else 0.0 for one in top])
        reach = np.maximum(np.vstack([low, high]), 0.0)
        places = np.arange(len(top))
        ax.barh(places, drops, xerr=reach, color=_BLUE, ecolor="#5c6670", error_kw={"linewidth": 1})
        ax.set_yticks(places, [_literal(name) for name in names])
        ax.set_xlabel(f"{metric_title(self.metric_)} is worse by")
        return ax

    def plot_dependence(self, column: str, ax: Axes | None = None) -> Axes:
        """The mean answer when a column has the same value in every row: of classes their probabilities.

        Args:
            column: One of the most important ones.
            ax: Where to draw; None for a figure of its own.

        Raises:
            InputError: It was not measured for this column; those that it was for are named.
        """
        ax = self._axes("plot_dependence", ax)
        measured = {one.column: one for one in self._explained().dependence}
        if column not in measured:
            names = list(measured)
            fix = f"{did_you_mean(column, names)} There are: {', '.join(names)}.".strip() if names else ""
            raise InputError(Problem(f"column {column!r}", "its dependence was not measured", fix))
        found = measured[column]
        at = np.arange(len(found.at)) if found.categorical else np.asarray(found.at, dtype=float)
        for label, curve in found.curves.items():
            if found.categorical:
                ax.plot(at, curve, "o", label=_literal(label))
            else:
                ax.plot(at, curve, label=_literal(label))
        if found.categorical:
            ax.set_xticks(at, [_literal(str(name)) for name in found.at])
        ax.set_xlabel(_literal(column))
        ax.set_ylabel("mean answer" if len(found.curves) == 1 else "mean probability")
        if len(found.curves) > 1:
            ax.legend(frameon=False)
        return ax

    def plot_errors(self, X: Any, y: Any, ax: Axes | None = None) -> Axes:
        """What the model says of rows whose answers are known: of classes a confusion matrix, of numbers both values.

        Args:
            X: (n, p) a table as `predict` takes it.
            y: (n,) its answers.
            ax: Where to draw; None for a figure of its own.
        """
        ax = self._axes("plot_errors", ax)
        from sklearn.metrics import ConfusionMatrixDisplay, PredictionErrorDisplay

        said = cast(Any, self).predict(X)
        if self.model_.kind == "regression":
            PredictionErrorDisplay.from_predictions(y, said, kind="actual_vs_predicted", ax=ax)
        else:
            ConfusionMatrixDisplay.from_predictions(y, said, ax=ax, colorbar=False, cmap="Blues")
        return ax

    def _axes(self, what: str, ax: Axes | None) -> Axes:
        """Where to draw, of a fitted estimator, with the extra installed."""
        check_is_fitted(self, "model_")
        need("plots", what)
        if ax is not None:
            return ax
        import matplotlib.pyplot as plt

        return plt.subplots(layout="constrained")[1]

    def _explained(self) -> ModelExplanation:
        known = getattr(self, "explanation_", None)
        if known is None or not known.importance:
            why = "It was fitted by a version that did not measure it." if known is None else known.words
            raise RunError(f"There is no importance of columns. {why}")
        return cast("ModelExplanation", known)

    def _score(self, row: TrialRow) -> float:
        return float(row.evaluation.scores.get(self.metric_, math.nan))


def _literal(text: str) -> str:
    """A name as it is: matplotlib takes what stands between dollars for mathematics."""
    return printable(text).replace("$", r"\$")
