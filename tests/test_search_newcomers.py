"""Families that the search has not tried yet: when one of them is asked, and how far behind it may be."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest

from autometa.evaluation import Evaluation, State
from autometa.origins import ORIGIN, REASON
from autometa.sampler import WarmStartSampler
from autometa.search import SearchPlan, Settings, TrialRow, search
from autometa.search.newcomers import Newcomers
from autometa.search.options import OPTIONS, SearchOptions
from autometa.space import FAMILY, family_in
from autometa.store import PastTasks, TaskRecord
from autometa.task import make_task
from autometa.transfer.cost import TrialLimit

FAMILIES = ("linear", "knn", "naive_bayes", "extra_trees")
METRIC = "neg_root_mean_squared_error"


@pytest.fixture(scope="module")
def task():
    """Numbers, so that distances are exact."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(120, 2)), columns=["a", "b"])
    return make_task(X, y=(X["a"] + 0.1 * rng.normal(size=120)).to_numpy(), name="line")


EVERYWHERE = replace(OPTIONS, newcomers_above=0)


def plan_of(task: Any, options: SearchOptions = EVERYWHERE, **changes: Any) -> SearchPlan:
    return SearchPlan.of(task, Settings(trials=20, families=FAMILIES[:2], folds=3, **changes), 1, options=options)


def row(number: int, family: str, origin: str = "surrogate", folds: tuple[float, ...] = (-0.5, -0.6, -0.7)) -> TrialRow:
    done = Evaluation({FAMILY: family}, State.COMPLETE, None, {}, {METRIC: folds}, 0.1, 0.1, 0, 3, 120, {})
    return TrialRow(number, done, origin, "", 0.0, 1.0)


def newcomers(task: Any, said: dict[int, np.ndarray] | None = None, **changes: Any) -> Newcomers:
    """With the out-of-fold predictions of trials, where they matter."""
    run = SimpleNamespace(task=task, oof=lambda number: None if said is None else said[number][None])
    return Newcomers(run, plan_of(task, **changes))


class TestWhen:
    def test_every_other_trial_is_of_a_family_that_was_not_tried(self, task):
        study, asked = optuna.create_study(), newcomers(task)
        assert asked.due(study, []) == frozenset()  # the initial design comes first
        first = [row(0, "linear", "portfolio")]
        assert asked.due(study, first) == {"knn"}
        assert asked.due(study, [*first, row(1, "linear")]) == frozenset()
        assert asked.due(study, [*first, row(1, "linear"), row(2, "linear")]) == {"knn"}
        assert asked.due(study, [*first, row(1, "knn"), row(2, "linear")]) == frozenset()

    def test_what_runs_counts_as_tried(self, task):
        study = optuna.create_study()
        for _ in range(2):
            study.ask({FAMILY: optuna.distributions.CategoricalDistribution(("knn",))})
        assert newcomers(task).due(study, [row(0, "linear", "portfolio")]) == frozenset()

    def test_on_a_small_table_one_trial_is_worth_as_much_as_another(self, task):
        study, first = optuna.create_study(), [row(0, "linear", "portfolio")]
        assert newcomers(task, options=OPTIONS).due(study, first) == frozenset()
        assert newcomers(task, options=replace(OPTIONS, newcomers_above=task.n)).due(study, first) == frozenset()
        assert newcomers(task, options=replace(OPTIONS, newcomers_above=task.n - 1)).due(study, first) == {"knn"}

    def test_one_pipeline_alone_has_no_ensemble_to_complete(self, task):
        assert newcomers(task, members=1).due(optuna.create_study(), [row(0, "linear", "portfolio")]) == frozenset()


class TestHowFarBehind:
    def test_it_is_what_predictions_of_other_families_are_apart(self, task):
        y, rng = np.asarray(task.y), np.random.default_rng(1)
        best, other = (y + rng.normal(0, 0.3, task.n) for _ in range(2))
        same = y + 1.5 * (best - y)  # errs in the same way, and more: no help
        leaders = [row(0, "linear", folds=(-0.3,) * 3), row(1, "knn"), row(2, "extra_trees")]
        told = newcomers(task, {0: best, 1: other, 2: same})

        def root(error: np.ndarray) -> float:
            return float(np.mean([np.sqrt(np.mean(error[test] ** 2)) for _, test in told.plan.splits]))

        apart = 4 * ((root(best - y) + root(other - y)) / 2 - root((best + other) / 2 - y))
        assert told.slack(leaders[:2]) == pytest.approx(apart, rel=1e-6)
        assert apart > 0.1
        assert told.slack([leaders[0], leaders[2]]) == 0.0
        assert told.slack(leaders[:1]) == 0.0

    def test_a_new_family_is_judged_by_it_and_one_that_was_tried_is_not(self, task):
        y, rng = np.asarray(task.y), np.random.default_rng(1)
        said = {number: y + rng.normal(0, 0.3, task.n) for number in (0, 1)}
        told, leaders = newcomers(task, said), [row(0, "linear", folds=(-0.3, -0.2, -0.4)), row(1, "knn")]
        assert told.rival([], [], "knn") is None
        assert told.rival(leaders, leaders, "knn") == (-0.3, -0.2, -0.4)
        slack = told.slack(leaders)
        assert slack > 0
        assert told.rival(leaders, leaders, "extra_trees") == pytest.approx((-0.3 - slack, -0.2 - slack, -0.4 - slack))

    def test_trials_that_left_no_predictions_tell_nothing(self, task):
        assert newcomers(task).slack([row(0, "linear"), row(1, "knn")]) == 0.0


def past_of(space: Any) -> PastTasks:
    """Four past tasks that know the defaults of all families: the linear model is the best, knn the worst."""
    configs = tuple(space.defaults())
    worth = {"linear": 0.9, "extra_trees": 0.8, "naive_bayes": 0.7, "knn": 0.6}
    scores = np.tile([worth[config[FAMILY]] for config in configs], (4, 1))
    records = tuple(TaskRecord(f"{i}", f"task {i}", "binary", "roc_auc", 100, 5, 2) for i in range(4))
    return PastTasks(records, configs, scores, np.ones_like(scores), np.zeros((4, 0)), ())


class TestTheSampler:
    def asked(self, wanted: frozenset[str], limit: TrialLimit | None = None) -> tuple[str, str, str]:
        """Family, origin and reason of the trial after three recommended ones."""
        from autometa.families import cash_space

        space = cash_space("binary", list(FAMILIES))
        sampler = WarmStartSampler(past_of(space), space, n_initial=1, seed=0, limit=limit)
        study = optuna.create_study(direction="maximize", sampler=sampler)
        study.optimize(lambda trial: 0.8 + 0.1 * (space.suggest(trial)[FAMILY] == "linear"), n_trials=1)
        sampler.wanted = wanted
        trial = study.ask()
        space.suggest(trial)
        return family_in(trial.params), trial.user_attrs[ORIGIN], trial.user_attrs[REASON]

    def test_it_chooses_among_the_families_that_are_wanted_and_says_so(self):
        family, origin, reason = self.asked(frozenset({"knn", "naive_bayes"}))
        assert family in {"knn", "naive_bayes"}
        assert origin == "newcomer"
        assert reason.endswith("among families not tried yet.")

    def test_where_none_of_them_has_the_time_it_chooses_as_ever(self):
        limit = TrialLimit(1e9, late=frozenset({"knn"}))
        family, origin, reason = self.asked(frozenset({"knn"}), limit)
        assert family != "knn"
        assert origin == "surrogate"
        assert "not tried yet" not in reason


@pytest.mark.long
def test_a_search_with_a_memory_asks_new_families_and_its_run_says_so(tmp_path):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(150, 3)), columns=list("abc"))
    task = make_task(X, y=(X["a"] + X["b"] ** 2 > 0.5).to_numpy(), name="bent")
    settings = Settings(trials=8, families=FAMILIES, folds=3, jobs=1, store=str(tmp_path / "store.db"), remember=False)
    plan = SearchPlan.of(task, settings, 1, options=EVERYWHERE)
    result = search(task, settings, tmp_path / "run", plan=plan)
    new = [one for one in result.trials if one.origin == "newcomer"]
    for one in new:
        before = {other.evaluation.config[FAMILY] for other in result.trials if other.number < one.number}
        assert one.evaluation.config[FAMILY] not in before
    tried = {one.evaluation.config[FAMILY] for one in result.trials}
    assert new or tried == set(FAMILIES)
    single = replace(settings, members=1)
    alone = search(task, single, tmp_path / "alone", plan=SearchPlan.of(task, single, 1, options=EVERYWHERE))
    assert not [one for one in alone.trials if one.origin == "newcomer"]
