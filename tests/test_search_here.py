"""A budget too short for another process: what ends by itself is tried in the search's own."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pandas as pd
import pytest

from autometa import AutoMetaClassifier
from autometa.cli.app import main
from autometa.evaluation import Attempt, Here, Isolation, Local, State, plan_splits
from autometa.families import QUICK, cash_space
from autometa.search import Settings, Silent, load_model, open_run, resume, search
from autometa.search.first import HERE
from autometa.search.options import OPTIONS
from autometa.search.plan import SearchPlan, executor_for
from autometa.space import FAMILY
from autometa.store import MetaStore
from autometa.task import make_task


def a_table(rows: int = 400, classes: int = 2) -> pd.DataFrame:
    """Classes by a circle, which no linear model finds."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(rows, 3)), columns=list("abc"))
    table["k"] = rng.choice(["x", "y"], rows)
    table["target"] = pd.qcut(table["a"] ** 2 + table["b"] ** 2, classes, labels=[f"c{k}" for k in range(classes)])
    return table


@pytest.fixture(scope="module")
def task():
    table = a_table()
    return make_task(table, target="target", name="circle")


def plan(task, settings: Settings) -> SearchPlan:
    return SearchPlan.of(task, settings, 1, machines=Here())


def test_what_a_crowded_machine_gives_decides_where_trials_run(monkeypatch):
    monkeypatch.setattr(Isolation, "is_loaded", False)
    for crowded, seconds, here in [(1.0, 5.0, True), (1.0, 8.0, False), (2.0, 8.0, True), (99.0, 60.0, False)]:
        monkeypatch.setattr("autometa.search.plan.crowding", lambda crowded=crowded: crowded)
        assert isinstance(executor_for(Settings(seconds=seconds)), Here) is here
    assert isinstance(executor_for(Settings(trials=3)), Local)
    monkeypatch.setattr(Isolation, "is_loaded", True)  # by an earlier search of this process
    assert isinstance(executor_for(Settings(seconds=2.0)), Local)


@pytest.mark.parametrize(("families", "here"), [(("svm", "knn"), False), (("svm", "lightgbm"), True), (None, True)])
def test_only_what_ends_by_itself_is_tried_here(monkeypatch, families, here):
    monkeypatch.setattr(Isolation, "is_loaded", False)
    assert isinstance(executor_for(Settings(seconds=2.0, families=families)), Here) is here


def test_a_forkserver_counts_as_loaded_once_it_has_had_the_time_that_it_takes(monkeypatch):
    with Isolation(preload=()) as isolation:
        assert not isolation.is_loaded
        isolation.warm_up()
        assert not isolation.is_loaded  # it has not had a second of the processor
        monkeypatch.setattr("autometa.evaluation.isolation.processor_seconds", lambda _: 1.5)
        assert isolation.is_loaded
    assert not isolation.is_loaded


def test_defaults_and_the_first_model_answer_together_and_the_memory_is_not_asked(task, tmp_path):
    settings = Settings(seconds=120.0, store=str(tmp_path / "store.db"))
    result = search(task, settings, tmp_path / "run", executor=Here(), plan=plan(task, settings))
    families = [row.evaluation.config[FAMILY] for row in result.trials]
    assert families == ["lightgbm", "linear", "random_forest", QUICK]
    states = [row.evaluation.state for row in result.trials]
    assert states == [State.COMPLETE, State.STOPPED, State.COMPLETE, State.COMPLETE]  # a linear model has no hope
    assert [row.origin for row in result.trials] == ["default"] * 3 + ["fallback"]
    assert {row.reason for row in result.trials[:3]} == {HERE}
    assert result.recommendations == ()
    assert result.was_hurried
    assert result.best.evaluation.config[FAMILY] in ("lightgbm", "random_forest")
    assert result.best.evaluation.scores["roc_auc"] > result.trials[3].evaluation.scores["roc_auc"] > 0.9
    assert load_model(result.run).predict(a_table()).shape == (400,)
    kept = MetaStore(tmp_path / "store.db").evaluations(task.fingerprint)
    assert {"lightgbm", "random_forest"} <= {one.config[FAMILY] for one in kept} < {*families}


def test_of_many_classes_a_forest_comes_first(tmp_path):
    task = make_task(a_table(600, 8), target="target", name="rings")
    settings = Settings(seconds=0.01, cold=True, remember=False)
    result = search(task, settings, tmp_path / "run", executor=Here(), plan=plan(task, settings))
    assert [row.evaluation.config[FAMILY] for row in result.trials] == ["random_forest", QUICK]


def test_on_a_machine_that_takes_too_long_to_load_there_is_the_first_model_alone(task, tmp_path, monkeypatch):
    monkeypatch.setattr(Here, "loading", 1e6)
    settings = Settings(seconds=5.0, cold=True, remember=False)
    result = search(task, settings, tmp_path / "run", executor=Here(), plan=plan(task, settings))
    assert [row.evaluation.config[FAMILY] for row in result.trials] == [QUICK]
    assert "nothing else was evaluated in time" in result.best.reason


def test_a_small_table_has_three_folds_and_a_larger_one_a_hold_out(task):
    settings = Settings(seconds=3.0)
    assert plan(task, settings).splits.n_folds == 3
    large = make_task(a_table(OPTIONS.folds_here + 1), target="target", name="more")
    assert plan(large, settings).splits.n_folds == 1
    assert SearchPlan.of(task, Settings(seconds=3.0, folds=4), 1, machines=Here()).splits.n_folds == 4
    assert SearchPlan.of(task, Settings(seconds=3.0, jobs=8), 1, machines=Here()).jobs == 1


def test_a_trial_here_keeps_its_deadline_and_leaves_what_a_process_would(tmp_path):
    task = make_task(a_table(5_000), target="target", name="long")
    slow = {"lightgbm.n_estimators": 2_000, "lightgbm.learning_rate": 0.005}
    config = cash_space("binary", ["lightgbm"]).default | slow
    task.save(tmp_path / "task")
    splits, models = plan_splits(task, seed=0, folds=1), tmp_path / "models.pkl"
    attempt = Attempt(config, splits, seed=0, keep_models=models, growth=0.2)
    began = time.monotonic()
    found = Here().evaluate(tmp_path / "task", attempt, seconds=0.2, oof_path=tmp_path / "oof.npy")
    assert found.state == State.COMPLETE
    assert found.config["lightgbm.n_estimators"] < 2_000
    assert time.monotonic() - began < 60.0
    assert np.load(tmp_path / "oof.npy").shape == (5_000, 2)
    assert models.is_file()
    assert found.peak_ram > 0
    failed = Here().evaluate(tmp_path / "task", Attempt({FAMILY: "nothing"}, splits, seed=0), seconds=5.0)
    assert failed.state == State.FAILED


def test_such_a_run_goes_on_in_processes_when_it_gets_more_time(task, tmp_path):
    families = ("random_forest", "naive_bayes")
    settings = Settings(seconds=0.01, trials=1, families=families, cold=True, remember=False)
    first = search(task, settings, tmp_path / "run", executor=Here(), plan=plan(task, settings))
    result = resume(tmp_path / "run", trials=3, seconds=300.0)
    assert len(first.trials) == 2 < len(result.trials) <= 4
    kept = {row.number: row.evaluation.scores for row in result.trials}
    assert [kept[row.number] for row in first.trials] == [row.evaluation.scores for row in first.trials]
    assert "naive_bayes" in {row.evaluation.config[FAMILY] for row in result.trials}  # which does not end by itself


def test_from_the_command_line_it_says_what_it_did_and_explains(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(Isolation, "is_loaded", False)
    monkeypatch.setattr("autometa.search.plan.crowding", lambda: 1.0)
    a_table().to_csv(tmp_path / "t.csv", index=False)
    assert main(["fit", str(tmp_path / "t.csv"), "--time", "5", "--run", str(tmp_path / "run"), "--no-remember"]) == 0
    shown = capsys.readouterr()
    assert "There is no time to ask the memory: what ends quickly is tried." in shown.err
    assert "was not asked: there was no time for it" in " ".join(shown.out.split())
    assert (tmp_path / "run" / "explanation.json").is_file()
    assert (tmp_path / "run" / "model_card.md").is_file()
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "There was no time to ask the memory" in page
    assert open_run(tmp_path / "run").trials[0].evaluation.config[FAMILY] == "lightgbm"


def test_the_estimator_takes_the_same_way_and_decides_once(monkeypatch):
    monkeypatch.setattr(Isolation, "is_loaded", False)
    monkeypatch.setattr(Isolation, "_ensure_server", lambda self: pytest.fail("another process is begun"))
    monkeypatch.setattr("autometa.search.plan.crowding", lambda: 1.0)
    table = a_table()
    model = AutoMetaClassifier(time=4, remember=False, verbose=False)
    model.fit(table.drop(columns="target"), table["target"])
    assert model.score(table.drop(columns="target"), table["target"]) > 0.8
    assert {"lightgbm", "random_forest"} & set(model.leaderboard_["family"])
    assert "There is no time to ask the memory: what ends quickly is tried." in model.notes_
    assert len(model.feature_importance()) == 4


def test_an_interrupt_ends_after_the_trial_under_way(task, tmp_path):
    class Impatient(Silent):
        """Ctrl-C as soon as one trial has ended."""

        def trial_finished(self, trial, incumbent, elapsed):
            if trial.number == 0:
                signal.raise_signal(signal.SIGINT)

    settings = Settings(seconds=600.0, cold=True, remember=False)
    result = search(task, settings, tmp_path / "run", executor=Here(), plan=plan(task, settings), progress=Impatient())
    assert result.interrupted
    assert [row.evaluation.config[FAMILY] for row in result.trials] == ["lightgbm", QUICK]


def test_the_command_line_loads_no_scikit_learn_to_know_its_own_metrics(tmp_path):
    """Which took a busy machine a third of a budget of three seconds."""
    a_table().to_csv(tmp_path / "t.csv", index=False)
    code = f"""
        import sys
        from autometa.cli.table import fit
        from autometa.fitting import fit_file
        from autometa.fitting.fit import read_file
        from autometa.search import Settings, Silent
        import autometa.fitting.fit as room
        task = read_file({str(tmp_path / "t.csv")!r}, settings=Settings(), progress=Silent())
        print(task.metric, "sklearn" in sys.modules, "sqlalchemy" in sys.modules)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["roc_auc", "False", "False"], done.stderr
