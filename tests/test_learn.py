"""Learning a space of one's own: judged on studies that were held out, kept only if they are not worse for it."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import Trial

from autometa import MetaStore, WarmStartSampler, remember_study
from autometa.cli import main
from autometa.errors import InputError, StoreError
from autometa.families import cash_space
from autometa.learn import Learned, learn, learn_fit
from autometa.origins import ORIGIN
from autometa.store.address import meta_db
from autometa.transfer import Surrogate

optuna.logging.set_verbosity(optuna.logging.ERROR)


def bowl(at: float) -> Any:
    def objective(trial: Trial) -> float:
        return (trial.suggest_float("x", 0, 1) - at) ** 2 + 0.1 * (trial.suggest_float("y", 0, 1) - 0.7) ** 2

    return objective


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> MetaStore:
    store = MetaStore(tmp_path_factory.mktemp("learn") / "team.db")
    for i in range(7):
        study = optuna.create_study(study_name=f"study {i}", sampler=optuna.samplers.RandomSampler(seed=i))
        study.optimize(bowl(0.2 + 0.02 * i), n_trials=15)
        remember_study(study, store, "mine")
    return store


def test_what_was_learned_is_judged_kept_and_used_by_the_next_study(store: MetaStore, capsys: Any) -> None:
    assert main(["learn", "--space", "mine", "--store", store.url, "--time", "4", "--json"]) == 0
    told = capsys.readouterr()
    said = json.loads(told.out)
    assert said["studies"] == 7
    assert len(said["panel"]) == 2
    assert set(said["regret"]) == {"random", "without", "with"}
    assert said["regret"]["without"][2] <= said["regret"]["random"][2]
    content, tasks = store.weights("mine")
    assert tasks == 7
    assert (content is not None) == said["used"]
    assert "held out" in told.err

    sampler = WarmStartSampler(store, space="mine", seed=0, n_initial=2)
    study = optuna.create_study(sampler=sampler)
    study.optimize(bowl(0.25), n_trials=6)
    assert (sampler._surrogate is not None) == said["used"]
    assert study.trials[-1].user_attrs[ORIGIN] == "surrogate"
    assert study.best_value < 0.02


def test_a_surrogate_that_harms_the_panel_is_not_kept(store: MetaStore, monkeypatch: pytest.MonkeyPatch) -> None:
    import autometa.learn as room

    store.keep_weights("mine", b"", 0)
    worse = {"random": np.ones(4), "without": np.zeros(4), "with": np.ones(4)}
    monkeypatch.setattr(room, "_replay", lambda *arguments: worse)
    found = learn(store, "mine", seconds=0.5)
    assert not found.used
    assert store.weights("mine") == (None, 7)  # nor tried again before there are more studies


def learned_of(studies: int) -> Learned:
    return Learned("mine", studies, 9, (1, 3, 5, 10), {}, (), True, 0.1, ())


def test_a_sampler_learns_when_it_is_told_to_and_goes_on_with_what_it_learned(store: MetaStore) -> None:
    store.keep_weights("mine", b"", 0)
    sampler = WarmStartSampler(store, space="mine", seed=0)
    assert sampler._surrogate is None
    learned = sampler.learn(seconds=4.0)
    assert learned.studies == 7
    assert store.weights("mine")[1] == 7
    assert (sampler._surrogate is not None) == learned.used
    with pytest.raises(InputError, match="knows of no store"):
        pickle.loads(pickle.dumps(sampler)).learn()


def test_a_sampler_made_to_learn_does_where_enough_studies_are_new(
    store: MetaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    import autometa.learn as room

    begun: list[str] = []
    monkeypatch.setattr(room, "learn", lambda store, space, **options: begun.append(space) or learned_of(7))
    for known, times in ((0, 1), (5, 2), (6, 2), (7, 2)):  # again only with a fifth more of them
        store.keep_weights("mine", b"", known)
        WarmStartSampler(store, space="mine", learn=True)
        assert len(begun) == times
    WarmStartSampler(MetaStore(store.url, read_only=True), space="mine", learn=True)
    WarmStartSampler(store, space="elsewhere", learn=True)
    assert begun == ["mine"] * 2


def test_a_sampler_that_cannot_learn_says_so_and_does_without(
    store: MetaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    import autometa.learn as room

    def fails(*arguments: Any, **options: Any) -> Learned:
        raise RuntimeError("out of memory")

    said: list[str] = []
    monkeypatch.setattr(room, "learn", fails)
    monkeypatch.setattr(room._log, "warning", said.append)
    store.keep_weights("mine", b"", 0)
    assert WarmStartSampler(store, space="mine", learn=True).space is not None
    assert said == ["No surrogate was learned for 'mine': RuntimeError: out of memory"]


def test_too_few_studies_or_a_misspelt_space_are_refused_with_what_there_is(store: MetaStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Did you mean 'mine'"):
        learn(store, "mien")
    with pytest.raises(InputError, match="0 studies of the space 'mine', at least 5"):
        learn(MetaStore(tmp_path / "empty.db"), "mine")


def test_a_store_that_cannot_keep_it_is_refused_before_anything_is_learned(store: MetaStore) -> None:
    with pytest.raises(StoreError, match="reading only"):
        learn(MetaStore(store.url, read_only=True), "mine")


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> MetaStore:
    """A part of the shipped memory."""
    shipped = MetaStore(str(meta_db() / "memory.db"), read_only=True, immutable=True)
    store = MetaStore(tmp_path_factory.mktemp("collected") / "some.db")
    for kind in ("binary", "multiclass", "regression"):
        for record in shipped.tasks(kind=kind)[:8]:
            store.add(record, shipped.evaluations(record.fingerprint))
    return store


def test_what_fit_searches_is_learned_into_a_new_folder(collected: MetaStore, tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there"
    found = learn_fit(collected, folder, seconds=2.0)
    assert [learned.space for learned in found] == ["fit:binary", "fit:multiclass", "fit:regression"]
    for learned in found:
        kind = learned.space.split(":")[1]
        path = folder / f"surrogate-{kind}.npz"
        assert path.exists() == learned.used
        if learned.used:
            assert Surrogate.load(path).restricted(cash_space(kind)).card["panel"]["tasks"] == len(learned.panel)


def test_a_folder_that_cannot_be_one_is_told_before_anything_is_learned(
    collected: MetaStore, tmp_path: Path, capsys: Any
) -> None:
    (tmp_path / "taken").write_text("a file")
    given = ["learn", "--space", "fit", "--store", collected.url, "--out", str(tmp_path / "taken")]
    assert main(given) == 2
    said = capsys.readouterr().err
    assert "cannot be a folder" in said
    assert "step" not in said
