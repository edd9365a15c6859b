"""Notebooks: progress that draws itself in a real kernel, what a fitted estimator shows of itself, and its plots."""

from __future__ import annotations

import importlib.util
import re
import sys
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from autometa import AutoMetaClassifier, AutoMetaRegressor
from autometa.errors import InputError, RunError
from autometa.evaluation import Evaluation, State
from autometa.notebook import in_notebook, progress_here
from autometa.search import Settings, TrialRow
from autometa.task import make_task

mpl.use("agg")
HOSTILE = "<b>cost</b> in $ or $"


def a_table(n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {HOSTILE: rng.normal(size=n), "b": rng.normal(size=n), "town": rng.choice(["<i>Ulm</i>", "Bern"], n)}
    )


@pytest.fixture(scope="module")
def classifier() -> AutoMetaClassifier:
    frame = a_table()
    y = np.where(frame[HOSTILE] + np.random.default_rng(1).normal(size=len(frame)) > 0, "<u>yes</u>", "no")
    model = AutoMetaClassifier(trials=2, families=["linear", "naive_bayes"], cold=True, remember=False, verbose=False)
    return model.fit(frame, y)


@pytest.fixture(scope="module")
def regressor() -> AutoMetaRegressor:
    frame = a_table()
    model = AutoMetaRegressor(trials=1, families=["linear"], cold=True, remember=False, verbose=False)
    return model.fit(frame, 3 * frame[HOSTILE] + frame["b"])


# --------------------------------------------------------------------------------------------------- what is shown


def test_a_fitted_estimator_shows_its_score_leaderboard_and_columns(classifier: AutoMetaClassifier) -> None:
    told = classifier._repr_html_()
    assert re.search(r"<b>ROC AUC 0\.\d+ \(95 %: ", told)
    assert "Linear model" in told
    assert "Naive Bayes" in told
    assert "ROC AUC of" not in told
    assert "is worse by" in told
    assert "Shuffled" in told
    assert '<div tabindex="0" style="overflow-x:auto">' in told  # what scrolls can be reached by keys
    assert "<summary>Parameters</summary>" in told
    assert classifier._repr_mimebundle_()["text/html"].startswith(told[:200])


def test_no_text_of_a_table_becomes_markup_there(classifier: AutoMetaClassifier) -> None:
    told = classifier._repr_html_()
    for text in (HOSTILE, "<u>yes</u>", "<i>Ulm</i>"):
        assert text not in told
    assert "&lt;b&gt;cost" in told


def test_what_is_not_fitted_is_shown_as_scikit_learn_shows_it() -> None:
    told = AutoMetaClassifier()._repr_html_()
    assert "out of fold" not in told
    assert "AutoMetaClassifier" in told


def test_an_estimator_of_before_shows_itself(classifier: AutoMetaClassifier) -> None:
    import copy

    old = copy.copy(classifier)
    for name in ("explanation_", "notes_"):
        vars(old).pop(name)
    old.summary_ = {
        k: v for k, v in classifier.summary_.items() if k not in ("interval", "complete", "stopped", "failed")
    }
    assert "out of fold" in old._repr_html_()


def test_in_a_real_kernel_progress_draws_itself_in_its_place() -> None:
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient")
    nbformat = pytest.importorskip("nbformat", reason="needs nbformat")
    pytest.importorskip("ipykernel", reason="needs ipykernel")
    code = [
        f"import sys; sys.path[:0] = {[path for path in sys.path if path]!r}",
        "from sklearn.datasets import load_iris\n"
        "from autometa import AutoMetaClassifier\n"
        "X, y = load_iris(return_X_y=True, as_frame=True)\n"
        "model = AutoMetaClassifier(trials=2, families=['linear'], cold=True, remember=False).fit(X, y)",
        "model",
        "%matplotlib inline\nmodel.plot_importance().figure;",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in code])
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    _, fit, shown, plot = (cell.outputs for cell in notebook.cells)
    drawn = [one.data["text/html"] for one in fit if one.output_type == "display_data"]
    assert len(drawn) == 1  # one output, changed in its place
    assert "2 complete in" in drawn[0]
    assert drawn[0].count("out of fold") == 1
    assert "searching" not in drawn[0]
    assert "log loss" in drawn[0]
    assert "out of fold" in shown[0].data["text/html"]
    assert "image/png" in plot[-1].data


def test_progress_shows_the_budget_the_best_and_what_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("IPython", reason="needs IPython")
    drawn: list[str] = []
    cell = SimpleNamespace(update=lambda shown: drawn.append(shown.data))
    monkeypatch.setattr("IPython.display.display", lambda shown, display_id: cell)
    from autometa.notebook import NotebookProgress

    frame = a_table()
    task = make_task(frame, y=np.where(frame["b"] > 0, "yes", "no"), metric="roc_auc", name="<b>table</b>")
    progress = NotebookProgress()
    progress.started(task, Settings(seconds=10.0, trials=4), [])
    progress.stage("searching")
    progress.trial_started(3, {"family": "linear"}, "similar", "It was the best on <i>others</i>.")
    during = progress.html()
    assert "0 of 4 trials" in during
    assert "of 10.0 s" in during
    assert "nothing yet" in during
    assert "Linear model" in during
    assert "similar tasks. It was the best on &lt;i&gt;others&lt;/i&gt;." in during
    done = Evaluation({"family": "linear"}, State.COMPLETE, None, {"roc_auc": 0.9}, {}, 0.5, 0.1, 0, 0, 90, {})
    progress.trial_finished(row := TrialRow(3, done, "similar", "", 0.0, 1.0), row, 1.0)
    progress.end()
    assert "ROC AUC 0.9000" in progress.html()
    assert drawn[-1] == progress.html()
    assert "<table" not in drawn[-1]  # lasting lines alone


def test_elsewhere_progress_is_that_of_a_terminal() -> None:
    assert not in_notebook()
    with progress_here() as progress:
        assert type(progress).__name__ == "LiveProgress"


# --------------------------------------------------------------------------------------------------------- its plots


def test_the_search_is_drawn_in_the_metrics_own_unit(
    regressor: AutoMetaRegressor, classifier: AutoMetaClassifier
) -> None:
    ax = classifier.plot_search()
    assert ax.get_ylabel() == "ROC AUC"
    drawn = sum(len(points.get_offsets()) for points in ax.collections)
    assert drawn == len(classifier.leaderboard_["roc_auc"].dropna())
    ax = regressor.plot_search()
    assert min(points.get_offsets()[:, 1].min() for points in ax.collections) > 0  # an RMSE, and no negative one


def test_importance_is_drawn_largest_on_top(classifier: AutoMetaClassifier) -> None:
    ax = classifier.plot_importance(most=2)
    widths = [patch.get_width() for patch in ax.patches]
    assert widths == sorted(widths)
    assert len(widths) == 2
    assert ax.get_yticklabels()[-1].get_text() == HOSTILE.replace("$", r"\$")
    ax.figure.canvas.draw()  # and is no mathematics


def test_dependence_is_drawn_for_columns_that_were_measured(classifier: AutoMetaClassifier) -> None:
    known = classifier.explanation_.dependence[0]
    ax = classifier.plot_dependence(known.column)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), next(iter(known.curves.values())))
    with pytest.raises(InputError, match="There are: "):
        classifier.plot_dependence("cost")


def test_errors_are_drawn_on_axes_of_ones_own(classifier: AutoMetaClassifier, regressor: AutoMetaRegressor) -> None:
    import matplotlib.pyplot as plt

    frame = a_table()
    _, (left, right) = plt.subplots(1, 2)
    assert classifier.plot_errors(frame, np.where(frame[HOSTILE] > 0, "<u>yes</u>", "no"), ax=left) is left
    assert regressor.plot_errors(frame, frame["b"], ax=right) is right
    assert right.get_xlabel() == "Predicted values"
    plt.close("all")


def test_what_cannot_be_drawn_says_why(classifier: AutoMetaClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    import copy

    with pytest.raises(NotFittedError):
        AutoMetaClassifier().plot_search()
    old = copy.copy(classifier)
    old.explanation_ = None
    with pytest.raises(RunError, match="no importance"):
        old.plot_importance()
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else there(name))
    with pytest.raises(InputError, match=r"plot_search: needs matplotlib, .* pip install 'autometa-ml\[plots\]'"):
        classifier.plot_search()
