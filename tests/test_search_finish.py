"""The end of a search, without a process: who answers in the final model, with which models and weights."""

from __future__ import annotations

import pickle
import types
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyRegressor

from autometa.errors import InputError, NoModelError
from autometa.evaluation import Cancelled, Evaluation, Killed, State, evaluate, plan_splits, score
from autometa.search import SearchPlan, Settings, TrialRow
from autometa.search.budget import Budget
from autometa.search.candidates import Candidate, candidates_of, quick_enough
from autometa.search.clock import Clock
from autometa.search.finish import Finish, why_no_model
from autometa.search.options import OPTIONS
from autometa.search.settings import Silent
from autometa.task import make_task

FOLDS, WHOLE = -1.0, 1.0  # what models of the folds answer, and those that were fitted on all rows


@pytest.fixture
def task():
    return make_task(pd.DataFrame({"a": np.arange(40.0)}), y=np.arange(40.0), name="line")


class Notes(Silent):
    """Progress that remembers its notes."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


class Fits:
    """Fits in no time, unless a trial is named as one that cannot be."""

    def __init__(self, **ends):
        self.ends, self.asked = {int(name.removeprefix("trial")): end for name, end in ends.items()}, {}
        self.rows = {}

    def __call__(self, row, *, seconds, threads, rows):
        self.rows[row.number] = rows
        self.asked[row.number] = seconds
        if end := self.ends.get(row.number):
            raise end
        return pickled(WHOLE)


def pickled(answer: float) -> bytes:
    model = DummyRegressor(strategy="constant", constant=answer).fit([[0.0]], [0.0])
    return pickle.dumps([model])


def candidate(
    task, folder, number: int, shift: float, *, kept: bool = True, fit_seconds: float = 1.0, rows: int = 0
) -> Candidate:
    """A trial whose predictions are off by so much; half of them up and half down with an odd number."""
    oof = task.y + shift * (1.0 if number % 2 else -1.0)
    folds = {task.metric: (-abs(shift),) * 5}
    scores, config = {task.metric: -abs(shift)}, {"family": f"f{number}"}
    evaluation = Evaluation(config, State.COMPLETE, None, scores, folds, fit_seconds, 0.0, 0, 0, rows or task.n, {})
    path = folder / f"{number}.pkl"
    if kept:
        path.write_bytes(pickled(FOLDS))
    return Candidate(TrialRow(number, evaluation, "search", "", 0.0, 1.0), oof[None], path if kept else None)


def a_finish(task, fit, *, elapsed: float = 10.0, progress=None, interrupted=False, **options) -> Finish:
    """So many seconds after the start of a search of a minute."""
    splits = plan_splits(task, seed=0, folds=5)
    settings = Settings(seconds=60.0, families=("linear",))
    plan = SearchPlan.of(task, settings, 2, splits=splits, options=replace(OPTIONS, **options))
    clock = Clock(Budget(60.0, None, 0.0, lambda: elapsed), 60.0, None, splits.growth, plan.options, task.n)
    return Finish(task, plan, clock, fit, progress or Silent(), lambda: interrupted)


def answers(finished, task) -> list[float]:
    """What each member says of any row."""
    return [float(member.predict(task.X[:1], task.kind, 0)[0]) for member in finished.model.members]


def test_errors_that_cancel_answer_together_and_are_fitted_on_all_rows(task, tmp_path):
    found = [candidate(task, tmp_path, 0, 1.0), candidate(task, tmp_path, 1, 1.0)]
    finished = a_finish(task, Fits()).conduct(found)
    assert [(member.number, member.weight) for member in finished.model.members] == [(0, 0.5), (1, 0.5)]
    assert finished.refitted
    np.testing.assert_allclose(finished.oof, task.y)
    assert finished.score == pytest.approx(0.0)
    assert answers(finished, task) == [0.0, 0.0]  # half the weight is the folds'


@pytest.mark.parametrize(
    ("limit", "members", "said"), [(0.0015, [0], [WHOLE]), (0.0025, [0, 1], [WHOLE] * 2), (0.1, [0, 1], [0.0] * 2)]
)
def test_members_and_models_of_folds_stay_within_the_time_that_a_row_may_take(limit, members, said, task, tmp_path):
    found = []
    for one in (candidate(task, tmp_path, 0, 1.0), candidate(task, tmp_path, 1, 1.0)):
        evaluation = replace(one.row.evaluation, predict_seconds=0.04)  # of 40 rows: a millisecond each
        found.append(replace(one, row=replace(one.row, evaluation=evaluation, predicted=40)))
    finish = a_finish(task, Fits())
    finish.plan = replace(finish.plan, infer_limit=limit)
    finished = finish.conduct(found)
    assert [member.number for member in finished.model.members] == members
    assert answers(finished, task) == said


def test_where_nothing_is_quick_enough_the_quickest_answers_and_that_is_said(task, tmp_path):
    rows = [replace(candidate(task, tmp_path, k, 1.0).row, predicted=40) for k in range(3)]
    rows = [
        replace(r, evaluation=replace(r.evaluation, predict_seconds=t))
        for r, t in zip(rows, (4.0, 0.4, 2.0), strict=True)
    ]
    notes = Notes()
    assert [row.number for row in quick_enough(rows, 0.06, notes.note)] == [1, 2]
    assert [row.number for row in quick_enough(rows, None, notes.note)] == [0, 1, 2]
    assert notes.notes == []
    assert [row.number for row in quick_enough(rows, 0.001, notes.note)] == [1]
    assert "No pipeline answers a row in 1 ms: the quickest, trial 1, takes 10 ms" in notes.notes[0]


def test_models_of_the_folds_stay_out_where_they_are_too_large(task, tmp_path):
    finished = a_finish(task, Fits(), fold_models_bytes=10).conduct([candidate(task, tmp_path, 0, 1.0)])
    assert answers(finished, task) == [WHOLE]


def test_who_cannot_be_fitted_in_time_answers_by_the_models_of_its_folds(task, tmp_path):
    fits = Fits()
    finished = a_finish(task, fits).conduct([candidate(task, tmp_path, 0, 1.0, fit_seconds=4000.0)])
    assert (fits.asked, finished.refitted, answers(finished, task)) == ({}, False, [FOLDS])


@pytest.mark.parametrize("end", [Killed(State.TIMEOUT, "too slow"), Cancelled("by the person")])
def test_a_fit_that_was_ended_leaves_the_models_of_the_folds(task, tmp_path, end):
    heard = Notes()
    finished = a_finish(task, Fits(trial0=end), progress=heard).conduct([candidate(task, tmp_path, 0, 1.0)])
    assert (finished.refitted, answers(finished, task)) == (False, [FOLDS])
    assert heard.notes == ["trial 0 was not refitted on all rows: too slow"] * isinstance(end, Killed)


def test_a_person_who_waits_gets_the_models_that_are_there(task, tmp_path):
    fits = Fits()
    finished = a_finish(task, fits, interrupted=True).conduct([candidate(task, tmp_path, 0, 1.0)])
    assert (fits.asked, answers(finished, task)) == ({}, [FOLDS])


def test_models_that_were_too_large_to_keep_and_whose_refit_would_outlast_the_budget_give_way(task, tmp_path):
    found = [candidate(task, tmp_path, 0, 1.0, kept=False, fit_seconds=4000.0), candidate(task, tmp_path, 2, 3.0)]
    finished = a_finish(task, Fits()).conduct(found)
    assert [member.number for member in finished.model.members] == [2]


def test_where_all_give_way_the_one_that_is_fitted_soonest_may_take_its_time(task, tmp_path):
    found = [candidate(task, tmp_path, n, 1.0 + n, kept=False, fit_seconds=8000.0 - 2000.0 * n) for n in range(2)]
    fits = Fits()
    finished = a_finish(task, fits).conduct(found)
    assert [member.number for member in finished.model.members] == [1]
    expected = 6000.0 / 5 * 1.25
    assert fits.asked == {1: pytest.approx(2 * expected + 1.0)}


def test_a_member_that_is_lost_leaves_its_weight_to_the_others(task, tmp_path):
    found = [candidate(task, tmp_path, n, 1.0, kept=bool(n)) for n in range(2)]
    finished = a_finish(task, Fits(trial0=Killed(State.MEMORY, "full"))).conduct(found)
    assert [(member.number, member.weight) for member in finished.model.members] == [(1, 1.0)]


def test_without_any_model_it_is_an_error_that_says_what_to_do(task, tmp_path):
    fits = Fits(trial0=Killed(State.MEMORY, "full"))
    with pytest.raises(NoModelError, match="raise --max-ram or --time"):
        a_finish(task, fits).conduct([candidate(task, tmp_path, 0, 1.0, kept=False)])


def test_with_no_time_left_the_best_alone_answers(task, tmp_path):
    found = [candidate(task, tmp_path, 0, 1.0), candidate(task, tmp_path, 1, 1.0)]
    finished = a_finish(task, Fits(), elapsed=59.0).conduct(found)
    assert [(member.number, member.weight) for member in finished.model.members] == [(0, 1.0)]


def test_probabilities_are_calibrated_member_by_member(tmp_path):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    task = make_task(pd.DataFrame({"a": rng.normal(size=300)}), y=y, metric="neg_log_loss", name="three")
    oof = np.full((300, 3), 0.3)
    oof[np.arange(300), y] = 0.4  # always right, and too shy to say so
    found = candidate(task, tmp_path, 0, 1.0)
    finished = a_finish(task, Fits()).conduct([Candidate(found.row, oof[None], found.models)])
    (member,) = finished.model.members
    shy = np.tile([0.4, 0.3, 0.3], (1, 1))
    assert member.calibration.apply(shy)[0, 0] > 0.9
    assert finished.score > -0.12


@pytest.fixture
def noise():
    """A task of a few rows that nothing can be learned of, and the splits of its three repeats."""
    rng = np.random.default_rng(0)
    task = make_task(pd.DataFrame({"a": rng.normal(size=60)}), y=rng.integers(0, 2, 60), name="noise")
    return task, plan_splits(task, seed=0)


def test_each_fold_of_each_repeat_is_scored_and_the_mean_is_the_score(noise, tmp_path):
    """Averaged over repeats first, predictions would be those of three models, and pooled, of another ranking."""
    task, splits = noise
    assert splits.n_folds == 15
    rng = np.random.default_rng(1)
    p = rng.uniform(size=(3, task.n))
    oof = np.stack([1 - p, p], axis=2)
    each = [score(task.metric, task.y[test], oof[fold // 5, test], 2) for fold, (_, test) in enumerate(splits)]
    found = Candidate(candidate(task, tmp_path, 0, 1.0).row, oof, tmp_path / "0.pkl")
    settings = Settings(seconds=60.0, families=("linear",))
    plan = SearchPlan.of(task, settings, 2, splits=splits)
    clock = Clock(Budget(60.0, None, 0.0, lambda: 10.0), 60.0, None, splits.growth, plan.options)
    finished = Finish(task, plan, clock, Fits(), Silent()).conduct([found])
    assert (finished.score, finished.score_std) == pytest.approx((np.mean(each), np.std(each)))
    assert finished.score != pytest.approx(score(task.metric, task.y, oof.mean(axis=0), 2))


@pytest.mark.parametrize(
    "metric", ["roc_auc", "neg_log_loss", "f1", "accuracy", "neg_brier_score", "average_precision"]
)
def test_one_pipeline_has_one_score_as_a_trial_and_as_the_model(metric, noise, tmp_path):
    task = replace(noise[0], metric=metric)
    plan = SearchPlan.of(task, Settings(seconds=600.0, families=("naive_bayes",)), 1)
    assert plan.splits.n_folds == 15
    config = plan.space.default
    outcome = evaluate(task, config, plan.splits, seed=0, calibrate=True)
    row = TrialRow(0, outcome.evaluation, "search", "", 0.0, 1.0)
    (tmp_path / "0.pkl").write_bytes(pickled(WHOLE))
    clock = Clock(Budget(600.0, None, 0.0, lambda: 10.0), 600.0, None, plan.splits.growth, plan.options)
    found = Candidate(row, outcome.predictions, tmp_path / "0.pkl")
    finished = Finish(task, plan, clock, Fits(), Silent()).conduct([found])
    assert finished.score == pytest.approx(outcome.evaluation.scores[metric], rel=1e-12)
    np.testing.assert_array_equal(np.isfinite(finished.oof), np.isfinite(outcome.oof))


def test_an_ensemble_of_luck_is_not_taken_for_better_than_its_parts(noise, tmp_path):
    """Of a single pipeline whose folds vary by the draw alone the mean over repeats looks better than each of them."""
    task, splits = noise
    rng = np.random.default_rng(2)
    logit = (2.0 * task.y - 1.0) + rng.normal(scale=4.0, size=(3, task.n))  # each repeat errs on its own
    p = 1 / (1 + np.exp(-logit))
    oof = np.stack([1 - p, p], axis=2)
    each = [score(task.metric, task.y[test], oof[fold // 5, test], 2) for fold, (_, test) in enumerate(splits)]
    assert score(task.metric, task.y, oof.mean(axis=0), 2) > np.mean(each) + 0.05  # what was reported once
    row = candidate(task, tmp_path, 0, 1.0).row
    plan = SearchPlan.of(task, Settings(seconds=600.0, families=("linear",)), 1, splits=splits)
    clock = Clock(Budget(600.0, None, 0.0, lambda: 10.0), 600.0, None, splits.growth, plan.options)
    finished = Finish(task, plan, clock, Fits(), Silent()).conduct([Candidate(row, oof, tmp_path / "0.pkl")])
    assert finished.score == pytest.approx(np.mean(each))


def test_predictions_of_an_older_run_are_their_mean_over_repeats_and_still_answer(noise, tmp_path):
    task, splits = noise
    p = np.random.default_rng(3).uniform(size=task.n)
    old = np.stack([1 - p, p], axis=1)
    run = types.SimpleNamespace(
        task=task, splits=splits, folder=tmp_path, oof=lambda number: old, fold_models=lambda number: tmp_path / "0.pkl"
    )
    rows = [candidate(task, tmp_path, 0, 1.0).row]
    (found,) = candidates_of(run, rows, 25)
    assert found.oof.shape == (3, task.n, 2)
    for fold, said in enumerate(splits.by_fold(found.oof)):
        np.testing.assert_array_equal(said, old[splits[fold][1]])


@pytest.fixture
def rare(tmp_path):
    """A task with 6 % of 'fraud', and two candidates that rank rows alike, one of them as if classes were balanced."""

    def made(metric):
        rng = np.random.default_rng(0)
        logit = rng.normal(-3.6, 1.6, 3000)
        p = 1 / (1 + np.exp(-logit))
        y = np.where(rng.random(3000) < p, "fraud", "legit")
        task = make_task(pd.DataFrame({"a": logit}), y=y, metric=metric, name="rare")
        balanced = p / p.mean() / (p / p.mean() + (1 - p) / (1 - p.mean()))
        row, models = candidate(task_of_numbers(), tmp_path, 0, 1.0).row, tmp_path / "0.pkl"
        found = [Candidate(row, np.column_stack([q, 1 - q])[None], models) for q in (balanced, p)]
        return task, p, found

    return made


def task_of_numbers():
    return make_task(pd.DataFrame({"a": np.arange(40.0)}), y=np.arange(40.0), name="line")


def test_the_shift_of_balanced_classes_is_undone_whatever_the_metric(rare):
    task, p, found = rare("roc_auc")
    finished = a_finish(task, Fits()).conduct(found[:1])
    assert abs(finished.oof[:, 0].mean() - (task.y == 0).mean()) < 0.003
    np.testing.assert_allclose(finished.oof[:, 0], p, atol=0.06)
    assert finished.model.weights == ()
    assert finished.model.labels(np.array([[0.4, 0.6], [0.6, 0.4]])).tolist() == ["legit", "fraud"]


@pytest.mark.parametrize("metric", ["f1", "balanced_accuracy", "f1_macro", "matthews_corrcoef", "jaccard"])
def test_labels_come_from_a_threshold_where_the_metric_judges_labels(rare, metric):
    task, _, found = rare(metric)
    finished = a_finish(task, Fits()).conduct(found)
    assert task.positive_label == "fraud"
    as_they_were = score(metric, task.y, found[0].oof[0], 2, positive=0)  # by the most probable class, balanced
    plain = score(metric, task.y, found[1].oof[0], 2, positive=0)
    assert finished.score > max(as_they_were, plain) - 0.02
    assert finished.model.threshold < 0.4
    labels = finished.model.labels(finished.oof)
    assert set(labels) == {"fraud", "legit"}
    assert (labels == "fraud").sum() == (finished.oof[:, 0] > finished.model.threshold).sum()


def test_a_threshold_that_was_asked_for_is_the_one(rare):
    task, _, found = rare("f1")
    splits = plan_splits(task, seed=0, folds=5)
    plan = SearchPlan.of(task, Settings(seconds=60.0, families=("linear",), threshold="0.07"), 2, splits=splits)
    finish = a_finish(task, Fits())
    finish.plan = plan
    assert finish.conduct(found).model.threshold == pytest.approx(0.07)


def test_a_threshold_is_refused_where_there_are_not_two_classes(task):
    with pytest.raises(InputError, match="'target' is a number, and has no classes"):
        SearchPlan.of(task, Settings(seconds=60.0, threshold=0.3), 2)
    three = make_task(pd.DataFrame({"a": np.arange(60.0)}), y=np.arange(60) % 3, name="three")
    with pytest.raises(InputError, match="is for two classes, and 'target' has 3"):
        SearchPlan.of(three, Settings(seconds=60.0, threshold=0.3), 2)
    SearchPlan.of(three, Settings(seconds=60.0, threshold=0.5), 2)
    with pytest.raises(InputError, match=r"1\.5 is not a number between 0 and 1"):
        Settings(threshold=1.5)


def test_why_there_is_no_model_names_what_went_wrong(task, tmp_path):
    assert "before the first configuration" in why_no_model([])
    row = candidate(task, tmp_path, 0, 1.0).row
    assert why_no_model([row]) == "None of 1 configurations could be evaluated: f0: complete, None"


class TestRows:
    def test_where_there_is_no_time_for_all_rows_a_member_learns_from_those_there_is_time_for(self, task, tmp_path):
        """Its models know 10 of 40 rows; on all rows it would take 40 s, and 8 are left."""
        fits, notes = Fits(), Notes()
        few = candidate(task, tmp_path, 0, 0.1, rows=10, fit_seconds=50.0)
        finished = a_finish(task, fits, elapsed=50.0, progress=notes).conduct([few])
        assert fits.rows == {}  # 40 s / 5 folds * 5 = 50 s on all, of which 7.6 s are 4 rows: it stays as it is
        assert answers(finished, task) == [FOLDS]
        assert not finished.refitted
        assert notes.notes == ["The model learned from 8 of 40 rows: there was no time for more."]

    def test_those_rows_are_many_more_than_its_models_know_or_it_stays(self, task, tmp_path):
        fits, notes = Fits(), Notes()
        few = candidate(task, tmp_path, 0, 0.1, rows=4, fit_seconds=4.0)
        finished = a_finish(task, fits, elapsed=50.0, progress=notes).conduct([few])
        assert fits.rows == {0: 24}  # four fifths of what 7.6 of 10 s allow
        assert answers(finished, task) == [WHOLE]
        assert not finished.refitted
        assert notes.notes == ["The model learned from 24 of 40 rows: there was no time for more."]

    def test_models_of_the_folds_of_a_sample_do_not_answer_beside_one_of_all_rows(self, task, tmp_path):
        few = candidate(task, tmp_path, 0, 0.1, rows=10, fit_seconds=1.0)
        finished = a_finish(task, Fits()).conduct([few])
        assert (answers(finished, task), finished.refitted) == ([WHOLE], True)

    def test_with_no_time_left_what_took_none_answers_as_it_is(self, task, tmp_path):
        """A quick model takes no time by a simulated clock."""
        finished = a_finish(task, Fits(), elapsed=70.0).conduct([candidate(task, tmp_path, 0, 0.1, fit_seconds=0.0)])
        assert answers(finished, task) == [FOLDS]


def test_of_many_rows_and_classes_the_ensemble_is_chosen_by_some_of_them_and_scored_by_all(tmp_path):
    rng = np.random.default_rng(0)
    truth = np.arange(400) % 4
    task = make_task(pd.DataFrame({"a": rng.normal(size=400)}), y=[f"c{k}" for k in truth], name="many")
    found, sure = [], np.eye(4)[task.y]
    for number in range(3):
        said = sure + rng.random((400, 4))
        one = candidate_of_classes(task, tmp_path, number, said / said.sum(axis=1, keepdims=True))
        found.append(one)
    whole, part = (a_finish(task, Fits(), ensemble_cells=cells).conduct(found) for cells in (10**6, 400))
    assert part.oof.shape == whole.oof.shape == (400, 4)
    assert np.isfinite(part.oof).all()
    assert len(part.model.members) > 1
    assert part.score == pytest.approx(whole.score, abs=0.02)


def candidate_of_classes(task, folder, number: int, oof: np.ndarray) -> Candidate:
    return replace(candidate(task, folder, number, 1.0), oof=oof[None])


def test_predictions_that_are_too_large_to_hold_are_those_of_the_best_only(tmp_path, monkeypatch):
    run = types.SimpleNamespace(
        oof=lambda number: np.zeros((1, 40)),
        fold_models=lambda number: None,
        task=types.SimpleNamespace(kind="regression"),
        folder=tmp_path,
    )
    rows = [types.SimpleNamespace(number=number) for number in range(5)]
    monkeypatch.setattr("autometa.search.candidates.OPTIONS", replace(OPTIONS, candidate_bytes=3 * 40 * 8))
    assert [one.row.number for one in candidates_of(run, rows, 4)] == [0, 1, 2]
    monkeypatch.setattr("autometa.search.candidates.OPTIONS", replace(OPTIONS, candidate_bytes=1))
    assert [one.row.number for one in candidates_of(run, rows, 4)] == [0]  # one there must be
