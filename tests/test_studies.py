"""What is promised to people with studies of their own: nothing is lost, and a changed space still learns."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages.journal import JournalFileBackend
from optuna.trial import Trial

from autometa import MetaStore, WarmStartSampler, remember
from autometa.cli import main
from autometa.errors import StoreError
from autometa.origins import ORIGIN, Origin
from autometa.space import Condition
from autometa.store import PastTasks, TaskRecord
from autometa.studies import VALUE, AdaptedPast, adapt, remember_study

optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.fixture
def store(tmp_path: Any) -> MetaStore:
    return MetaStore(tmp_path / "team.db")


def bowl(at: float) -> Any:
    """An objective to be minimised whose best `x` is at `at`, and whose `depth` matters little."""

    def objective(trial: Trial) -> float:
        x = trial.suggest_float("x", 0.0, 1.0)
        depth = trial.suggest_int("depth", 1, 10)
        return (x - at) ** 2 + 0.001 * depth

    return objective


def finished(store: MetaStore, name: str, objective: Any, trials: int = 12, **options: Any) -> optuna.Study:
    sampler = optuna.samplers.RandomSampler(seed=sum(map(ord, name)))
    study = optuna.create_study(study_name=name, sampler=sampler, **options)
    study.optimize(objective, n_trials=trials, callbacks=[remember(store, space="mine")], catch=(ArithmeticError,))
    return study


def recalled(store: MetaStore, **options: Any) -> AdaptedPast:
    return adapt(store.past(space="mine", kind=None, metric=VALUE), **options)


# ------------------------------------------------------------------------------------------------------------ remember


def test_every_finished_trial_is_in_the_store_before_the_next_begins(store: MetaStore) -> None:
    seen: list[int] = []

    def objective(trial: Trial) -> float:
        seen.append(sum(len(store.evaluations(task.fingerprint, "mine")) for task in store.tasks(space="mine")))
        return trial.suggest_float("x", 0, 1)

    finished(store, "s", objective, 4)
    assert seen == [0, 1, 2, 3]


def test_a_score_is_larger_when_better_whatever_the_direction(store: MetaStore) -> None:
    down = finished(store, "down", bowl(0.3))
    up = finished(store, "up", lambda trial: -bowl(0.3)(trial), direction="maximize")
    past = store.past(space="mine", kind=None, metric=VALUE)
    for study in (down, up):
        row = [record.name for record in past.records].index(study.study_name)
        column = past.configs.index(study.best_params)
        assert np.nanargmax(past.scores[row]) == column


def test_failures_prunings_and_infinities_are_kept_as_what_they_are(store: MetaStore) -> None:
    def objective(trial: Trial) -> float:
        trial.suggest_float("x", 0, 1)
        if trial.number == 1:
            raise ArithmeticError
        if trial.number == 2:
            trial.report(0.5, step=3)
            raise optuna.TrialPruned
        return float("inf") if trial.number == 3 else 1.0

    study = finished(store, "s", objective, 4)
    [task] = store.tasks(space="mine")
    kept = {e.seed: e for e in store.evaluations(task.fingerprint, "mine")}
    assert [kept[i].state for i in range(4)] == ["complete", "failed", "stopped", "failed"]
    assert kept[2].scores == {VALUE: -0.5}
    assert "step 3" in str(kept[2].reason)
    assert store.verify() == []
    assert len(study.trials) == 4


def test_remembering_again_adds_nothing_and_a_study_may_be_remembered_afterwards(store: MetaStore) -> None:
    study = finished(store, "s", bowl(0.5), 5)
    assert remember_study(study, store, "mine") == 0
    assert remember_study(study, store, "elsewhere") == 5


def test_a_store_that_cannot_be_written_for_a_while_loses_nothing(
    store: MetaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, calls = MetaStore.add, []

    def sometimes(self: MetaStore, *arguments: Any) -> int:
        calls.append(1)
        if len(calls) in (1, 2):
            raise StoreError("the store is locked.")
        return add(self, *arguments)

    monkeypatch.setattr(MetaStore, "add", sometimes)
    finished(store, "s", bowl(0.5), 4)
    [task] = store.tasks(space="mine")
    assert len(store.evaluations(task.fingerprint, "mine")) == 4


def test_studies_on_one_table_are_one_task_and_no_row_is_kept(store: MetaStore) -> None:
    X, y = np.arange(60.0).reshape(20, 3) + 1234.5, np.arange(20) % 2
    for name in ("one", "two"):
        study = optuna.create_study(study_name=name)
        study.optimize(bowl(0.5), n_trials=3, callbacks=[remember(store, "mine", task=(X, y))])
    [task] = store.tasks(space="mine")
    assert (task.n_rows, task.n_columns, task.kind) == (20, 3, "binary")
    assert task.metafeatures is not None
    assert len(store.evaluations(task.fingerprint, "mine")) == 6
    assert b"1234.5" not in Path(store.url).read_bytes()


def test_a_study_of_several_objectives_is_kept_apart_from_those_of_one(store: MetaStore) -> None:
    study = optuna.create_study(directions=["minimize", "maximize"])
    study.optimize(lambda trial: (trial.suggest_float("x", 0, 1), 1.0), n_trials=2, callbacks=[remember(store, "mine")])
    assert remember_study(study, store, "mine") == 0
    [task] = store.tasks(space="mine")
    assert [e.scores for e in store.evaluations(task.fingerprint, "mine")] == [
        {"objective 0": -trial.values[0], "objective 1": 1.0} for trial in study.trials
    ]
    assert len(store.past(space="mine", kind=None, metric=VALUE)) == 0


# --------------------------------------------------------------------------------------------------- a space that moves


def test_the_space_is_learned_with_its_conditions(store: MetaStore) -> None:
    def objective(trial: Trial) -> float:
        kind = trial.suggest_categorical("kind", ["tree", "line"])
        trial.suggest_float("rate", 1e-4, 1.0, log=True)
        return float(trial.suggest_int("depth", 1, 9)) if kind == "tree" else trial.suggest_float("C", 0.1, 9.0)

    finished(store, "s", objective, 15)
    space = recalled(store).space
    assert space is not None
    assert space["rate"].distribution == FloatDistribution(1e-4, 1.0, log=True)
    assert space["rate"].when is None
    assert space["depth"].when == Condition("kind", ("tree",))
    assert space["C"].when == Condition("kind", ("line",))
    assert all(space.contains(config) for config in recalled(store).past.configs)


def test_a_parameter_that_was_added_or_dropped_or_renamed_does_not_void_the_past(store: MetaStore) -> None:
    finished(store, "s", bowl(0.3))
    now = {"z": FloatDistribution(0, 1), "depth": IntDistribution(1, 10), "new": CategoricalDistribution(["a", "b"])}
    after = recalled(store, renamed={"x": "z"}, distributions=now, configs=[{"z": 0.5, "depth": 3, "new": "a"}])
    assert after.space is not None
    assert {p.name for p in after.space} == {"z", "depth", "new"}
    assert len(after.past.configs) == 12
    assert all(config.keys() == {"z", "depth"} for config in after.past.configs)
    assert any("'new' is new" in note for note in after.notes)

    without = recalled(store, distributions={"x": FloatDistribution(0, 1)}, configs=[{"x": 0.5}])
    assert without.space is not None
    assert {p.name for p in without.space} == {"x"}
    assert any("'depth' is not searched any more: left out of 12" in note for note in without.notes)


def test_ranges_are_clipped_and_a_category_that_is_gone_takes_its_configurations_with_it(store: MetaStore) -> None:
    def objective(trial: Trial) -> float:
        trial.suggest_categorical("kind", ["a", "b"])
        return trial.suggest_float("x", 0, 1)

    study = finished(store, "s", objective)
    now = {"kind": CategoricalDistribution(["a", "c"]), "x": FloatDistribution(0.0, 0.5)}
    after = recalled(store, distributions=now, configs=[{"kind": "a", "x": 0.1}])
    lost = sum(trial.params["kind"] == "b" for trial in study.trials)
    assert 0 < lost < 12
    assert len(after.past.configs) == 12 - lost
    assert max(config["x"] for config in after.past.configs) == 0.5
    assert any(f"{lost} past configurations cannot be had" in note for note in after.notes)
    assert any("'x' is now from 0.0 to 0.5, before from 0.0 to 1.0" in note for note in after.notes)


def test_a_past_without_distributions_spans_its_space_in_the_order_in_which_parameters_are_met() -> None:
    records = (TaskRecord("f0", "march", "study", VALUE, 0, 0, 0),)
    names = [f"parameter {k}" for k in (3, 1, 4, 15, 9, 2, 6)]
    configs = tuple({name: float(k + j) for j, name in enumerate(names)} for k in range(4))
    past = PastTasks(records, configs, np.arange(4.0)[None], np.ones((1, 4)), np.zeros((1, 0)), ())
    space = adapt(past).space
    assert space is not None
    assert [parameter.name for parameter in space] == names


def test_an_older_study_that_lacked_a_parameter_does_not_make_it_conditional(store: MetaStore) -> None:
    finished(store, "old", lambda trial: trial.suggest_float("x", 0, 1))
    finished(store, "new", bowl(0.3))
    space = recalled(store).space
    assert space is not None
    assert [p.when for p in space] == [None, None]


# ----------------------------------------------------------------------------------------------------- the next study


def test_the_next_study_begins_where_the_last_ones_were_best(store: MetaStore) -> None:
    for i in range(4):
        finished(store, f"past {i}", bowl(0.29 + 0.01 * i), 25)
    study = optuna.create_study(sampler=WarmStartSampler(store, space="mine", seed=0, learn=False))
    study.optimize(bowl(0.3), n_trials=5)
    assert Origin(study.trials[0].user_attrs[ORIGIN]).recommended
    assert abs(study.best_params["x"] - 0.3) < 0.05


def test_with_an_empty_store_it_is_the_cold_sampler(store: MetaStore) -> None:
    from autometa.sampler import cold_sampler

    studies = [
        optuna.create_study(sampler=sampler)
        for sampler in (cold_sampler(3), WarmStartSampler(store, space="mine", seed=3))
    ]
    for study in studies:
        study.optimize(bowl(0.3), n_trials=15)
    assert studies[0].trials_dataframe()["value"].tolist() == studies[1].trials_dataframe()["value"].tolist()


def test_a_study_whose_objective_asks_for_another_space_goes_on_learning_from_the_past(store: MetaStore) -> None:
    for i in range(3):
        finished(store, f"past {i}", bowl(0.3), 20)

    def wider(trial: Trial) -> float:
        x = trial.suggest_float("x", 0.0, 2.0)
        return (x - 0.3) ** 2 + (0.5 if trial.suggest_categorical("mode", ["a", "b"]) == "b" else 0.0)

    sampler = WarmStartSampler(store, space="mine", seed=0, learn=False)
    study = optuna.create_study(sampler=sampler)
    study.optimize(wider, n_trials=14)
    assert sampler.space is not None
    assert sampler.space["x"].distribution == FloatDistribution(0.0, 2.0)
    assert "mode" in sampler.space
    assert "depth" not in sampler.space
    assert any("'mode' is new" in note for note in sampler.notes)
    assert study.best_value < 0.01
    assert "search" not in (study.trials[-1].user_attrs[ORIGIN], study.trials[5].user_attrs[ORIGIN])


def test_a_resumed_study_does_not_take_its_own_trials_for_the_past(store: MetaStore) -> None:
    storage = optuna.storages.InMemoryStorage()
    study = optuna.create_study(study_name="s", storage=storage)
    study.optimize(bowl(0.3), n_trials=6, callbacks=[remember(store, "mine")])
    sampler = WarmStartSampler(store, space="mine", seed=0)
    again = optuna.load_study(study_name="s", storage=storage, sampler=sampler)
    assert sampler.recommend(again) == []
    again.optimize(bowl(0.3), n_trials=1)
    assert np.isnan(sampler._past.scores).all() if sampler._past is not None else True


# ---------------------------------------------------------------------------------------------- studies that are there


@pytest.mark.parametrize("kind", ["database", "database file", "journal"])
def test_the_studies_in_a_storage_of_optuna_are_imported_once(
    kind: str, store: MetaStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "optuna.storage"
    backend = JournalFileBackend(str(file)) if kind == "journal" else None
    storage: Any = optuna.storages.JournalStorage(backend) if backend else f"sqlite:///{file}"
    for name in ("one", "two"):
        optuna.create_study(study_name=name, storage=storage).optimize(bowl(0.3), n_trials=3)
    optuna.create_study(study_name="both", storage=storage, directions=["minimize", "maximize"])
    address = f"sqlite:///{file}" if kind == "database" else str(file)
    command = ["store", "import", "study", address, "--space", "mine", "--store", store.url, "--json"]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["new_evaluations"] == 6
    assert {task.name for task in store.tasks(space="mine")} == {"one", "two"}  # the third has no trial
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["new_evaluations"] == 0


def test_a_storage_or_study_that_is_not_there_is_refused_and_nothing_is_created(
    store: MetaStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "optuna.db"
    command = ["store", "import", "study", str(file), "--space", "mine", "--store", store.url]
    assert main(command) == 2
    assert not file.exists()
    optuna.create_study(study_name="march", storage=f"sqlite:///{file}")
    assert main([*command, "--study", "martch,april"]) == 2
    told = capsys.readouterr().err
    assert "Did you mean 'march'" in told
    assert "april" in told
    (tmp_path / "junk").write_bytes(b"\x00\x01 no storage")
    assert main([*command[:3], str(tmp_path / "junk"), *command[4:]]) == 2


WORKER = """
import sys
import optuna
import autometa
from optuna.storages.journal import JournalFileBackend

optuna.logging.set_verbosity(optuna.logging.ERROR)
journal, store, seed = sys.argv[1:]
study = optuna.load_study(
    study_name="shared",
    storage=optuna.storages.JournalStorage(JournalFileBackend(journal)),
    sampler=autometa.WarmStartSampler(store, space="mine", seed=int(seed), n_initial=8, learn=False),
)

def objective(trial):
    return (trial.suggest_float("x", 0, 1) - 0.3) ** 2 + 0.001 * trial.suggest_int("depth", 1, 10)

study.optimize(objective, n_trials=8, callbacks=[autometa.remember(store, space="mine")])
"""


def test_two_worker_processes_share_a_study_and_a_store(store: MetaStore, tmp_path: Path) -> None:
    for i in range(4):
        finished(store, f"past {i}", bowl(0.3), 12)
    journal = str(tmp_path / "journal")
    storage = optuna.storages.JournalStorage(JournalFileBackend(journal))
    optuna.create_study(study_name="shared", storage=storage)
    workers = [subprocess.Popen([sys.executable, "-c", WORKER, journal, store.url, str(k)]) for k in range(2)]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    study = optuna.load_study(study_name="shared", storage=storage)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 16
    configs = [trial.user_attrs.get("autometa:config") for trial in study.trials]
    given = [json.dumps(config, sort_keys=True) for config in configs if config is not None]
    assert len(given) == len(set(given)) >= 8
    [task] = [task for task in store.tasks(space="mine") if task.name == "shared"]
    assert len(store.evaluations(task.fingerprint, "mine")) == 16
