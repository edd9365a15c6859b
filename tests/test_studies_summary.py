"""What a store keeps of past studies that each went their own way, and what a sampler makes of it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest

from autometa import WarmStartSampler, remember, remember_study
from autometa.store import Exclusion, MetaStore
from autometa.studies.options import OPTIONS
from autometa.studies.summary import past_of, refresh
from autometa.transfer.past_studies import PastStudies

optuna.logging.set_verbosity(optuna.logging.ERROR)


def objective(peak: float, *, low: float = 0.0):
    """A bowl around `peak`, one of whose parameters is a category."""

    def value(trial) -> float:
        x, y = trial.suggest_float("x", low, 1), trial.suggest_float("y", 0, 1)
        return (x - peak) ** 2 + (y - 0.5) ** 2 + 0.1 * (trial.suggest_categorical("kind", ["a", "b"]) == "b")

    return value


def past_study(number: int, trials: int = 20, peak: float | None = None) -> optuna.Study:
    """A study at random configurations of its own."""
    study = optuna.create_study(study_name=f"past {number}", sampler=optuna.samplers.RandomSampler(seed=number))
    study.optimize(objective(0.6 + 0.02 * (number % 5) if peak is None else peak), trials)
    return study


@pytest.fixture(scope="module")
def eight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of eight past studies."""
    folder = tmp_path_factory.mktemp("eight")
    for number in range(8):
        remember_study(past_study(number), folder / "team.db", "mine")
    return folder


@pytest.fixture
def store(eight: Path, tmp_path: Path) -> MetaStore:
    """A copy of that store."""
    return MetaStore(shutil.copytree(eight, tmp_path / "copy") / "team.db")


def values_of(sampler: WarmStartSampler, trials: int = 6, peak: float = 0.62) -> list[float]:
    """What a new study under the sampler finds."""
    study = optuna.create_study(study_name="new", sampler=sampler)
    study.optimize(objective(peak), trials)
    return [trial.value for trial in study.trials]


def test_studies_of_their_own_configurations_are_read_as_functions(store: MetaStore):
    past = past_of(store, "mine")
    assert isinstance(past, PastStudies)
    assert len(past) == 8
    assert past.tried.tolist() == [20] * 8
    assert np.isfinite(past.scores).sum(axis=0).tolist() == [1] * len(past.configs)


def test_nothing_depends_on_the_order_in_which_a_store_has_its_studies(tmp_path: Path):
    """Fingerprints, by which a store orders them, hold the names of storages: elsewhere the order is another one."""
    found = []
    for order in (range(6), (3, 5, 0, 2, 4, 1)):
        store = MetaStore(tmp_path / f"{order[0]}.db")
        for number in order:
            study = past_study(number)
            renamed = optuna.create_study(study_name=f"{order[0]} {number * 7 % 6}")  # another fingerprint
            renamed.add_trials(study.trials)
            remember_study(renamed, store, "mine")
        past = past_of(store, "mine")
        assert isinstance(past, PastStudies)
        found.append((past, values_of(WarmStartSampler(store, "mine", seed=1))))
    (one, first), (other, second) = found
    assert [record.fingerprint for record in one.records] != [record.fingerprint for record in other.records]
    assert one.configs == other.configs
    np.testing.assert_array_equal(one.functions.population.mean, other.functions.population.mean)
    assert first == second


def test_studies_that_share_their_configurations_stay_a_table(tmp_path: Path):
    store = MetaStore(tmp_path / "team.db")
    grid = {"x": [0.1, 0.5, 0.9], "y": [0.2, 0.8], "kind": ["a"]}
    for number in range(4):
        study = optuna.create_study(study_name=f"{number}", sampler=optuna.samplers.GridSampler(grid, seed=0))
        study.optimize(objective(0.1 * number), 6)
        remember_study(study, store, "mine")
    past = past_of(store, "mine")
    assert not isinstance(past, PastStudies)
    assert past.scores.shape == (4, 6)


def test_opening_reads_no_trial_again_and_writes_nothing(store: MetaStore, monkeypatch: pytest.MonkeyPatch):
    refresh(store, "mine")
    content = Path(store.url).read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(MetaStore, "trials", lambda *_, **__: pytest.fail("the trials were read"))
        patch.setattr(MetaStore, "past", lambda *_, **__: pytest.fail("the table was read"))
        sampler = WarmStartSampler(store, "mine", seed=0)
    assert Path(store.url).read_bytes() == content
    assert values_of(sampler)[0] < 0.05


def test_what_was_kept_makes_the_same_suggestions_as_what_is_learned_now(store: MetaStore):
    refresh(store, "mine")
    kept = values_of(WarmStartSampler(store, "mine", seed=0))
    store.keep_weights("mine\nfunctions", b"", 0)
    assert values_of(WarmStartSampler(store, "mine", seed=0)) == kept


def test_a_study_that_came_since_is_known_to_the_next_sampler(store: MetaStore):
    for number in range(8, 30):
        remember_study(past_study(number), store, "mine")
    kept, _ = store.weights("mine\nfunctions")
    late = past_study(99, peak=0.1)
    late.optimize(objective(0.1), 5)
    for trial in late.trials:  # by the callback: nobody says that the study has ended
        remember(store, "mine")(late, trial)
        break
    past = past_of(store, "mine")
    assert isinstance(past, PastStudies)
    assert store.weights("mine\nfunctions")[0] == kept
    assert "past 99" in [record.name for record in past.records]
    assert len(past) == 31


def test_a_tenth_of_new_studies_is_learned_anew(store: MetaStore):
    before, _ = store.weights("mine\nfunctions")
    remember_study(past_study(8), store, "mine")
    after, studies = store.weights("mine\nfunctions")
    assert after != before
    assert studies == 9


def test_a_study_that_goes_on_is_replaced_by_what_it_is_now(store: MetaStore):
    study = past_study(8)
    remember_study(study, store, "mine")
    study.optimize(objective(0.66), 10)
    remember_study(study, store, "mine")
    past = past_of(store, "mine")
    assert isinstance(past, PastStudies)
    assert sorted(past.tried.tolist()) == [20] * 8 + [30]


def test_what_must_not_be_seen_has_no_part_in_what_is_known(store: MetaStore):
    refresh(store, "mine")
    record = store.tasks(space="mine")[0]
    past = past_of(store, "mine", exclude=Exclusion(fingerprints=frozenset({record.fingerprint})))
    assert isinstance(past, PastStudies)
    assert record.fingerprint not in [known.fingerprint for known in past.records]
    whole = past_of(store, "mine")
    assert not np.allclose(past.functions.population.mean[:5], whole.functions.population.mean[:5])


def test_a_study_does_not_learn_from_itself(store: MetaStore):
    study = past_study(8)
    remember_study(study, store, "mine")
    study.sampler = WarmStartSampler(store, "mine", seed=0)
    study.optimize(objective(0.64), 2)
    assert sorted(record.name for record in study.sampler._past.records) == [f"past {k}" for k in range(8)]


def test_a_range_that_has_changed_leaves_past_results_where_they_were(store: MetaStore):
    study = optuna.create_study(study_name="new", sampler=WarmStartSampler(store, "mine", seed=0))
    study.optimize(objective(0.62, low=0.55), 8)
    assert study.best_value < 0.02
    assert any("'x' is now from 0.55" in note for note in study.sampler.notes)
    experts = study.sampler._guard.experts
    assert list(experts) == ["past", "cold"]


def test_a_new_category_and_a_new_parameter_are_learned_with_the_next_study(store: MetaStore):
    for number in range(8, 20):
        remember_study(past_study(number), store, "mine")
    study = optuna.create_study(study_name="other", sampler=optuna.samplers.RandomSampler(seed=5))
    kinds = ["a", "ccc"]
    study.optimize(lambda trial: trial.suggest_float("x", 0, 2) + len(trial.suggest_categorical("kind", kinds)), 20)
    for trial in study.trials[:1]:
        remember(store, "mine")(study, trial)
    past = past_of(store, "mine")
    assert isinstance(past, PastStudies)
    assert "other" in [record.name for record in past.records]
    assert values_of(WarmStartSampler(store, "mine", seed=0))


def test_a_store_that_is_read_only_is_read_all_the_same(store: MetaStore):
    reader = MetaStore(store.url, read_only=True)
    store.keep_weights("mine\nfunctions", b"", 0)
    assert isinstance(past_of(reader, "mine"), PastStudies)
    refresh(reader, "mine")
    assert store.weights("mine\nfunctions") == (None, 0)


def test_what_is_kept_by_another_version_is_learned_anew(store: MetaStore):
    refresh(store, "mine")
    store.keep_weights("mine\nfunctions", b"not an archive", 8)
    assert isinstance(past_of(store, "mine"), PastStudies)
    refresh(store, "mine")
    assert store.weights("mine\nfunctions")[0] != b"not an archive"


def test_of_many_studies_some_stand_in_the_table_and_all_have_their_part(
    store: MetaStore, monkeypatch: pytest.MonkeyPatch
):
    whole = past_of(MetaStore(store.url, read_only=True), "mine", renamed={"z": "y"})  # learned now
    monkeypatch.setattr("autometa.studies.summary.OPTIONS", replace(OPTIONS, table_studies=3))
    some = past_of(store, "mine", renamed={"z": "y"})
    assert isinstance(some, PastStudies)
    assert isinstance(whole, PastStudies)
    assert len(some) == 3
    names = {record.fingerprint for record in some.records}
    others = Exclusion(fingerprints=frozenset(r.fingerprint for r in whole.records if r.fingerprint not in names))
    alone = past_of(store, "mine", exclude=others)
    assert isinstance(alone, PastStudies)
    assert {record.fingerprint for record in alone.records} == names
    means = [found.functions.population.mean for found in (some, alone)]
    assert not np.allclose(means[0][:5], means[1][:5])
    assert values_of(WarmStartSampler(some, seed=0))[0] < 0.05


def test_many_studies_kept_by_the_callback_alone_take_part_in_the_search(tmp_path: Path):
    store = MetaStore(tmp_path / "team.db")
    for number in range(30):
        study = past_study(number, trials=8)
        remember(store, "mine")(study, study.trials[-1])
    sampler = WarmStartSampler(store, "mine", seed=0)
    study = optuna.create_study(sampler=sampler)
    study.optimize(objective(0.62), 8)
    assert "past" in sampler._guard.experts
    assert study.best_value < 0.02
    assert "past tasks" in study.trials[-1].user_attrs["autometa:reason"]
