"""What a search does with its time: on machines that are made up, so that no outcome depends on this one's speed."""

from __future__ import annotations

import pickle
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor

from autometa.evaluation import Attempt, Evaluation, State, score_all
from autometa.families import cash_space
from autometa.sampler import WarmStartSampler
from autometa.search import Settings, TrialRow, search
from autometa.search.settings import Silent
from autometa.search.trials import late_families
from autometa.space import FAMILY
from autometa.task import Task, make_task
from autometa.transfer import Guard, History
from autometa.transfer.cost import TrialLimit


class Machine:
    """Answers for `evaluate_isolated` and for the fits on all rows of one task.

    Args:
        task: What is searched.
        seconds: Of a trial of a configuration, on this machine.
    """

    def __init__(self, task: Task, seconds: Callable[[dict[str, Any]], float]) -> None:
        self.task, self.seconds = task, seconds
        self.now = 1000.0
        self.tried: list[tuple[dict[str, Any], float]] = []  # configuration, and the seconds that it was given
        self.isolation: Any = types.SimpleNamespace(warm_up=lambda: None, cancel_all=lambda: None)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every search until the end of the test runs on this machine."""
        monkeypatch.setattr("autometa.search.trials.evaluate_isolated", self.evaluate)
        monkeypatch.setattr(sys.modules["autometa.search.search"], "isolated_fit", lambda *_: self.fit)

    def evaluate(
        self, isolation: Any, folder: Path, attempt: Attempt, *, seconds: float, max_ram: int, oof_path: Path
    ) -> Evaluation:
        """A prediction of the shares of the classes, a little better for a larger number of the configuration."""
        takes = self.seconds(attempt.config)
        self.tried.append((attempt.config, seconds))
        self.now += min(takes, seconds)
        head = attempt.config, State.TIMEOUT, "killed at its deadline", {}, {}, seconds, 0.0, 0, attempt.seed
        if takes > seconds:
            return Evaluation(*head, self.task.n, {}, attempt.origin)
        task, said = self.task, self.says(attempt.config)
        folds = [score_all(task.kind, task.y[test], said[test], task.c, also=task.metric) for _, test in attempt.splits]
        scores = {name: tuple(fold[name] for fold in folds) for name in folds[0]}
        np.save(oof_path, attempt.splits.layered([said[test] for _, test in attempt.splits])[0])
        if attempt.keep_models is not None:
            attempt.keep_models.write_bytes(self.fit(None, seconds=1.0, threads=1))
        means = {name: float(np.mean(values)) for name, values in scores.items()}
        return Evaluation(
            attempt.config, State.COMPLETE, None, means, scores, takes, 0.0, 0, attempt.seed, task.n, {}, attempt.origin
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

    def fit(self, row: Any, *, seconds: float, threads: int) -> bytes:
        """The constant prediction."""
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
    result = search(task, settings, tmp_path / "run", isolation=machine.isolation, progress=heard)
    tried = [row.evaluation.config[FAMILY] for row in result.trials]
    assert len(tried) == 12
    assert tried.count(slow) <= 3
    if tried.count(slow) == 3:
        assert sum("left out from now on" in note for note in heard.notes) == 1


def test_where_every_family_is_late_the_search_goes_on(task, tmp_path, monkeypatch):
    machine = Machine(task, lambda config: 1e6 if len(machine.tried) < 8 else 1.0)
    machine.install(monkeypatch)
    settings = Settings(trials=10, families=("knn", "naive_bayes"), trial_seconds=10.0, cold=True, remember=False)
    result = search(task, settings, tmp_path / "run", isolation=machine.isolation)
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
