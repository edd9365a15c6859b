"""What is promised of studies that are kept: which is which, what the callback costs, and that constraints count."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.samplers import NSGAIISampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import Trial, TrialState

from autometa import MetaStore, WarmStartSampler, remember, remember_study
from autometa.errors import InputError
from autometa.origins import State
from autometa.pruner import ImprobableWinPruner
from autometa.store import TaskRecord
from autometa.studies import VALUE, remember_studies
from autometa.studies.keeping import ENDED, evaluation_of, former_fingerprint
from autometa.studies.remembering import written as as_json
from autometa.task import make_task

optuna.logging.set_verbosity(optuna.logging.ERROR)


@pytest.fixture
def store(tmp_path: Path) -> MetaStore:
    return MetaStore(tmp_path / "team.db")


def line(trial: Trial) -> float:
    return trial.suggest_float("x", 0.0, 1.0)


def journal(path: Path) -> JournalStorage:
    return JournalStorage(JournalFileBackend(str(path)))


def kept(store: MetaStore) -> dict[str, int]:
    """How many evaluations the store has of each past task of the space, by its name and first digits."""
    tasks = store.tasks(space="mine")
    return {f"{t.name} {t.fingerprint[:8]}": len(store.evaluations(t.fingerprint, "mine")) for t in tasks}


# ------------------------------------------------------------------------------------------------------ which is which


def test_runs_of_one_name_in_memory_are_studies_of_their_own(store: MetaStore) -> None:
    for i in range(3):
        study = optuna.create_study(study_name="tune", sampler=RandomSampler(seed=i))
        study.optimize(lambda trial, i=i: 100 * i + line(trial), 4, callbacks=[remember(store, "mine")])
    assert list(kept(store).values()) == [4, 4, 4]


def test_studies_of_one_name_in_two_storages_are_told_apart(store: MetaStore, tmp_path: Path) -> None:
    for name in ("one", "two"):
        optuna.create_study(study_name="tune", storage=journal(tmp_path / name)).optimize(line, 3)
        assert remember_studies(str(tmp_path / name), store, "mine") == {"tune": 3}
    assert list(kept(store).values()) == [3, 3]


def test_a_study_is_the_same_however_and_wherever_it_is_remembered(store: MetaStore, tmp_path: Path) -> None:
    callback = remember(store, "mine")
    study = optuna.create_study(study_name="tune", storage=journal(tmp_path / "one"))
    study.optimize(line, 3, callbacks=[callback])
    study.optimize(line, 2)
    assert remember_study(study, store, "mine") == 2
    optuna.copy_study(
        from_study_name="tune", from_storage=journal(tmp_path / "one"), to_storage=journal(tmp_path / "2")
    )
    program = "import sys; from autometa.studies import *; print(remember_studies(*sys.argv[1:4]))"
    for place in ("one", "2"):
        arguments = [sys.executable, "-c", program, str(tmp_path / place), store.url, "mine"]
        assert subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.strip() == "{'tune': 0}"
    assert list(kept(store).values()) == [5]


def test_what_an_older_version_kept_of_a_study_is_not_kept_twice(store: MetaStore) -> None:
    study = optuna.create_study(study_name="tune")
    study.optimize(line, 4)
    before = TaskRecord(former_fingerprint(study, "mine"), "tune", "study", VALUE, 0, 0, 0, space="mine")
    trials = study.get_trials(states=ENDED)[:3]
    store.add(before, [evaluation_of(trial, (-1.0,), 0) for trial in trials])
    assert remember_study(study, store, "mine") == 1
    other = optuna.create_study(study_name="tune")
    other.optimize(line, 2)
    assert remember_study(other, store, "mine") == 2
    assert sorted(kept(store).values()) == [2, 4]


def test_an_upgrade_of_optuna_adds_nothing(store: MetaStore, monkeypatch: pytest.MonkeyPatch) -> None:
    study = optuna.create_study()
    study.optimize(line, 3)
    assert remember_study(study, store, "mine") == 3
    monkeypatch.setattr(optuna, "__version__", "5.9.9")
    assert remember_study(study, store, "mine") == 0


def test_metrics_and_directions_of_one_table_are_kept_apart(store: MetaStore) -> None:
    X, y = np.arange(60.0).reshape(20, 3), np.arange(20) % 2
    for metric, direction in (("roc_auc", "maximize"), ("neg_log_loss", "maximize"), ("roc_auc", "minimize")):
        for _ in range(2):
            study = optuna.create_study(direction=direction)
            study.optimize(line, 2, callbacks=[remember(store, "mine", task=make_task(X, y=y, metric=metric))])
    assert list(kept(store).values()) == [4, 4, 4]
    assert len({task.family for task in store.tasks(space="mine")}) == 1  # and are held out together


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_named_metrics_of_one_table_are_kept_apart(store: MetaStore) -> None:
    X, y = np.arange(60.0).reshape(20, 3), np.arange(20) % 2
    for name in ("accuracy", "recall"):
        study = optuna.create_study(direction="maximize")
        study.set_metric_names([name])
        study.optimize(line, 2, callbacks=[remember(store, "mine", task=(X, y))])
    assert list(kept(store).values()) == [2, 2]


def test_one_callback_serves_several_studies(store: MetaStore) -> None:
    callback = remember(store, "mine")
    for name in ("one", "two"):
        optuna.create_study(study_name=name).optimize(line, 3, callbacks=[callback])
    assert list(kept(store).values()) == [3, 3]


def test_a_study_whose_storage_lies_where_that_of_the_one_before_lay_is_another(store: MetaStore, monkeypatch) -> None:
    monkeypatch.setattr("autometa.studies.remembering.id", lambda _: 7, raising=False)  # as of objects that are gone
    callback = remember(store, "mine")
    for name in ("one", "two"):
        optuna.create_study(study_name=name).optimize(line, 3, callbacks=[callback])
    assert list(kept(store).values()) == [3, 3]


# ------------------------------------------------------------------------------------------------------- the callback


def test_the_callback_is_pickled_and_goes_on(store: MetaStore) -> None:
    callback = remember(store, "mine", task=(np.arange(60.0).reshape(20, 3) + 1234.5, np.arange(20) % 2))
    study = optuna.create_study()
    study.optimize(line, 2, callbacks=[callback])
    content = pickle.dumps(callback)
    assert b"1234.5" not in content
    study.optimize(line, 2, callbacks=[pickle.loads(content)])
    assert list(kept(store).values()) == [4]


def test_what_the_callback_looks_at_does_not_grow_with_the_study(
    store: MetaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    callback, looks, written = remember(store, "mine"), [], []
    study = optuna.create_study(sampler=RandomSampler(seed=0))
    study.add_trials([optuna.trial.create_trial(value=1.0) for _ in range(3)])
    monkeypatch.setattr("autometa.studies.remembering.written", lambda d: written.append(1) or as_json(d))
    all_trials = study.get_trials

    def counted(*arguments: Any, **options: Any) -> Any:
        looks.append(1)
        return all_trials(*arguments, **options)

    def look(study: optuna.Study, trial: Any) -> None:
        study.get_trials = counted  # type: ignore[method-assign]
        callback(study, trial)
        study.get_trials = all_trials  # type: ignore[method-assign]

    study.optimize(line, 64, callbacks=[look])
    assert len(looks) <= 10  # of all trials: as often as the study doubles
    assert len(written) == 1
    assert list(kept(store).values()) == [64]


def test_threads_may_call_it_at_once(store: MetaStore) -> None:
    gate = threading.Barrier(4, timeout=10)

    def together(trial: Trial) -> float:
        gate.wait()
        return line(trial)

    optuna.create_study().optimize(together, 16, n_jobs=4, callbacks=[remember(store, "mine")])
    assert list(kept(store).values()) == [16]


def test_the_parameters_of_every_trial_are_known_also_by_workers_that_saw_few_of_them(
    store: MetaStore, tmp_path: Path
) -> None:
    callbacks = [remember(store, "mine") for _ in range(2)]  # as in two processes

    def objective(trial: Trial) -> float:
        if trial.number % 2:
            return trial.suggest_float("odd", 0, 1)
        return line(trial)

    study = optuna.create_study()
    for number in range(9):
        study.optimize(objective, 1, callbacks=[callbacks[number % 2]])
    [task] = store.tasks(space="mine")
    assert '"odd"' in str(task.distributions)
    assert '"x"' in str(task.distributions)


def test_it_works_where_python_is_embedded(store: MetaStore) -> None:
    program = (
        "import sys; sys.executable = sys._base_executable = None\n"
        "import optuna, autometa\n"
        "from autometa import WarmStartSampler, remember\n"
        "for name in 'ab':\n"
        "    study = optuna.create_study(sampler=WarmStartSampler(sys.argv[1], space='mine', learn=True))\n"
        "    study.optimize(lambda t: t.suggest_float('x', 0, 1), 5, callbacks=[remember(sys.argv[1], 'mine')])\n"
    )
    subprocess.run([sys.executable, "-c", program, store.url], check=True, capture_output=True)
    assert list(kept(store).values()) == [5, 5]


# --------------------------------------------------------------------------------------------------------- constraints


def from_five(trial: Trial) -> float:
    x = trial.suggest_float("x", 0, 10)
    trial.set_constraint("c", 5 - x)
    return x


def as_a_function(trial: optuna.trial.FrozenTrial) -> list[float]:
    return [5 - trial.params["x"]]


@pytest.mark.parametrize("way", ["set_constraint", "constraints_func"])
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::optuna.exceptions.ExperimentalWarning")
def test_an_infeasible_trial_is_kept_as_one_that_failed(way: str, store: MetaStore) -> None:
    if way == "set_constraint":
        study = optuna.create_study(sampler=RandomSampler(seed=0))
        study.optimize(from_five, 12, callbacks=[remember(store, "mine")])
    else:
        study = optuna.create_study(sampler=NSGAIISampler(seed=0, constraints_func=as_a_function))
        study.optimize(lambda trial: trial.suggest_float("x", 0, 10), 12, callbacks=[remember(store, "mine")])
    [task] = store.tasks(space="mine")
    kept = {e.seed: e for e in store.evaluations(task.fingerprint, "mine")}
    for trial in study.trials:
        feasible = trial.params["x"] >= 5
        [said] = [value for name, value in kept[trial.number].scores.items() if name.startswith("constraint ")]
        assert said == 5 - trial.params["x"]
        assert kept[trial.number].state == (State.COMPLETE if feasible else State.FAILED)
        assert feasible or "infeasible" in str(kept[trial.number].reason)
    past = store.past(space="mine", kind=None, metric=VALUE)
    assert past.configs[int(np.nanargmax(past.scores[0]))]["x"] >= 5
    assert store.verify() == []


@pytest.mark.parametrize("seed", range(2))
def test_with_constraints_neither_the_past_nor_the_search_aims_at_what_breaks_them(store: MetaStore, seed: int) -> None:
    for i in range(3):
        study = optuna.create_study(sampler=RandomSampler(seed=i))
        study.optimize(from_five, 16)
        remember_study(study, store, "mine")
    tried = {}
    for name, sampler in (("cold", TPESampler(seed=seed)), ("warm", WarmStartSampler(store, space="mine", seed=seed))):
        study = optuna.create_study(sampler=sampler)
        study.optimize(from_five, 14)
        tried[name] = [trial.params["x"] for trial in study.trials]
    assert min(tried["warm"][:3]) >= 5
    assert sum(x >= 5 for x in tried["warm"]) >= sum(x >= 5 for x in tried["cold"])
    assert min(x for x in tried["warm"] if x >= 5) < 5.1


def test_a_function_of_constraints_is_handed_to_the_cold_sampler(store: MetaStore) -> None:
    sampler = WarmStartSampler(None, seed=0, constraints_func=as_a_function)
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: trial.suggest_float("x", 0, 10), 25)
    assert all(list(trial.constraints.values()) == as_a_function(trial) for trial in study.trials)
    assert sum(trial.params["x"] >= 5 for trial in study.trials) > 13
    with pytest.raises(InputError, match="constraints_func"):
        WarmStartSampler(None, cold=RandomSampler(), constraints_func=as_a_function)


def test_an_infeasible_trial_is_no_incumbent_for_the_pruner() -> None:
    study = optuna.create_study(pruner=ImprobableWinPruner(), direction="minimize")

    def objective(trial: Trial) -> float:
        loss = 0.0 if trial.number == 0 else 5.0 + trial.number % 3
        trial.set_constraint("c", 1.0 if trial.number == 0 else -1.0)
        for step in range(3):
            trial.report(loss + 0.1 * (2 - step), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return loss

    study.optimize(objective, 10)
    assert study.trials[9].state == TrialState.COMPLETE  # as good as the best that is feasible


def test_what_a_constraint_says_may_be_infinite(store: MetaStore) -> None:
    def objective(trial: Trial) -> float:
        trial.set_constraint("c", float("inf") if trial.number % 2 else -float("inf"))
        return line(trial)

    study = optuna.create_study()
    study.optimize(objective, 6, callbacks=[remember(store, "mine")])
    assert store.verify() == []
    warm = optuna.create_study(sampler=WarmStartSampler(store, space="mine", seed=0))
    warm.optimize(objective, 5)
