"""Why a model answers as it does: what is said is known from rows that were not learned from, and adds up."""

from __future__ import annotations

import csv
import json
import math
import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autometa import AutoMetaClassifier, AutoMetaRegressor
from autometa.cli import main
from autometa.errors import InputError, RunError
from autometa.explain import Importance, ModelExplanation, explain, importance, kept_seconds, order
from autometa.explain.importance import depend, interval, look
from autometa.explain.judges import Judges, RowBlock, blocks_of, once_each
from autometa.explain.labelled import labelled_task
from autometa.explain.options import OPTIONS
from autometa.explain.shapley import contributions
from autometa.explain.slices import find_slices, row_errors, worst_rows
from autometa.explain.trees import tree_contributions
from autometa.fitting import fit_file
from autometa.search import Settings, load_model
from autometa.task import make_task

PATIENCE = 600.0  # seconds, enough on any machine
QUICK = {"cold": True, "remember": False, "families": ("linear",)}


def a_frame(n: int = 520, seed: int = 0) -> pd.DataFrame:
    """Class 'yes' where x is large, in 'Bern' more often; `idle` says nothing."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"x": rng.normal(size=n), "idle": rng.normal(size=n), "town": rng.choice(["Bern", "Chur", "Genf"], n)}
    )
    odds = 3 * frame["x"] + 1.5 * (frame["town"] == "Bern") - 0.5
    frame["bought"] = np.where(rng.random(n) < 1 / (1 + np.exp(-odds)), "yes", "no")
    return frame


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("explained")
    a_frame().to_csv(folder / "shop.csv", index=False)
    settings = Settings(trials=2, **QUICK)
    return fit_file(folder / "shop.csv", target="bought", settings=settings, run=folder / "run").run


def knows(task, answer, **given) -> Judges:
    rows = blocks_of([(0, np.arange(task.n))], task.y, 5)
    return Judges(task, rows, lambda _, X: answer(X), given.pop("seconds", 1e-6), **given)


# ------------------------------------------------------------------------------------------------ as a person asks


def test_every_fit_ends_with_the_importance_of_its_columns_out_of_fold(run):
    known = ModelExplanation.load(run)
    assert known.source == "held out"
    assert {one.column for one in known.importance} == {"x", "idle", "town"}
    first, last = known.importance[0], known.importance[-1]
    assert first.column == "x"
    assert first.low < first.drop < first.high
    assert first.low > 0
    assert first.direction == "the higher, the more likely 'yes'"
    assert last.column == "idle"
    assert known.importance[1].direction.startswith("'yes' most likely for 'Bern'")
    assert "held-out rows" in known.words
    assert {one.column for one in known.dependence} == {"x", "idle", "town"}


def test_explain_says_it_on_the_terminal_and_as_json(run, capsys):
    assert main(["explain", str(run)]) == 0
    printed = capsys.readouterr().out
    assert "ROC AUC is worse by" in printed
    assert "the higher, the more likely 'yes'" in printed
    assert "held-out rows" in printed
    assert main(["explain", str(run), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["importance"][0]["column"] == "x"
    assert said["rows"] == 500
    assert said["dependence"][0]["curves"]["yes"]


def test_explain_looks_at_a_table_whose_answers_are_known(run, tmp_path, capsys):
    a_frame(200, seed=1).to_csv(tmp_path / "new.csv", index=False)
    assert main(["explain", str(run), str(tmp_path / "new.csv"), "--json", "--time", "10m"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["source"] == "table"
    assert said["importance"][0]["column"] == "x"
    assert "of the table that was given" in said["said"]


def test_explain_writes_why_each_row_is_answered_as_it_is_and_it_adds_up(run, tmp_path, capsys):
    new = a_frame(12, seed=2).drop(columns="bought")
    new.to_csv(tmp_path / "new.csv", index=False)
    arguments = ["explain", str(run), str(tmp_path / "new.csv"), "--out", str(tmp_path / "why.csv"), "--time", "10m"]
    assert main(arguments) == 0
    assert "Shapley values of 12 rows" in capsys.readouterr().out
    with (tmp_path / "why.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    model = load_model(run)
    answers, labels = model.predict_proba(new)[:, list(model.classes).index("yes")], model.predict(new)
    assert [row["prediction"] for row in rows] == labels.tolist()
    assert {row["explained"] for row in rows} == {"yes"}
    for row, answer in zip(rows, answers, strict=True):
        parts = [float(row[f"shap_{name}"]) for name in ("x", "idle", "town")]
        assert float(row["answer"]) == pytest.approx(answer)
        assert float(row["base"]) + sum(parts) == pytest.approx(answer)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "why.csv"], "is of a table"),
        (["--rows", "3"], "is of a table"),
        (["--time", "soon"], "is not a time"),
        (["new.csv", "--rows", "0"], "at least 1"),
        (["new.csv", "--out", "nowhere/why.csv"], "its folder does not exist"),
        (["absent.csv"], "absent.csv"),
    ],
)
def test_what_explain_cannot_do_is_refused_at_once_and_nothing_is_written(
    arguments, said, run, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    a_frame(5).to_csv("new.csv", index=False)
    assert main(["explain", str(run), *arguments]) == 2
    assert said in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.csv"]


def test_explain_of_a_run_that_has_no_explanation_measures_it(run, tmp_path):
    """Such as one of an older version."""
    known = explain(run, seconds=PATIENCE)
    assert known.rows == 520
    assert known.repeats == OPTIONS.repeats_asked
    assert known.importance[0].column == "x"


def test_a_run_that_had_no_time_for_more_than_the_first_model_has_the_importance_of_its_columns(tmp_path):
    """On any machine: the quick linear model is asked in this process, and its first step counts however late it is."""
    a_frame().to_csv(tmp_path / "shop.csv", index=False)
    settings = Settings(seconds=0.01, cold=True, remember=False)
    result = fit_file(tmp_path / "shop.csv", target="bought", settings=settings, run=tmp_path / "run")
    known = ModelExplanation.load(result.run)
    assert known.source == "held out"
    assert known.importance[0].column == "x"
    assert known.repeats >= 1
    assert "held-out rows" in known.words


def test_an_estimator_tells_the_importance_of_its_columns_though_its_run_is_gone():
    frame = a_frame()
    model = AutoMetaClassifier(trials=1, **QUICK).fit(frame.drop(columns="bought"), frame["bought"])
    found = model.feature_importance()
    assert found.columns.tolist() == ["column", "importance", "low", "high", "direction"]
    assert found["column"][0] == "x"
    assert model.explanation_.source == "held out"
    new = a_frame(200, seed=1)
    on_new = model.feature_importance(new.drop(columns="bought"), new["bought"], time=PATIENCE)
    assert on_new["column"][0] == "x"
    with pytest.raises(ValueError, match="both X and y"):
        model.feature_importance(new)
    model.explanation_ = None
    with pytest.raises(RunError, match=r"feature_importance\(X, y\) measures it"):
        model.feature_importance()


def test_an_explanation_is_read_back_as_it_was_kept(run, tmp_path):
    known = ModelExplanation.load(run)
    unsure = replace(known, importance=(Importance("x", 0.5), *known.importance))
    unsure.save(tmp_path)
    again = ModelExplanation.load(tmp_path)
    assert again.dependence == known.dependence
    assert again.importance[1:] == known.importance
    assert math.isnan(again.importance[0].low)
    assert ModelExplanation.load(tmp_path / "nowhere") is None
    (tmp_path / "explanation.json").write_text('{"format": 1}')
    with pytest.raises(RunError, match="damaged"):
        ModelExplanation.load(tmp_path)


def test_no_row_of_the_table_is_in_an_explanation(tmp_path):
    frame = a_frame()
    frame["note"] = [f"private{k:04d} of this very person" for k in range(len(frame))]
    frame.to_csv(tmp_path / "shop.csv", index=False)
    result = fit_file(
        tmp_path / "shop.csv", target="bought", settings=Settings(trials=1, **QUICK), run=tmp_path / "run"
    )
    kept = (result.run / "explanation.json").read_text()
    assert '"note"' in kept
    assert "private" not in kept


def test_a_model_card_stands_beside_every_model(run, tmp_path):
    text = (run / "model_card.md").read_text(encoding="utf-8")
    for title in ("What it was learned from", "How good it is", "Which columns it needs", "made again"):
        assert f"## {title}" in text.replace("How it is made again", "made again")
    assert "520 rows, 2 numeric, 1 categorical columns" in text
    assert re.search(r"\*\*ROC AUC 0\.9\d+\*\* out of fold \(95 %: 0\.\d+ to 0\.\d+\), where", text)
    assert "| x | " in text
    assert "the higher, the more likely 'yes'" in text
    assert f"autometa predict {run}" in text
    assert "--target bought" in text
    assert "scikit-learn" in text


def test_the_card_of_an_estimator_is_saved_with_it_and_holds_no_cell(tmp_path):
    frame = a_frame()
    frame["note"] = [f"private{k:04d} of this very person" for k in range(len(frame))]
    frame["id|<b>"] = np.arange(len(frame))
    model = AutoMetaClassifier(trials=1, **QUICK).fit(frame.drop(columns="bought"), frame["bought"])
    model.save(tmp_path / "shop.model")
    text = (tmp_path / "shop.model.md").read_text(encoding="utf-8")
    assert "AutoMetaClassifier.load(FILE)" in text
    assert "private" not in text
    assert "id\\|&lt;b&gt;" in text  # left out, as it counts the rows; a name is never markup
    assert AutoMetaClassifier.load(tmp_path / "shop.model").model_card_ == text


# ---------------------------------------------------------------------------------------------------------- the parts


def test_a_share_of_a_time_budget_is_kept_for_it():
    assert kept_seconds(None) == 0.0
    assert kept_seconds(60.0) == pytest.approx(1.8)
    assert kept_seconds(1.0) == pytest.approx(0.2)
    assert kept_seconds(1e6) == OPTIONS.most_seconds


def test_importance_is_what_shuffling_one_column_after_the_other_comes_to():
    """With every row used, the drop of a linear model has a closed form in expectation."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=2000), "b": rng.normal(size=2000), "y": 0.0})
    frame["y"] = 2 * frame["a"] + frame["b"]
    task = make_task(frame, target="y", metric="neg_mean_squared_error")
    judges = knows(task, lambda X: (2 * X["a"] + X["b"]).to_numpy())
    *_, known = look(judges, seconds=PATIENCE, rows=2000, repeats=20, seed=0)
    drops = {one.column: one for one in known.importance}
    assert drops["a"].drop == pytest.approx(2 * 4 * frame["a"].var(), rel=0.1)
    assert drops["b"].drop == pytest.approx(2 * frame["b"].var(), rel=0.1)
    assert drops["a"].low < drops["a"].drop < drops["a"].high
    assert drops["a"].direction == "the higher, the higher y"


def test_a_coarse_answer_is_there_after_the_first_block():
    task = make_task(a_frame(), target="bought")
    judges = knows(task, lambda X: np.tile([0.4, 0.6], (len(X), 1)))
    first = next(look(judges, seconds=PATIENCE, rows=100, repeats=3, seed=0))
    assert len(first.importance) == 3
    assert 20 <= first.rows <= 25  # a fifth of a hundred, or some more as a class is rarer
    assert first.repeats == 1
    assert all(math.isnan(one.low) for one in first.importance)


def test_a_slow_model_is_asked_about_fewer_rows_and_then_about_the_columns_closest_to_the_target():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(200, 40)), columns=[f"x{k}" for k in range(40)])
    frame["y"] = frame["x7"] + 0.5 * frame["x9"] + rng.normal(0, 0.1, 200)
    task = make_task(frame, target="y")
    asked: list[int] = []

    def answer(X):
        asked.append(len(X))
        return (X["x7"] + 0.5 * X["x9"]).to_numpy()

    first = next(look(knows(task, answer, seconds=0.01), seconds=10.0, rows=500, repeats=1, seed=0))
    assert first.columns == 40
    assert len(first.importance) < 40
    assert {"x7", "x9"} <= {one.column for one in first.importance}
    assert f"the {len(first.importance)} columns closest to the target, of 40" in first.words
    assert sum(asked) * 0.01 < 10.0


def test_a_wide_table_is_explained_in_the_time_there_is_by_its_closest_columns(monkeypatch):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(100, 600)), columns=[f"x{k}" for k in range(600)])
    frame["town"] = pd.Categorical(rng.choice(["Ulm", "Bern"], 100))
    frame["y"] = 3.0 * frame["x590"] + 6.0 * (frame["town"] == "Ulm") + rng.normal(0, 0.1, 100)
    task = make_task(frame, target="y")
    clock = [0.0]

    def answer(X):
        clock[0] += 1.0 + len(X) / 1000  # what no seconds of a row say: every call takes one
        return (3.0 * X["x590"] + 6.0 * (X["town"] == "Ulm")).to_numpy()

    monkeypatch.setattr(importance.time, "monotonic", lambda: clock[0])
    *_, known = look(knows(task, answer, seconds=0.0), seconds=4.0, rows=500, repeats=3, seed=0)
    assert clock[0] < 4.0 + 5 * 1.5  # the call in which time ran out, and one for each block that is begun
    assert {one.column for one in known.importance[:2]} == {"x590", "town"}
    assert len(known.importance) < 600
    assert known.columns == 601


def test_what_goes_with_the_target_is_what_ranks_and_groups_say_of_it():
    rng = np.random.default_rng(0)
    columns, targets = rng.normal(size=(50, 4)), rng.normal(size=(50, 3))
    columns[:9, 1] = np.nan
    columns[:, 2] = 7.0
    found = order.correlation(columns, targets)
    for k in (0, 1, 3):
        there = np.isfinite(columns[:, k])
        own = [np.corrcoef(columns[there, k], targets[there, m])[0, 1] for m in range(3)]
        assert found[k] == pytest.approx(np.abs(own).max())
    assert found[2] == 0.0
    codes = rng.integers(0, 5, 50)
    means = np.array([targets[codes == code].mean(axis=0) for code in codes])
    assert order.explained(codes, targets) == pytest.approx((means.var(axis=0) / targets.var(axis=0)).max())


def test_changes_of_a_table_stand_end_to_end_with_their_own_columns():
    table = a_frame().drop(columns="bought").assign(whole=range(520)).astype({"town": "category", "x": np.float32})
    orders = [np.random.default_rng(k).permutation(len(table)) for k in range(table.shape[1])]
    changes = [table[[name]].take(own).set_axis(table.index) for name, own in zip(table, orders, strict=True)]
    changes.append(pd.DataFrame(dict.fromkeys(table.select_dtypes("number"), 0.25), index=table.index))  # fractions
    found = importance.stacked(table, changes, first=True)
    expected = pd.concat([table, *(table.assign(**dict(change)) for change in changes)], ignore_index=True)
    pd.testing.assert_frame_equal(found, expected)


def of_vectors(n: int = 120) -> pd.DataFrame:
    """A vector of 600 numbers, of which two say something together, beside a column."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(n, 600)), columns=[f"emb_{k}" for k in range(600)])
    return frame.assign(age=rng.normal(size=n))


def answer_of_vectors(X: pd.DataFrame) -> np.ndarray:
    return (X["emb_3"] - X["emb_4"] + 0.5 * X["age"]).to_numpy()


def test_the_numbers_of_a_vector_are_shuffled_as_one():
    frame = of_vectors()
    task = make_task(frame.assign(y=answer_of_vectors(frame)), target="y")
    asked: list[int] = []

    def answer(X):
        asked.append(len(X))
        return answer_of_vectors(X)

    *_, found = look(knows(task, answer), seconds=PATIENCE, rows=120, repeats=2, seed=0)
    assert [one.column for one in found.importance] == ["emb", "age"]
    assert found.columns == 2
    assert found.importance[0].direction == ""  # a vector is neither high nor low
    assert found.importance[1].direction == "the higher, the higher y"
    assert [one.column for one in found.dependence] == ["age"]
    assert sum(asked) < 60 * task.n  # and not hundreds of times


def test_a_vector_contributes_to_a_row_as_one():
    frame = of_vectors(40)
    found = contributions(answer_of_vectors, frame.head(3), frame.tail(30))
    assert found.columns == ("emb", "age")
    mean = frame.tail(30)
    pair = frame["emb_3"].head(3) - frame["emb_4"].head(3) - (mean["emb_3"] - mean["emb_4"]).mean()
    np.testing.assert_allclose(found.values[:, 0], pair)
    np.testing.assert_allclose(found.values[:, 1], 0.5 * (frame["age"].head(3) - mean["age"].mean()))
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), found.answer)


def test_an_estimator_shares_out_what_a_vector_has_among_its_numbers():
    frame = of_vectors()
    model = AutoMetaRegressor(trials=1, **QUICK).fit(frame, answer_of_vectors(frame))
    found = model.feature_importance().set_index("column")["importance"]
    assert set(found.index) == {"emb", "age"}
    shares = model.feature_importances_
    assert shares.shape == (601,)
    np.testing.assert_allclose(shares[:600], max(found["emb"], 0) / 600)
    assert shares[600] == pytest.approx(max(found["age"], 0))


def test_a_vector_that_is_called_like_a_column_has_a_name_of_its_own():
    from autometa.explain.players import players

    assert list(players(of_vectors().assign(emb=1.0))) == ["emb_*", "age", "emb"]


def test_the_interval_of_a_mean_is_that_of_students_t():
    from scipy import stats

    values = np.random.default_rng(0).normal(size=7)
    expected = stats.t.interval(0.9, 6, loc=values.mean(), scale=stats.sem(values))
    np.testing.assert_allclose(interval(values), expected)


def test_partial_dependence_is_the_mean_over_rows_with_one_column_set():
    task = make_task(a_frame(), target="bought")

    def answer(X):
        yes = 1 / (1 + np.exp(-X["x"].to_numpy(np.float64) - (X["town"] == "Bern").to_numpy()))
        return np.column_stack([1 - yes, yes])

    judges = knows(task, answer)
    numeric, towns = depend(judges, judges.blocks, ["x", "town"])
    rows = np.concatenate([block.rows[:: max(len(block.rows) // 30, 1)] for block in judges.blocks])
    X = task.X.iloc[rows]
    expected = [answer(X.assign(x=value))[:, 1].mean() for value in numeric.at]
    np.testing.assert_allclose(numeric.curves["yes"], expected)
    assert set(towns.at) == {"Bern", "Chur", "Genf"}
    assert towns.categorical
    assert towns.at[int(np.argmax(towns.curves["yes"]))] == "Bern"


def test_folds_of_repeats_are_used_once():
    from autometa.evaluation import plan_splits

    task = make_task(a_frame(100), target="bought")
    splits = plan_splits(task, seed=0)
    assert splits.n_folds == 15
    rows = np.concatenate([rows for _, rows in once_each(splits)])
    assert sorted(rows.tolist()) == list(range(100))
    assert all(isinstance(block, RowBlock) for block in blocks_of(once_each(splits), task.y, 5))


@pytest.mark.parametrize("p", [3, 9])
def test_contributions_are_shapley_values(p):
    """The oracle asks every coalition, as the definition says."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(2, p)), columns=[f"x{k}" for k in range(p)])
    background = pd.DataFrame(rng.normal(size=(4, p)), columns=X.columns)

    def answer(table):
        x = table.to_numpy()
        return x[:, 0] * x[:, 1] + np.sin(x[:, 2]) + x[:, -1]

    def value(row, coalition):
        mixed = background.to_numpy().copy()
        mixed[:, coalition] = X.to_numpy()[row, coalition]
        return answer(pd.DataFrame(mixed, columns=X.columns)).mean()

    found = contributions(answer, X, background, seed=3)
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), found.answer)
    np.testing.assert_allclose(found.answer, answer(X))
    for row in range(2):
        for j in (0, 2, p - 1):
            others = [k for k in range(p) if k != j]
            exact = sum(
                math.factorial(s) * math.factorial(p - s - 1) / math.factorial(p)
                * (value(row, [*some, j]) - value(row, list(some)))
                for s in range(p) for some in combinations(others, s)
            )  # fmt: skip
            assert found.values[row, j] == pytest.approx(exact, abs=1e-9 if p == 3 else 0.6)


def test_contributions_of_trees_are_exact_and_add_up_to_the_answer():
    """The oracle asks every coalition of six columns."""
    pytest.importorskip("shap", reason="needs the extra shap")
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(250, 5)), columns=[f"x{k}" for k in range(5)])
    y = X["x0"] * X["x1"] + np.sin(X["x2"]) + rng.normal(0, 0.1, 250)
    kept = {"trials": 2, "families": ["random_forest", "lightgbm"], "cold": True, "remember": False}
    model = AutoMetaRegressor(**kept).fit(X, y).model_
    typed, background = model.schema.apply(X.head(6)), model.schema.apply(X.tail(8))
    found = tree_contributions(model, typed, background)
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), model.answer(typed), atol=1e-4)
    exact = contributions(model.answer, typed, background)
    np.testing.assert_allclose(found.values, exact.values, atol=2e-3 * np.ptp(y))
    linear = AutoMetaRegressor(trials=1, **QUICK).fit(X, y).model_
    assert tree_contributions(linear, typed, background) is None


def test_slices_name_where_the_errors_are_and_nothing_where_they_are_everywhere():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=1000), "town": rng.choice(list("abc"), 1000)})
    frame["y"] = rng.normal(size=1000)
    frame.loc[::7, "x"] = np.nan
    task = make_task(frame, target="y")
    even = np.abs(rng.normal(size=1000))
    assert find_slices(task, even) == []
    wrong = even + 2.0 * (frame["town"] == "b").to_numpy()
    found = find_slices(task, wrong)
    assert found[0].what == "town is 'b'"
    assert found[0].rows == int((frame["town"] == "b").sum())
    assert found[0].error == pytest.approx(wrong[(frame["town"] == "b").to_numpy()].mean())
    assert found[0].elsewhere == pytest.approx(wrong[(frame["town"] != "b").to_numpy()].mean())
    missing = find_slices(task, even + 2.0 * frame["x"].isna().to_numpy())
    assert missing[0].what == "x is missing"
    unknown = np.where(np.arange(1000) < 500, wrong, np.nan)
    assert find_slices(task, unknown)[0].rows == int((frame["town"][:500] == "b").sum())


def test_the_worst_rows_are_those_with_the_largest_errors():
    task = make_task(pd.DataFrame({"x": np.arange(40.0) ** 1.5}), y=np.arange(40.0))
    prediction = task.y.copy()
    prediction[[3, 17]] += [5.0, -9.0]
    rows = worst_rows(task, prediction, row_errors(task, prediction))
    assert [(one.row, one.truth, one.prediction) for one in rows] == [(17, 17.0, 8.0), (3, 3.0, 8.0)]


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (a_frame(3).drop(columns="bought"), "no column 'bought'"),
        (a_frame(3).assign(bought=["yes", "maybe", None]), "2 of 3 rows have no class that the model knows: 'maybe'"),
        (a_frame(3).iloc[:0], "no rows"),
    ],
)
def test_a_table_without_its_answers_is_refused(frame, said, run):
    with pytest.raises(InputError, match=said):
        labelled_task(load_model(run), frame)


def test_numbers_of_a_table_with_answers_are_read():
    X, y = pd.DataFrame({"x": np.arange(60.0) ** 1.1}), np.arange(60.0) * 2
    model = AutoMetaRegressor(trials=1, **QUICK).fit(X, y)
    found = model.feature_importance(X, y, time=PATIENCE)
    assert found["importance"][0] > 1
    with pytest.raises(InputError, match="are no numbers"):
        model.feature_importance(X, ["a"] * 60)
