"""What a search does with its time: on machines that are made up, so that no outcome depends on this one's speed."""

from __future__ import annotations

import itertools
import pickle
import re
import socket
import subprocess
import sys
import textwrap
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor

from autometa.evaluation import Attempt, Evaluation, Local, State, plan_splits, score, score_all
from autometa.evaluation.forkserver import FRAME, YIELDED
from autometa.evaluation.watch import Watch
from autometa.families import QUICK, cash_space, suited_to
from autometa.families.learners.quick import QuickLinear
from autometa.sampler import WarmStartSampler
from autometa.search import Run, SearchPlan, Settings, TrialRow, load_model, open_run, resume, search
from autometa.search.budget import Budget
from autometa.search.first import first_model
from autometa.search.options import OPTIONS
from autometa.search.pace import cheap_defaults, default_to_begin_with, late_families
from autometa.search.plan import search_space, without_many_trees
from autometa.search.settings import Silent
from autometa.space import FAMILY
from autometa.store import MetaStore, sample_fingerprint
from autometa.task import Task, make_task
from autometa.transfer import Guard, History
from autometa.transfer.cost import TrialLimit
from autometa.transfer.observation import Observation, TrialReading


class Machine:
    """Answers for `evaluate_isolated` and for the fits on all rows of one task.

    Args:
        task: What is searched.
        seconds: Of a trial of a configuration on all rows, on this machine.
    """

    def __init__(self, task: Task, seconds: Callable[[dict[str, Any]], float]) -> None:
        self.task, self.seconds = task, seconds
        self.now = 1000.0
        self.learned: list[int] = []  # from how many rows, trial by trial
        self.refitted: list[int] = []  # on how many rows
        self.tried: list[tuple[dict[str, Any], float]] = []  # configuration, and the seconds that it was given
        self.ram: list[int] = []  # bytes that each trial was given
        self.isolation: Any = types.SimpleNamespace(warm_up=lambda: None, cancel_all=lambda: None, overhead=lambda: 0)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every search until the end of the test runs on this machine."""
        monkeypatch.setattr("autometa.evaluation.executor.evaluate_isolated", self.evaluate)
        module = sys.modules["autometa.search.search"]
        monkeypatch.setattr(module, "fit_by", lambda *_: self.fit)
        monkeypatch.setattr(module, "Budget", lambda *given: Budget(*given, now=lambda: self.now))
        monkeypatch.setattr(module, "crowding", lambda: 1.0)
        monkeypatch.setattr(module, "shared_isolation", lambda: self.isolation)
        monkeypatch.setattr(module, "executor_for", lambda *_: Local(self.isolation))
        monkeypatch.setattr(module.time, "monotonic", lambda: self.now)

    def evaluate(
        self,
        isolation: Any,
        folder: Path,
        attempt: Attempt,
        *,
        seconds: float,
        max_ram: int,
        oof_path: Path,
        patience: float,
    ) -> Evaluation:
        """A prediction of the shares of the classes, a little better for a larger number of the configuration."""
        rows = attempt.rows or self.task.n
        takes = self.seconds(attempt.config) * rows / self.task.n
        self.learned.append(rows)
        self.ram.append(max_ram)
        self.tried.append((attempt.config, seconds))
        self.now += min(takes, seconds)
        head = attempt.config, State.TIMEOUT, "killed at its deadline", {}, {}, seconds, 0.0, 0, attempt.seed
        if takes > seconds:
            return Evaluation(*head, rows, {}, attempt.origin)
        task, said = self.task, self.says(attempt.config)
        folds = [score_all(task.kind, task.y[test], said[test], task.c, also=task.metric) for _, test in attempt.splits]
        scores = {name: tuple(fold[name] for fold in folds) for name in folds[0]}
        np.save(oof_path, attempt.splits.layered([said[test] for _, test in attempt.splits])[0])
        if attempt.keep_models is not None:
            attempt.keep_models.write_bytes(self.fit(None, seconds=1.0, threads=1, rows=0))
        means = {name: float(np.mean(values)) for name, values in scores.items()}
        return Evaluation(
            attempt.config, State.COMPLETE, None, means, scores, takes, 0.0, 0, attempt.seed, rows, {}, attempt.origin
        )

    def says(self, config: dict[str, Any]) -> np.ndarray:
        """(n,) or (n, c) what a configuration predicts of every row: the better, the longer its name."""
        noise = np.random.default_rng(len(str(config))).normal(size=self.task.n)
        if self.task.kind == "regression":
            return self.task.y + noise * self.task.y.std()
        truth = np.eye(self.task.c)[self.task.y]
        return (truth + 1.0 + np.abs(noise)[:, None]) / (truth + 1.0 + np.abs(noise)[:, None]).sum(
            axis=1, keepdims=True
        )

    def fit(self, row: Any, *, seconds: float, threads: int, rows: int) -> bytes:
        """The constant prediction."""
        if row is not None:
            self.refitted.append(rows)
            self.now += self.seconds(row.evaluation.config) * rows / self.task.n
        model = DummyRegressor() if self.task.kind == "regression" else DummyClassifier()
        return pickle.dumps([model.fit(self.task.X, self.task.y)])


@pytest.fixture
def task():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(300, 4)), columns=list("abcd"))
    return make_task(X, y=(X["a"] + rng.normal(size=300) > 0).astype(int).to_numpy(), name="simulated")


class Notes(Silent):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def ended(number: int, family: str, state: State) -> TrialRow:
    evaluation = Evaluation({FAMILY: family}, state, None, {}, {}, 1.0, 0.0, 0, 0, 9, {})
    return TrialRow(number, evaluation, "search", "", 0.0, 1.0)


@pytest.mark.parametrize(
    ("states", "late"),
    [
        ("ttt", True),
        ("tt", False),
        ("ctttt", True),
        ("tttc", False),  # one that came to an end: another may as well
        ("ttctt", False),
        ("tfttt", True),
        ("ttftt", False),  # failed for another reason, in time
    ],
)
def test_a_family_is_late_when_its_last_three_trials_ran_out_of_time(states, late):
    of = {"t": State.TIMEOUT, "c": State.COMPLETE, "f": State.FAILED}
    trials = [ended(2 * k, "svm", of[state]) for k, state in enumerate(states)]
    others = [ended(2 * k + 1, "knn", State.COMPLETE) for k in range(len(states))]
    found = late_families([*reversed(trials), *others], 3)  # whatever the order in which they ended
    assert found == (frozenset({"svm"}) if late else frozenset())


@pytest.mark.parametrize("cold", [False, True])
def test_a_family_that_ran_out_of_time_three_times_is_not_proposed_again(cold, task, tmp_path, monkeypatch):
    """The memory and the cold sampler alike would go on with it: in `make demo` ten times."""
    slow, heard = "hist_gradient_boosting", Notes()
    machine = Machine(task, lambda config: 1e6 if config[FAMILY] == slow else 1.0)
    machine.install(monkeypatch)
    settings = Settings(
        trials=12, families=(slow, "knn", "naive_bayes"), trial_seconds=10.0, cold=cold, remember=False,
        store=str(tmp_path / "store.db"),
    )  # fmt: skip
    result = search(task, settings, tmp_path / "run", executor=Local(machine.isolation), progress=heard)
    tried = [row.evaluation.config[FAMILY] for row in result.trials]
    assert len(tried) == 12
    assert tried.count(slow) <= 3
    if tried.count(slow) == 3:
        assert sum("left out from now on" in note for note in heard.notes) == 1


def test_where_every_family_is_late_the_search_goes_on(task, tmp_path, monkeypatch):
    machine = Machine(task, lambda config: 1e6 if len(machine.tried) < 8 else 1.0)
    machine.install(monkeypatch)
    settings = Settings(trials=10, families=("knn", "naive_bayes"), trial_seconds=10.0, cold=True, remember=False)
    result = search(task, settings, tmp_path / "run", executor=Local(machine.isolation))
    assert [row.evaluation.state for row in result.trials].count(State.COMPLETE) == 2


def test_the_guided_search_takes_another_family_for_one_that_is_late():
    """Where nothing is known of costs, too."""
    space = cash_space("binary", ["knn", "naive_bayes"])
    history = History.of(space, [space.default | {"knn.n_neighbors": k} for k in (3, 9, 27)], [0.9, 0.8, 0.7])
    guard = Guard(space)
    free = guard.suggest(history, rng=np.random.default_rng(0)).config[FAMILY]
    limit = TrialLimit(float("inf"), late=frozenset({free}))
    assert guard.suggest(history, rng=np.random.default_rng(0), limit=limit).config[FAMILY] != free


def test_the_cold_sampler_draws_another_family_for_one_that_is_late():
    space = cash_space("binary", ["knn", "naive_bayes", "linear"])
    sampler = WarmStartSampler(None, space, seed=0, limit=TrialLimit(1.0, late=frozenset({"knn", "linear"})))
    study = optuna.create_study(sampler=sampler, direction="maximize")
    for _ in range(20):
        trial = study.ask()
        assert space.suggest(trial)[FAMILY] == "naive_bayes"
        study.tell(trial, 0.5)


class TestAlwaysAModel:
    @pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
    @pytest.mark.parametrize("rows", [10, 300])
    def test_on_a_machine_that_evaluates_nothing_the_first_model_answers(self, kind, rows, tmp_path, monkeypatch):
        """Beside twenty busy processes seven tables of all sizes ended with exit code 4."""
        rng = np.random.default_rng(0)
        X = pd.DataFrame(rng.normal(size=(rows, 3)), columns=list("abc"))
        X["k"] = rng.choice(["x", "y"], rows)
        value = X["a"] - X["b"] + rng.normal(size=rows) / 4
        y = value if kind == "regression" else pd.qcut(value, 2 + (kind == "multiclass"), labels=False)
        task, heard = make_task(X, y=y.to_numpy(), kind=kind, name="crowded"), Notes()
        machine = Machine(task, lambda config: 1e9)
        machine.install(monkeypatch)
        settings = Settings(seconds=60.0, jobs=1, cold=True, store=str(tmp_path / "store.db"))
        began = machine.now
        result = search(task, settings, tmp_path / "run", executor=Local(machine.isolation), progress=heard)
        assert machine.now - began <= 60.0
        assert result.best.evaluation.config == {FAMILY: QUICK}
        assert result.best.origin == "fallback"
        assert f"{rows} rows" in result.best.reason or " of " in result.best.reason
        assert result.best.reason in heard.notes
        assert result.score == pytest.approx(result.best.evaluation.scores[task.metric])
        model = load_model(result.run)
        assert model.predict(X).shape == (rows,)
        if rows == 300:
            constant = constant_score(task, result)
            assert result.score > constant
        remembered = MetaStore(tmp_path / "store.db").evaluations(task.fingerprint)
        assert all(evaluation.config[FAMILY] != QUICK for evaluation in remembered)

    def test_the_run_goes_on_from_it_where_there_is_more_time(self, task, tmp_path, monkeypatch):
        machine = Machine(task, lambda config: 1e9)
        machine.install(monkeypatch)
        settings = Settings(seconds=60.0, jobs=1, families=("knn", "naive_bayes"), cold=True, remember=False)
        search(task, settings, tmp_path / "run", executor=Local(machine.isolation))
        machine.seconds = lambda config: 10.0
        result = resume(tmp_path / "run", seconds=60.0)
        complete = [row.evaluation.config[FAMILY] for row in result.trials if row.evaluation.state == State.COMPLETE]
        assert QUICK in complete
        assert {"knn", "naive_bayes"} & set(complete)

    def test_what_was_evaluated_in_time_answers_instead(self, task, tmp_path, monkeypatch):
        machine = Machine(task, lambda config: 10.0)
        machine.install(monkeypatch)
        settings = Settings(seconds=60.0, jobs=1, families=("knn", "naive_bayes"), cold=True, remember=False)
        result = search(task, settings, tmp_path / "run", executor=Local(machine.isolation))
        assert QUICK not in {row.evaluation.config[FAMILY] for row in result.trials}

    def test_without_a_time_budget_too(self, task, tmp_path, monkeypatch):
        machine = Machine(task, lambda config: 1e9)
        machine.install(monkeypatch)
        settings = Settings(trials=2, families=("knn",), cold=True, remember=False)
        result = search(task, settings, tmp_path / "run", executor=Local(machine.isolation))
        assert result.best.evaluation.config == {FAMILY: QUICK}


def constant_score(task, result):
    """The mean score of the folds' own constants."""
    found = []
    for train, test in Run.open(result.run).splits:
        if task.kind == "regression":
            said = np.full(len(test), task.y[train].mean())
        else:
            said = np.tile(np.bincount(task.y[train], minlength=task.c) / len(train), (len(test), 1))
        found.append(score(task.metric, task.y[test], said, task.c))
    return np.mean(found)


class TestTheFirstModel:
    def test_it_needs_no_library_that_is_not_there_yet(self, tmp_path):
        """Beside twenty busy processes loading scikit-learn alone takes the budget."""
        code = """
            import sys
            import numpy as np
            import pandas as pd
            from autometa.evaluation import plan_splits
            from autometa.search.first import first_model
            from autometa.task import make_task
            X = pd.DataFrame({"a": np.arange(300.0), "k": ["x", "y", "z"] * 100})
            task = make_task(X, y=np.arange(300) % 2, name="t")
            splits = plan_splits(task, seed=0)
            before = set(sys.modules)
            first_model(task, splits, seed=0, seconds=1e9)
            heavy = ("sklearn", "scipy", "lightgbm", "xgboost", "torch", "catboost")
            print(sorted(name for name in set(sys.modules) - before if name.split(".")[0] in heavy))
            print("sklearn" in sys.modules, "torch" in sys.modules, "lightgbm" in sys.modules)
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, timeout=600
        )
        assert done.stdout.split("\n")[:2] == ["[]", "False False False"]

    def test_it_learns_from_as_many_rows_as_time_allows(self):
        rng = np.random.default_rng(0)
        X = pd.DataFrame(rng.normal(size=(20_000, 3)), columns=list("abc"))
        task = make_task(X, y=(X["a"] + rng.normal(size=20_000)).to_numpy(), name="long")
        splits = plan_splits(task, seed=0, folds=1)
        asked = itertools.count()
        found = [
            first_model(task, splits, seed=0, seconds=seconds, now=lambda: float(next(asked))).rows
            for seconds in (0.5, 8.0, 12.0, 1e9)
        ]
        assert found[0] == len(splits[0][0])  # a constant knows all rows
        few, more, every = found[1], found[2], found[3]
        assert 2_000 <= few < more < every == len(splits[0][0])

    @pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
    def test_whatever_the_columns_hold_there_is_a_finite_answer(self, kind):
        rng = np.random.default_rng(0)
        n = 200
        X = pd.DataFrame(
            {
                "constant": 1.0,
                "huge": np.where(np.arange(n) == 3, 1e300, rng.normal(size=n)),
                "missing": np.nan,
                "holes": np.where(rng.random(n) < 0.5, np.nan, rng.normal(size=n)),
                "many": [f"id{k}" for k in range(n)],
                "some": rng.choice(["a", "b", None], n),
                "text": ["the quick brown fox jumps"] * (n - 1) + ["over it"],
                "flag": rng.random(n) < 0.5,
            }
        )
        y = rng.normal(size=n) if kind == "regression" else np.arange(n) % (2 + (kind == "multiclass"))
        model = QuickLinear(classification=kind != "regression").fit(X.astype({"some": "category"}), y)
        later = X.astype({"some": "category"}).assign(huge=-1e308, flag=False, holes=np.nan)
        said = model.predict(later) if kind == "regression" else model.predict_proba(later)
        assert np.isfinite(said).all()
        if kind != "regression":
            np.testing.assert_allclose(said.sum(axis=1), 1.0)
            assert set(model.predict(later)) <= set(model.classes_)

    def test_it_is_about_as_good_as_the_library_on_what_is_linear(self):
        from sklearn.linear_model import LogisticRegression

        rng = np.random.default_rng(0)
        X = pd.DataFrame(rng.normal(size=(2_000, 10))).add_prefix("c")
        y = (X["c0"] - X["c1"] + X["c2"] / 2 + rng.normal(size=2_000) > 0).astype(int).to_numpy()
        learned, later = slice(0, 1_000), slice(1_000, None)
        model = QuickLinear(classification=True).fit(X[learned], y[learned])
        library = LogisticRegression().fit(X[learned], y[learned])
        ours, theirs = (score("roc_auc", y[later], m.predict_proba(X[later]), 2) for m in (model, library))
        assert ours > theirs - 0.02


def test_proposals_are_priced_by_how_crowded_the_machine_is_until_a_trial_tells(task, tmp_path, monkeypatch):
    machine, limits = Machine(task, lambda config: 1.0), []
    machine.install(monkeypatch)
    monkeypatch.setattr("autometa.search.recall.crowding", lambda: 10.0)
    asked = WarmStartSampler.infer_relative_search_space

    def spied(sampler, study, trial):
        limits.append(sampler.limit.seconds)
        return asked(sampler, study, trial)

    monkeypatch.setattr(WarmStartSampler, "infer_relative_search_space", spied)
    settings = Settings(
        seconds=60.0, trials=3, jobs=1, families=("knn", "naive_bayes"), remember=False, store=str(tmp_path / "s.db")
    )
    search(task, settings, tmp_path / "run", executor=Local(machine.isolation))
    assert limits == [1.5, 15.0, 15.0]


class TestLargeForTheTime:
    def test_what_the_processes_beside_a_trial_hold_is_not_the_trials(self, task, tmp_path, monkeypatch):
        machine = Machine(task, lambda config: 1.0)
        machine.isolation.overhead = lambda: 700_000_000
        machine.install(monkeypatch)
        settings = Settings(trials=2, jobs=1, max_ram=2 * 10**9, cold=True, remember=False)
        search(task, settings, tmp_path / "run")
        assert machine.ram == [1_300_000_000] * 2

    def test_the_default_of_boosting_comes_first_and_the_proposals_after_it(self, task, tmp_path, monkeypatch):
        machine = Machine(task, lambda config: 5.0)
        machine.install(monkeypatch)
        settings = Settings(
            seconds=60.0, families=("knn", "hist_gradient_boosting"), remember=False, store=str(tmp_path / "store.db")
        )
        options = replace(OPTIONS, default_first_load=0.0)
        plan = SearchPlan.of(task, settings, 1, options=options)
        result = search(task, settings, tmp_path / "run", executor=Local(machine.isolation), plan=plan)
        assert machine.tried[0][0] == cash_space("binary", ["hist_gradient_boosting"]).default
        assert (result.trials[0].origin, "default first" in result.trials[0].reason) == ("default", True)
        usual = SearchPlan.of(task, settings, 1)
        search(task, settings, tmp_path / "usual", executor=Local(machine.isolation), plan=usual)
        assert not any("default first" in row.reason for row in open_run(tmp_path / "usual").trials)

    def test_boosting_gets_the_rounds_there_is_time_for_and_a_rate_that_suits_them(self, task, tmp_path, monkeypatch):
        """A second a round in each fold: of a quarter of the budget, 15 s, three folds have five rounds each."""
        default = cash_space("binary", ["lightgbm"]).default
        slow = default | {"lightgbm.n_estimators": 706, "lightgbm.learning_rate": 0.005, "lightgbm.num_leaves": 5}
        assert suited_to(slow, 800) == slow
        found = suited_to(slow, 50)
        assert found["lightgbm.n_estimators"] == 50
        assert found["lightgbm.learning_rate"] == pytest.approx(0.0706)
        few = suited_to(slow, 10)  # fewer than the space allows
        assert few["lightgbm.n_estimators"] == 20
        assert few["lightgbm.learning_rate"] == pytest.approx(0.1765)
        fewest = suited_to(slow | {"lightgbm.learning_rate": 0.02}, 20)
        assert (fewest["lightgbm.learning_rate"], fewest["lightgbm.num_leaves"]) == (0.2, 31)
        fast = slow | {"lightgbm.learning_rate": 0.4}
        assert suited_to(fast, 20)["lightgbm.learning_rate"] == 0.4  # never lowered
        knn = cash_space("binary", ["knn"]).default
        assert suited_to(knn, 1) == knn
        for config in (found, few, fewest):
            assert cash_space("binary", ["lightgbm"]).contains(config)


@pytest.mark.parametrize(
    ("own", "wall", "ready", "held_up"),
    [
        (2.0, 11.0, True, True),  # a fifth of a core: the machine is crowded
        (10.5, 11.0, True, False),  # it had its time: slow
        (0.1, 11.0, True, False),  # it sleeps
        (2.0, 21.0, True, False),  # patience has its end
        (0.0, 11.0, False, True),  # it loads libraries
        (0.0, 21.0, False, False),
    ],
)
def test_a_crowded_machine_is_not_taken_for_a_slow_configuration(own, wall, ready, held_up, monkeypatch):
    """Ten seconds, and as many of patience, at various moments after its first word."""
    used = [5.0]  # by then
    monkeypatch.setattr("autometa.evaluation.watch.processor_seconds", lambda tree: used[0])
    monkeypatch.setattr("autometa.evaluation.watch.time", types.SimpleNamespace(monotonic=lambda: 100.0))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setblocking(False)
        watch = Watch(None, ours, theirs, 110.0, 10.0, None, 10.0)
        assert not watch.ready
        if ready:
            ours.sendall(FRAME.pack(YIELDED, 1) + b"x")
            watch._hear_trial()
            assert (watch.ready, watch.deadline) == (True, 110.0)
        used[0] += own
        assert watch._is_held_up(100.0 + wall) is held_up
    assert Watch(None, ours, theirs, 110.0, 10.0, None).ready  # without patience the deadline counts from the request


class TestRowsThatGrow:
    """A table of 60,000 rows, on a machine on which a trial takes a third of the budget on all of them."""

    @pytest.fixture
    def large(self):
        rng = np.random.default_rng(0)
        X = pd.DataFrame(rng.normal(size=(60_000, 3)), columns=list("abc"))
        return make_task(X, y=(X["a"] + rng.normal(size=60_000) > 0).map({True: "yes", False: "no"}), name="large")

    def searched(self, task, tmp_path, monkeypatch, seconds=20.0, **settings):
        machine, heard = Machine(task, lambda config: seconds), Notes()
        machine.install(monkeypatch)
        settings = Settings(seconds=60.0, jobs=1, cold=True, **{"remember": False} | settings)
        began = machine.now
        result = search(task, settings, tmp_path / "run", executor=Local(machine.isolation), progress=heard)
        assert machine.now - began <= 60.0
        return machine, result, heard.notes

    def test_the_first_trial_tells_how_many_rows_there_is_time_for(self, large, tmp_path, monkeypatch):
        machine, result, _ = self.searched(large, tmp_path, monkeypatch)
        assert machine.learned[:3] == [60_000, 15_000, 15_000]
        assert result.trials[0].origin == "default"
        assert {row.evaluation.rows for row in result.trials} == {15_000, 60_000}

    def test_as_long_as_the_default_comes_to_no_end_it_comes_again_with_fewer_rows(self, large, tmp_path, monkeypatch):
        machine, result, _ = self.searched(large, tmp_path, monkeypatch, seconds=40.0)
        assert machine.learned[:2] == [60_000, 15_000]
        assert [row.evaluation.state for row in result.trials][:2] == [State.TIMEOUT, State.COMPLETE]
        assert [row.origin for row in result.trials][:2] == ["default", "default"]

    def test_the_sampler_hears_only_of_what_can_be_compared(self, large, tmp_path, monkeypatch):
        _, result, _ = self.searched(large, tmp_path, monkeypatch)
        study = Run.open(result.run).study()
        heard = Observation.of_trials(study.get_trials(deepcopy=False), TrialReading())
        assert [seen.number for seen in heard] == [r.number for r in result.trials if r.evaluation.rows == 15_000]

    def test_what_was_promising_goes_on_and_says_from_where(self, large, tmp_path, monkeypatch):
        _, result, _ = self.searched(large, tmp_path, monkeypatch, seconds=8.0)
        grown = [row for row in result.trials if row.origin == "grown"]
        assert grown
        for row in grown:
            source = next(one for one in result.trials if one.number == row.grown_from[0])
            assert source.evaluation.config == row.evaluation.config
            assert source.evaluation.rows < row.evaluation.rows
            assert f"Trial {source.number} on {row.evaluation.rows:,} of 60,000 rows" in row.reason

    def test_where_all_rows_cost_little_none_is_left_out(self, large, tmp_path, monkeypatch):
        machine, _, notes = self.searched(large, tmp_path, monkeypatch, seconds=3.0)
        assert set(machine.learned) == {60_000}
        assert not [note for note in notes if "no time for more" in note]

    def test_a_run_that_goes_on_compares_what_it_compared_before(self, large, tmp_path, monkeypatch):
        machine, _, _ = self.searched(large, tmp_path, monkeypatch)
        before = len(machine.learned)
        resume(tmp_path / "run", seconds=60.0)
        assert 15_000 in machine.learned[before:]
        rows = Run.open(tmp_path / "run").trials(Run.open(tmp_path / "run").study())
        assert len({row.grown_from for row in rows if row.grown_from}) == sum(row.origin == "grown" for row in rows)

    def test_a_sample_is_remembered_as_one(self, large, tmp_path, monkeypatch):
        store = str(tmp_path / "store.db")
        _, result, _ = self.searched(large, tmp_path, monkeypatch, remember=True, store=store)
        known = MetaStore(store)
        whole = {evaluation.rows for evaluation in known.evaluations(large.fingerprint)}
        few = known.evaluations(sample_fingerprint(large.fingerprint, 15_000))
        assert whole == {60_000}
        assert len(few) == sum(row.evaluation.rows == 15_000 for row in result.trials)
        assert {record.n_rows for record in known.tasks()} == {15_000, 60_000}
        assert len({record.family for record in known.tasks()} - {None}) == 1

    def test_without_a_time_budget_all_rows_are_learned_from(self, large, tmp_path, monkeypatch):
        machine = Machine(large, lambda config: 20.0)
        machine.install(monkeypatch)
        settings = Settings(trials=2, families=("knn",), cold=True, remember=False)
        search(large, settings, tmp_path / "run", executor=Local(machine.isolation))
        assert machine.learned == [60_000, 60_000]


class TestPatience:
    def searched(self, task, tmp_path, monkeypatch, **settings):
        machine, heard = Machine(task, lambda config: 1.0), Notes()
        machine.says = lambda config: np.full((task.n, 2), 0.5)  # one is as good as the other
        machine.install(monkeypatch)
        settings = Settings(seconds=30.0, jobs=1, cold=True, remember=False, families=("knn", "linear"), **settings)
        search(task, settings, tmp_path / "run", executor=Local(machine.isolation), progress=heard)
        return machine, heard.notes

    def test_where_nothing_better_is_expected_the_search_ends_and_says_what_it_left(self, task, tmp_path, monkeypatch):
        machine, notes = self.searched(task, tmp_path, monkeypatch)
        assert len(machine.tried) == OPTIONS.patient_trials
        [note] = [note for note in notes if "expected" in note]
        assert re.fullmatch(r"Nothing better is expected: 1\d s of 30 are not needed\.", note)

    def test_a_larger_table_has_all_of_its_time(self, tmp_path, monkeypatch):
        rng, n = np.random.default_rng(0), OPTIONS.patient_rows + 1
        frame = pd.DataFrame(rng.normal(size=(n, 3)), columns=list("abc")).assign(y=rng.integers(0, 2, n))
        machine, notes = self.searched(make_task(frame, target="y", name="larger"), tmp_path, monkeypatch)
        assert len(machine.tried) > 20
        assert not [note for note in notes if "expected" in note]

    def test_who_asks_for_all_of_the_time_gets_it(self, task, tmp_path, monkeypatch):
        machine, notes = self.searched(task, tmp_path, monkeypatch, patience="off")
        assert len(machine.tried) > 20
        assert not [note for note in notes if "expected" in note]

    def test_a_time_without_a_better_one(self, task, tmp_path, monkeypatch):
        machine, notes = self.searched(task, tmp_path, monkeypatch, patience=9.5)
        assert len(machine.tried) == 11
        assert "Nothing better was found for 9.5 s: the search ends here." in notes

    def test_who_adds_time_is_not_told_that_it_is_enough(self, task, tmp_path, monkeypatch):
        machine, _ = self.searched(task, tmp_path, monkeypatch)
        before = len(machine.tried)
        resume(tmp_path / "run", seconds=5.0)
        assert len(machine.tried) > before + 5


class TestManyClasses:
    """Boosting grows a tree for each class: with 500 of them a round outlasts what a trial may take."""

    @pytest.fixture
    def many(self) -> Task:
        rows = np.arange(3_000)
        return make_task(pd.DataFrame({"a": rows * 7 % 101.0}), y=[f"c{k % 500}" for k in rows], name="many")

    def test_boosting_is_left_out_where_there_is_no_time_for_a_tree_for_each_class(self, many):
        short, long = (search_space(many, Settings(seconds=seconds)).families for seconds in (60.0, 3600.0))
        assert {"lightgbm", "xgboost"} & set(long)
        assert set(long) - set(short) <= {"lightgbm", "xgboost", "hist_gradient_boosting"}
        assert not {"lightgbm", "xgboost"} & set(short)
        told = without_many_trees(many, Settings(seconds=60.0))
        assert told is not None
        assert "60 s are short for a tree for each of 500 classes" in told
        assert "LightGBM" in told
        assert without_many_trees(many, Settings(seconds=3600.0)) is None
        assert without_many_trees(many, Settings(trials=3)) is None

    def test_who_asks_for_it_by_name_gets_it(self, many):
        asked = Settings(seconds=60.0, families=("lightgbm", "linear"))
        assert search_space(many, asked).families == ("lightgbm", "linear")
        assert without_many_trees(many, asked) is None

    def test_a_family_whose_work_does_not_grow_with_the_classes_falls_back_first(self, many):
        space = search_space(many, Settings(seconds=60.0))
        assert next(config["family"] for config in cheap_defaults(space, 500)) == "discriminant"
        assert next(config["family"] for config in cheap_defaults(space, 3)) == "linear"
        assert default_to_begin_with(space, 500)["family"] == "discriminant"
        assert default_to_begin_with(cash_space("binary"), 2)["family"] == "lightgbm"
