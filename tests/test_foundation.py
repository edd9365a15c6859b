"""Foundation models: found, refused, tried, kept by reference, and never downloaded unasked."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from foundation import CLASSIFIER, NO_NETWORK, small_tabdpt, small_tabicl, stand_in, weights
from sklearn.datasets import load_wine

from autometa.errors import InputError, RunError
from autometa.evaluation import evaluate, plan_splits
from autometa.families import FAMILIES, available, build, cash_space, foundation_models
from autometa.families.foundation import FOLDER, damage, digest_of
from autometa.families.learners import in_context as faces
from autometa.families.options import OPTIONS
from autometa.origins import State
from autometa.search.in_context import InContext, operations, with_families_of, without_foundation
from autometa.search.settings import TrialRow
from autometa.space import FAMILY, SearchSpace, real
from autometa.task import Columns, make_task
from autometa.transfer import History

TABICL, TABDPT = FAMILIES["tabicl"].foundation, FAMILIES["tabdpt"].foundation
NUMBERS = Columns(numeric=("a", "b"))


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The stand-in of TabICL is installed in this process, and no weights are anywhere."""
    monkeypatch.delenv(FOLDER, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(faces, "_networks", {})
    for name in [name for name in sys.modules if name.partition(".")[0] in ("tabicl", "huggingface_hub")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(stand_in(tmp_path / "site"))
    importlib.invalidate_caches()
    yield tmp_path
    for name in ("tabicl", "huggingface_hub"):
        sys.modules.pop(name, None)


@pytest.fixture
def ready(installed, monkeypatch):
    """And its weights are in a folder of one's own."""
    monkeypatch.setenv(FOLDER, str(weights(installed / "weights")))
    return installed


def table(n=60, classes=2, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n)})
    return frame, np.digitize(frame["a"], np.linspace(-1, 1, classes - 1) if classes > 2 else [0.0])


def fitted(kind="binary", n=60, **changes):
    frame, y = table(n)
    config = cash_space(kind, ["tabicl"]).default | {f"tabicl.{name}": value for name, value in changes.items()}
    pipeline = build(config, NUMBERS, kind, n_rows=n, seed=0)
    return pipeline.fit(frame, frame["a"].to_numpy() if kind == "regression" else y), frame, y


# ------------------------------------------------------------------------------------------------ found, and refused


def test_a_family_whose_package_is_not_installed_is_none_that_is_tried(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert foundation_models("binary") == ()
    with pytest.raises(InputError, match=r"needs the package tabicl\. pip install 'autometa-ml\[foundation\]'"):
        cash_space("binary", ["tabicl"])


def test_without_weights_it_is_refused_with_the_command_that_fetches_them(installed):
    assert foundation_models("binary") == ()
    with pytest.raises(InputError) as refused:
        cash_space("binary", ["tabicl"])
    assert str(refused.value) == (
        f"family 'tabicl': has no weights here: {CLASSIFIER} is not in the hub's cache. "
        "`autometa doctor --download tabicl` fetches them."
    )


def test_weights_are_found_in_ones_own_folder_and_then_in_the_hubs_cache(installed, monkeypatch):
    of_hub = installed / "hub" / "models--jingang--TabICL"
    (of_hub / "refs").mkdir(parents=True)
    (of_hub / "refs" / "main").write_text("abc123")
    weights(of_hub / "snapshots" / "abc123")
    assert TABICL.found("binary") == of_hub / "snapshots" / "abc123" / CLASSIFIER
    assert foundation_models("binary") == foundation_models("regression") == ("tabicl",)
    assert "tabicl" not in available("binary"), "what is collected and compared does not depend on who has weights"
    assert TABICL.told("binary").endswith("from the hub's cache (published as jingang/TabICL under BSD-3-Clause).")
    own = weights(installed / "own")
    monkeypatch.setenv(FOLDER, str(own))
    assert TABICL.found("binary") == own / CLASSIFIER
    assert "your own has its own licence" in TABICL.told("binary")


def test_the_hubs_cache_is_where_its_client_looks(tmp_path, monkeypatch):
    client = pytest.importorskip("huggingface_hub", reason="the client of the Hugging Face hub is not installed")
    monkeypatch.delenv(FOLDER, raising=False)
    folder = Path(importlib.import_module("huggingface_hub.constants").HF_HUB_CACHE)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    path = tmp_path / "models--jingang--TabICL" / "snapshots" / "f00" / CLASSIFIER
    (tmp_path / "models--jingang--TabICL" / "refs").mkdir(parents=True)
    (tmp_path / "models--jingang--TabICL" / "refs" / "main").write_text("f00")
    weights(path.parent)
    assert client.try_to_load_from_cache("jingang/TabICL", CLASSIFIER, cache_dir=tmp_path) == str(path)
    assert TABICL.found("binary") == path
    monkeypatch.delenv("HF_HUB_CACHE")
    if not {"HF_HOME", "HUGGINGFACE_HUB_CACHE"} & os.environ.keys():
        from autometa.families.foundation import _cached

        assert _cached("me/it", "x").is_relative_to(folder)


@pytest.mark.parametrize(("version", "is_taken"), [("2.1.9", False), ("2.2.0", True), ("2.10.3", True), ("3.0", False)])
def test_another_version_of_the_package_is_refused(ready, monkeypatch, version, is_taken):
    monkeypatch.setattr("importlib.metadata.version", lambda name: version)
    assert (foundation_models("binary") == ("tabicl",)) == is_taken
    if not is_taken:
        why = f"needs tabicl 2.2 or later, below 3.0, and {version} is installed. pip install 'tabicl>=2.2,<3.0'."
        assert why in str(TABICL.why_not("binary"))


@pytest.mark.parametrize("harm", ["empty", "cut", "other"])
def test_a_damaged_checkpoint_is_one_message(ready, harm):
    path = ready / "weights" / CLASSIFIER
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "other": b"not weights at all " * 50}[harm])
    assert foundation_models("binary") == ()
    assert foundation_models("regression") == ("tabicl",)
    with pytest.raises(InputError) as refused:
        cash_space("binary", ["tabicl"])
    assert len(refused.value.problems) == 1
    assert str(refused.value).startswith(f"weights {path}: is no checkpoint of PyTorch")


def test_tensors_that_are_cut_off_are_noticed_without_reading_them(tmp_path):
    head = json.dumps({"__metadata__": {"cfg": "{}"}, "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}})
    whole = len(head).to_bytes(8, "little") + head.encode() + bytes(8)
    path = tmp_path / "tabdpt1_3.safetensors"
    path.write_bytes(whole)
    assert damage(path) is None
    for cut in (0, 5, 20, len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert "safetensors" in damage(path)
    path.write_bytes((10).to_bytes(8, "little") + b"[1, 2, 3]]" + bytes(8))
    assert damage(path) == "is no file of safetensors"


def test_a_folder_of_ones_own_that_is_none_is_said(installed, monkeypatch):
    monkeypatch.setenv(FOLDER, str(installed / "nowhere"))
    with pytest.raises(InputError, match=r"AUTOMETA_WEIGHTS=.*nowhere: is no folder"):
        cash_space("binary", ["tabicl"])


def test_what_is_too_large_or_has_too_many_classes_is_left_out():
    for name in ("tabicl", "tabdpt"):
        assert FAMILIES[name].limit(1_000, 20, 3) is None
        assert FAMILIES[name].limit(10**7, 20, 2) is None, "a part of the rows is shown"
        assert "up to 10 classes" in FAMILIES[name].limit(1_000, 20, 11)
        assert "takes too long" in FAMILIES[name].limit(20_000, 400, 10)


# ------------------------------------------------------------------------------------------- fitted, pickled, answered


def test_it_fits_strings_missing_values_and_a_lone_class(ready):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=40), "colour": pd.Categorical(rng.choice(["red", "blue"], 40))})
    frame.loc[::5, "a"] = np.nan
    columns, y = Columns(numeric=("a",), categorical=("colour",)), np.arange(40) % 2
    pipeline = build(cash_space("binary", ["tabicl"]).default, columns, "binary", n_rows=40, seed=0)
    found = pipeline.fit(frame, y).predict_proba(frame)
    assert found.shape == (40, 2)
    assert np.isfinite(found).all()
    one = build(cash_space("binary", ["tabicl"]).default, columns, "binary", n_rows=40, seed=0)
    assert (one.fit(frame, np.zeros(40)).predict_proba(frame) == 1.0).all()


def test_as_many_rows_are_shown_as_the_configuration_says_and_of_every_class_one(ready):
    frame, y = table(500)
    y[7] = 2  # a class of one row
    config = cash_space("multiclass", ["tabicl"]).default | {"tabicl.context": 256}
    pipeline = build(config, NUMBERS, "multiclass", n_rows=500, seed=3).fit(frame, y)
    assert pipeline[-1].X_.shape == (256, 2)
    assert set(pipeline[-1].y_) == {0, 1, 2}
    again = build(config, NUMBERS, "multiclass", n_rows=500, seed=3).fit(frame, y)
    np.testing.assert_array_equal(again.predict_proba(frame), pipeline.predict_proba(frame))


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_a_pickle_holds_no_weights_and_answers_where_they_are(ready, kind, monkeypatch):
    model, frame, _ = fitted(kind)
    answer = "predict" if kind == "regression" else "predict_proba"
    before = getattr(model, answer)(frame)
    data = pickle.dumps(model)
    assert b"sharpness" not in data
    faces._networks.clear()
    again = pickle.loads(data)
    np.testing.assert_array_equal(getattr(again, answer)(frame), before)
    monkeypatch.setenv(FOLDER, str(weights(ready / "others", sharpness=9.0)))
    with pytest.raises(InputError, match=r"are not those that this model was fitted with .*Put those in their place\."):
        getattr(pickle.loads(data), answer)(frame)
    monkeypatch.delenv(FOLDER)
    with pytest.raises(InputError, match="`autometa doctor --download tabicl` fetches them"):
        getattr(pickle.loads(data), answer)(frame)


def test_weights_that_are_whole_and_of_another_network_are_one_message(ready):
    weights(ready / "weights", other=1)
    with pytest.raises(InputError, match=r"cannot be read as those of TabICL \(KeyError: 'sharpness'\)"):
        fitted()


def test_a_trial_of_it_is_judged_like_any(ready):
    X, y = load_wine(return_X_y=True, as_frame=True)
    task = make_task(X, y=y, name="wine")
    outcome = evaluate(task, cash_space("multiclass", ["tabicl"]).default, plan_splits(task, seed=0, folds=3), seed=0)
    assert outcome.evaluation.state == State.COMPLETE
    assert outcome.evaluation.scores["accuracy"] > 0.9
    assert outcome.evaluation.versions["tabicl"] == "2.2.0"


# ---------------------------------------------------------------------------------------------- when it is tried


def rows_of(*evaluated, task, seconds=1.0):
    """Finished trials of (family, score)."""
    from autometa.evaluation import Evaluation

    made = []
    for number, (config, score) in enumerate(evaluated):
        told = {"scores": {task.metric: score}, "folds": {task.metric: (score,) * 3}}
        evaluation = Evaluation(
            config=config,
            state=State.COMPLETE,
            reason=None,
            fit_seconds=0.1,
            predict_seconds=seconds,
            peak_ram=None,
            seed=0,
            versions={},
            rows=task.n,
            **told,
        )
        made.append(TrialRow(number, evaluation, "search", "", 0.0, 1.0, None, task.n))
    return made


@pytest.fixture
def wine():
    X, y = load_wine(return_X_y=True, as_frame=True)
    return make_task(X, y=y, name="wine")


def decides(task, speed=1e12, **how):
    space = cash_space(task.kind, ["linear", "knn", "tabicl"])
    return InContext(space, task.metric, plan_splits(task, seed=0, folds=3), task.p, speed, **how), space


def test_the_default_comes_once_a_few_trials_have_ended(ready, wine):
    rule, space = decides(wine)
    linear, knn, tabicl = space.defaults()
    assert [c[FAMILY] for c in (linear, knn, tabicl)] == ["linear", "knn", "tabicl"]
    few = rows_of((linear, -0.3), (knn, -0.4), task=wine)
    enough = [*few, *rows_of((linear, -0.3), (knn, -0.4), (knn, -0.5), task=wine)[2:]]
    how = {"left": 1000.0, "longest": 300.0}
    assert rule.next(few, Counter(), wine.n, **how) is None
    config, noted = rule.next(enough, Counter(), wine.n, **how)
    assert config == tabicl
    assert noted["autometa:origin"] == "default"
    assert noted["autometa:reason"].startswith("TabICL as it was trained, in about")
    assert rule.next(enough, Counter(tabicl=1), wine.n, **how) is None, "it runs"
    assert replace(rule, trials=3).next(few[:1], Counter(), wine.n, **how) is not None, "half of few trials"
    assert rule.untried(enough) == "Not tried, for want of time or trials: TabICL."
    assert rule.untried(rows_of((tabicl, -0.2), task=wine)) is None
    assert rule.reserved() == {"tabicl"}
    assert without_foundation(space).families == ("linear", "knn")


def test_where_time_is_short_it_has_fewer_members_and_then_fewer_rows_or_is_not_tried(ready, wine):
    rule, _ = decides(wine)
    whole = rule.affordable("tabicl", [], wine.n, 1e9)
    loading = OPTIONS.in_context.loading
    takes = rule.seconds(whole, [], wine.n) - loading
    fewer = rule.affordable("tabicl", [], wine.n, loading + takes / 3)
    assert fewer["tabicl.members"] == 2
    assert fewer["tabicl.context"] == whole["tabicl.context"]
    assert rule.affordable("tabicl", [], wine.n, loading / 2) is None
    frame, y = table(4_000)
    large, _ = decides(make_task(frame, y=y, name="large"))
    alone = whole | {"tabicl.members": 1}
    half = large.affordable("tabicl", [], 4_000, loading + 0.4 * (large.seconds(alone, [], 4_000) - loading))
    assert half["tabicl.members"] == 1
    assert 256 <= half["tabicl.context"] < 2_667, "fewer than the rows that a fold learns from"


def test_a_trial_that_ended_says_what_others_of_it_take(ready, wine):
    rule, space = decides(wine, speed=1e15)
    tabicl = space.defaults()[-1]
    known = rows_of((tabicl, -0.2), task=wine, seconds=80.0)
    half = tabicl | {"tabicl.members": 4}
    loading = OPTIONS.in_context.loading
    assert rule.seconds(tabicl, known, wine.n) == pytest.approx(80.0 + loading)
    assert rule.seconds(half, known, wine.n) == pytest.approx(40.0 + loading)


def test_one_that_is_among_the_best_gets_variants_within_the_time(ready, wine):
    rule, space = decides(wine)
    linear, knn, tabicl = space.defaults()
    rows = rows_of((tabicl, -0.1), *[(linear, -0.3), (knn, -0.4)] * 8, task=wine, seconds=10.0)
    how = {"left": 1000.0, "longest": 30.0}
    config, noted = rule.next(rows, Counter(tabicl=1), wine.n, **how)
    assert config[FAMILY] == "tabicl"
    assert config != tabicl
    assert space.contains(config)
    assert rule.seconds(config, rows, wine.n) <= 30.0
    assert noted["autometa:origin"] == "search"
    assert rule.next(rows, Counter(tabicl=1), wine.n, **how) == (config, noted), "the seed decides"
    assert rule.next(rows[:7], Counter(tabicl=1), wine.n, **how) is None, "not every time"
    last = rows_of((tabicl, -9.0), *[(linear, -0.3), (knn, -0.4)] * 8, task=wine)
    assert rule.next(last, Counter(tabicl=1), wine.n, **how) is None, "it is behind"


def test_operations_grow_as_the_network_says():
    config = {"family": "tabdpt", "tabdpt.members": 2, "tabdpt.context": 1000}
    base = operations(config, 1000, 100, 10)
    assert operations(config, 5000, 100, 10) == base, "no more rows are shown"
    assert operations(config, 1000, 100, 40) == base, "columns cost it nothing"
    assert operations(config | {"tabdpt.members": 4}, 1000, 100, 10) == 2 * base
    tabicl = {"family": "tabicl", "tabicl.members": 2, "tabicl.context": 1000}
    assert operations(tabicl, 1000, 100, 40) > operations(tabicl, 1000, 100, 10) > base


def test_a_run_goes_on_with_the_models_it_began_with(ready, monkeypatch):
    import optuna

    both, one = cash_space("binary", ["linear", "tabicl"]), cash_space("binary", ["linear"])

    def study_of(space):
        study = optuna.create_study()
        space.suggest(study.ask())
        return study

    assert with_families_of(both, study_of(both), "binary").families == ("linear", "tabicl")
    assert with_families_of(both, study_of(one), "binary").families == ("linear",), "weights have come since"
    begun = study_of(both)
    monkeypatch.delenv(FOLDER)
    with pytest.raises(RunError, match=r"the run tries tabicl as well\. .*autometa doctor --download tabicl"):
        with_families_of(one, begun, "binary")


def test_what_a_sampler_learns_from_leaves_out_families_that_are_not_its(ready):
    import optuna

    from autometa.transfer.observation import TrialReading

    both = cash_space("binary", ["linear", "tabicl"])
    study = optuna.create_study(direction="maximize")
    for config, value in zip(both.defaults(), (0.1, 0.9), strict=True):
        study.enqueue_trial(config)
        trial = study.ask()
        both.suggest(trial)
        study.tell(trial, value)
    reading = TrialReading(sign=1.0)
    assert History.of_trials(both, study.trials, reading).scores.tolist() == [0.1, 0.9]
    assert History.of_trials(both.only(["linear"]), study.trials, reading).scores.tolist() == [0.1]
    flat = SearchSpace.of(x=real(0.0, 1.0, 0.5))
    assert len(History.of_trials(flat, study.trials, reading)) == 2


# ---------------------------------------------------------------------------------------------- on the command line


def run(site, *arguments, **environment):
    """The command line in a process that has the stand-in and no network."""
    path = os.pathsep.join([str(site), str(Path(__file__).resolve().parents[1])])
    known = {name: value for name, value in os.environ.items() if name != FOLDER}
    told = known | {"PYTHONPATH": path, "COLUMNS": "200"} | {name: str(value) for name, value in environment.items()}
    return subprocess.run(
        [sys.executable, "-m", "autometa", *map(str, arguments)], capture_output=True, text=True, env=told, timeout=600
    )


@pytest.fixture
def csv(tmp_path):
    load_wine(as_frame=True).frame.to_csv(tmp_path / "wine.csv", index=False)
    return tmp_path / "wine.csv"


FIT = ("--target", "target", "--trials", 3, "--folds", 2, "--cold", "--no-remember")


def test_a_search_tries_it_says_whose_weights_and_opens_no_socket(tmp_path, csv):
    site, own = stand_in(tmp_path / "site"), weights(tmp_path / "weights")
    where = {FOLDER: own, "HF_HUB_CACHE": tmp_path / "hub"}
    done = run(site, "fit", csv, "--run", tmp_path / "run", *FIT, "--families", "linear,naive_bayes,tabicl", **where)
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert said.count("published as jingang/TabICL under BSD-3-Clause") == 1
    journal = (tmp_path / "run" / "journal.log").read_text()
    assert "TabICL as it was trained." in journal
    assert '"failed"' not in journal
    answers = run(site, "predict", tmp_path / "run", csv, **where)
    assert answers.returncode == 0, answers.stderr
    again = run(site, "resume", tmp_path / "run", "--trials", 1, HF_HUB_CACHE=tmp_path / "hub")
    assert again.returncode == 2
    assert again.stderr.splitlines()[-1].startswith("autometa: family 'tabicl': has no weights here")
    assert not (tmp_path / "hub").exists(), "nothing was downloaded"


def test_without_weights_a_search_goes_on_and_says_how_they_are_fetched(tmp_path, csv):
    site = stand_in(tmp_path / "site")
    where = {"HF_HUB_CACHE": tmp_path / "hub"}
    done = run(site, "fit", csv, "--run", tmp_path / "run", *FIT, "--trials", 1, **where)
    assert done.returncode == 0, done.stderr
    said = " ".join((done.stdout + done.stderr).split())
    assert "TabICL is not tried." in said
    assert said.count("`autometa doctor --download tabicl` fetches them.") == 1
    asked = run(site, "fit", csv, "--run", tmp_path / "other", *FIT, "--families", "tabicl", **where)
    assert asked.returncode == 2
    assert asked.stderr.splitlines()[-1].startswith("autometa: family 'tabicl': has no weights here")
    assert asked.stderr.count("tabicl") == 3, "once the family, once the file, once the command"
    assert "Traceback" not in asked.stderr
    assert not (tmp_path / "other").exists()


def test_the_doctor_fetches_weights_when_asked_and_says_what_it_fetched(tmp_path):
    site, hub = stand_in(tmp_path / "site"), weights(tmp_path / "the hub")
    where = {"HF_HUB_CACHE": tmp_path / "cache", "THE_HUB": hub}
    offline = run(site, "doctor", "--download", "tabicl", HF_HUB_OFFLINE=1, **where)
    assert offline.returncode == 2
    assert offline.stderr.count("\n") == 1
    assert "cannot be had (ConnectionError: the hub cannot be reached: offline mode is on)" in offline.stderr
    done = run(site, "doctor", "--download", "tabicl", "--json", **where)
    assert done.returncode == 0, done.stderr
    files = json.loads(done.stdout)
    assert [Path(file["file"]).name for file in files] == [CLASSIFIER, CLASSIFIER.replace("classifier", "regressor")]
    for file in files:
        assert file["sha256"] == digest_of(Path(file["file"]))
        assert file["bytes"] == Path(file["file"]).stat().st_size
        assert file["licence"] == "BSD-3-Clause"
    told = json.loads(run(site, "doctor", "--json", "--store", tmp_path / "s.db", **where).stdout)["foundation"]
    assert told["tabicl"]["ready"] is True
    assert "tabdpt" not in told or told["tabdpt"]["ready"] in (True, False)
    unknown = run(site, "doctor", "--download", "tabpfn", **where)
    assert unknown.returncode == 2
    assert "Known: tabicl, tabdpt." in unknown.stderr


# ---------------------------------------------------------------------------------------- the packages themselves

REAL = [("tabicl", small_tabicl, CLASSIFIER), ("tabdpt", small_tabdpt, "tabdpt1_3.safetensors")]


@pytest.fixture(params=REAL, ids=lambda one: one[0])
def real_model(request, tmp_path, monkeypatch):
    name, make, file = request.param
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"the package {name} (extra foundation) is not installed")
    (tmp_path / "weights").mkdir()
    monkeypatch.setattr(faces, "_networks", {})
    monkeypatch.setenv(FOLDER, str(make(tmp_path / "weights")))
    exec(NO_NETWORK, monkeypatch_sockets(monkeypatch))
    return name, tmp_path / "weights" / file


def monkeypatch_sockets(monkeypatch):
    """Names for `NO_NETWORK`, whose changes end with the test."""
    import socket

    monkeypatch.setattr(socket.socket, "connect", socket.socket.connect, raising=False)
    monkeypatch.setattr(socket, "getaddrinfo", socket.getaddrinfo)
    return {}


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_the_real_package_answers_with_weights_at_random(real_model, kind):
    name, _ = real_model
    frame, y = table(80, classes=4 if kind == "multiclass" else 2)
    y = frame["a"].to_numpy() if kind == "regression" else y
    space = cash_space(kind, [name])
    rng = np.random.default_rng(0)
    for config in [space.default, *(space.sample(rng) for _ in range(3))]:
        model = build(config, NUMBERS, kind, n_rows=60, seed=1).fit(frame[:60], y[:60])
        answer = model.predict if kind == "regression" else model.predict_proba
        found = answer(frame)
        assert np.isfinite(found).all()
        again = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(again.predict(frame), model.predict(frame))
        np.testing.assert_allclose(answer(frame[70:73]), found[70:73], rtol=1e-3, atol=1e-5)


def test_the_real_package_says_of_weights_of_another_network_what_they_are(real_model):
    name, path = real_model
    import torch

    if path.suffix == ".ckpt":
        torch.save({"config": {"max_classes": 10, "embed_dim": 32}, "state_dict": {}}, path)
    else:
        from safetensors.torch import save_file

        save_file({"w": torch.zeros(2)}, path, metadata={"cfg": "{}"})
    frame, y = table()
    with pytest.raises(InputError, match=r"cannot be read as those of Tab(ICL|DPT) \("):
        build(cash_space("binary", [name]).default, NUMBERS, "binary", n_rows=60, seed=0).fit(frame, y)
