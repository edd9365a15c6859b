"""Training that ends at a deadline: what there is by then is an honest model of an honest configuration."""

from __future__ import annotations

import pickle
import time

import numpy as np
import pandas as pd
import pytest

from autometa.evaluation import (
    Attempt,
    Evaluation,
    evaluate,
    evaluate_isolated,
    fit_model,
    plan_splits,
    predict_aligned,
)
from autometa.families import FAMILIES, available, build, cash_space, fit, truncatable
from autometa.families.learners.truncation import Deadline, Truncatable
from autometa.space import FAMILY
from autometa.task import make_task

# Those that train in rounds; a network and a Gaussian process plan beforehand.
IN_ROUNDS = [name for name, family in FAMILIES.items() if family.grows_by in ("n_estimators", "max_iter")]


def count(family: str) -> str:
    """The parameter of the joint space that says how many rounds."""
    return f"{family}.{FAMILIES[family].grows_by}"


@pytest.fixture(params=["binary", "multiclass", "regression"])
def task(request):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(400, 5)), columns=list("abcde"))
    X["f"] = rng.choice(["x", "y", "z"], 400)
    value = X["a"] * X["b"] + (X["f"] == "x") + rng.normal(size=400) / 2
    y = value if request.param == "regression" else pd.cut(value, 2 + (request.param == "multiclass"), labels=False)
    return make_task(X, y=y, kind=request.param, name="grown")


def large(kind: str, family: str, **changes) -> dict[str, object]:
    """A configuration with as many trees as the family allows."""
    space = cash_space(kind, [family])
    return space.default | {count(family): space[count(family)].distribution.high} | changes


def learner(model):
    """The last step of a fitted pipeline, which in regression is kept within bounds."""
    return getattr(model, "model", model)[-1]


@pytest.fixture
def over_after(monkeypatch):
    """Every deadline is over after so many rounds, however long they take; after 60 unless a test says otherwise."""

    def after(rounds: int) -> None:
        def asked(deadline: Deadline) -> bool:
            deadline.rounds += 1
            deadline.over = deadline.rounds >= rounds
            return deadline.over

        monkeypatch.setattr(Deadline, "__call__", asked)
        monkeypatch.setattr(Deadline, "affords", lambda deadline, pace: max(rounds - deadline.rounds, 0))

    after(60)
    return after


@pytest.mark.parametrize("family", IN_ROUNDS)
def test_a_truncated_learner_is_what_so_few_rounds_give(task, family, over_after):
    rows = np.arange(task.n)
    config = large(task.kind, family)
    truncated = fit_model(task, config, rows, seed=0, seconds=1.0)
    few = fit_model(task, config | {count(family): 60}, rows, seed=0)
    assert learner(truncated).truncated_at_ == 60
    assert learner(few).truncated_at_ is None
    said = [predict_aligned(model, task.X, task.kind, task.c) for model in (truncated, few)]
    if family != "catboost":  # its learning rate is chosen by the number of rounds that was asked for
        np.testing.assert_allclose(*said, rtol=1e-7 if family in ("random_forest", "extra_trees") else 1e-6)
    again = pickle.loads(pickle.dumps(truncated))
    np.testing.assert_array_equal(predict_aligned(again, task.X, task.kind, task.c), said[0])


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_the_truncatable_families_are_those_whose_learners_are(kind):
    space = cash_space(kind, available(kind))
    columns = make_task(pd.DataFrame({"a": np.arange(9.0)}), y=np.arange(9.0), name="nine").columns
    learners = {config[FAMILY]: build(config, columns, kind, n_rows=9, seed=0)[-1] for config in space.defaults()}
    can = {name for name, learner in learners.items() if isinstance(learner, Truncatable)}
    assert truncatable(space) == can


@pytest.mark.parametrize("pace", [0.001, 0.5, 3.0, 20.0])
def test_pieces_use_the_time_there_is_and_not_much_more(monkeypatch, pace):
    class Time:
        now = 0.0

        @classmethod
        def monotonic(cls):
            return cls.now

    monkeypatch.setattr("autometa.families.learners.truncation.time", Time)
    deadline, grown, asked = Deadline(100.0), 0, 0
    for until in deadline.pieces(2000):
        assert until > grown
        Time.now += 0.5 + pace * (until - grown)  # going on costs something as well
        grown, asked = until, asked + 1
    assert deadline.rounds == grown
    assert asked < 12
    if pace == 0.001:
        assert (grown, deadline.over) == (2000, False)
    else:
        assert deadline.over
        assert max(80.0, 10 * pace) <= Time.now <= max(101.0, 10 * pace + 0.5)


@pytest.mark.parametrize("family", IN_ROUNDS)
def test_with_time_enough_nothing_changes(task, family):
    rows = np.arange(task.n)
    config = cash_space(task.kind, [family]).default | {count(family): 50}
    models = [fit_model(task, config, rows, seed=0, seconds=seconds) for seconds in (None, 1000.0)]
    np.testing.assert_array_equal(*(predict_aligned(model, task.X, task.kind, task.c) for model in models))
    assert learner(models[1]).truncated_at_ is None


def test_a_forest_keeps_its_parameters_where_it_was_truncated(over_after):
    from autometa.families.learners.forests import TruncatableRandomForestRegressor

    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 2)), rng.normal(size=50)
    forest = TruncatableRandomForestRegressor(200, random_state=0)
    before = forest.get_params()
    forest.fit(X, y, seconds=1.0)
    assert (len(forest.estimators_), forest.truncated_at_) == (60, 60)
    assert forest.get_params() == before
    assert len(forest.fit(X, y).estimators_) == 200  # a fit without a deadline begins anew
    assert forest.truncated_at_ is None


def test_a_deadline_reaches_the_learner_whatever_the_routing_of_metadata(task, over_after):
    from sklearn import config_context

    config = large(task.kind, "random_forest")
    pipeline = build(config, task.columns, task.kind, n_rows=task.n, seed=0)
    with config_context(enable_metadata_routing=True):
        fit(pipeline, task.X, task.y, seconds=1.0)
    assert pipeline[-1].truncated_at_ == 60


@pytest.mark.parametrize("family", [name for name in IN_ROUNDS if "early_stop" in FAMILIES[name].space("regression")])
def test_with_early_stopping_the_best_round_so_far_answers(task, family, over_after):
    rows = np.arange(task.n)
    config = large(task.kind, family, **{f"{family}.early_stop": True})
    model = fit_model(task, config, rows, seed=0, seconds=1.0)
    assert learner(model).rounds_ <= 60
    assert np.isfinite(predict_aligned(model, task.X, task.kind, task.c)).all()


@pytest.mark.parametrize("family", IN_ROUNDS)
def test_an_evaluation_says_how_many_rounds_there_were_and_every_fold_has_as_many(task, family, over_after):
    config, splits = large(task.kind, family), plan_splits(task, seed=0, folds=3)
    outcome = evaluate(task, config, splits, seed=0, growth=60.0)
    grown = outcome.evaluation.config[count(family)]
    assert outcome.evaluation.state == "complete"
    assert grown < config[count(family)]
    assert cash_space(task.kind, [family]).contains(outcome.evaluation.config)
    plain = evaluate(task, outcome.evaluation.config, splits, seed=0)
    if family != "catboost":
        assert outcome.evaluation.scores == pytest.approx(plain.evaluation.scores, rel=1e-6, nan_ok=True)


def test_an_evaluation_says_for_how_many_epochs_there_was_time(task, monkeypatch):
    from autometa.families.learners import mlp

    monkeypatch.setattr(mlp, "_seconds_of", lambda work, times: (work(), 1.0)[1])  # of a step, and of a validation
    config, splits = cash_space(task.kind, ["mlp"]).default, plan_splits(task, seed=0, folds=2)
    outcome = evaluate(task, config, splits, seed=0, growth=400.0)
    epochs = outcome.evaluation.config["mlp.epochs"]
    assert outcome.evaluation.state == "complete"
    assert 2 < epochs < 60
    assert cash_space(task.kind, ["mlp"]).contains(outcome.evaluation.config)
    plain = evaluate(task, outcome.evaluation.config, splits, seed=0)
    assert outcome.evaluation.scores == pytest.approx(plain.evaluation.scores, nan_ok=True)
    hurried = evaluate(task, config, splits, seed=0, growth=30.0).evaluation
    assert (hurried.state, hurried.config) == ("timeout", config)
    assert "too short for 2 epochs" in hurried.reason


def test_too_few_trees_are_a_timeout_that_says_so(task, over_after):
    over_after(5)
    evaluation = evaluate(
        task, large(task.kind, "lightgbm"), plan_splits(task, seed=0, folds=3), seed=0, growth=60.0
    ).evaluation
    assert evaluation.state == "timeout"
    assert "n_estimators=5" in evaluation.reason


def test_there_is_a_model_where_a_kill_left_none(tmp_path, waiting_isolation):
    """Ten times the rounds that the deadline has time for; the deadline is many times what a trial takes otherwise."""
    task = make_task(pd.DataFrame({"a": np.arange(40.0)}), y=np.arange(40.0), name="long")
    task.save(tmp_path / "task")
    splits = plan_splits(task, seed=0, folds=1)

    def tried(seconds: float, *, growth: float | None = None, **parameters: float) -> Evaluation:
        config = {"family": "waiting"} | {f"waiting.{name}": value for name, value in parameters.items()}
        attempt = Attempt(config, splits, 0, growth=growth)
        return evaluate_isolated(waiting_isolation, tmp_path / "task", attempt, seconds=seconds)

    began = time.monotonic()
    assert tried(120.0, n_estimators=1, pause=0.0).state == "complete"
    deadline = max(3.0, 20 * (time.monotonic() - began))
    killed, truncated = (
        tried(deadline, n_estimators=1000, pause=deadline / 100, growth=growth) for growth in (None, deadline)
    )
    assert (killed.state, truncated.state) == ("timeout", "complete")
    assert 1 <= truncated.config["waiting.n_estimators"] < 100
