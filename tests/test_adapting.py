"""A trained few-shot learner as a family of one search: on images, vectors and tables, in its report and its model."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits, load_iris

import autometa.families as families
from autometa import AutoMetaClassifier, FewShotClassifier
from autometa.adapting import family_from, keep, read_card
from autometa.adapting.face import LearnerClassifier
from autometa.cli import main
from autometa.errors import InputError, RunError
from autometa.families import available
from autometa.fewshot import Checkpoint, TrainingSettings, find_learner, from_arrays, load_data, make, train
from autometa.fewshot.applied import Applied, rows_of_images
from autometa.fewshot.learners import OWN
from autometa.fewshot.trained import Trained
from autometa.search import load_model, open_run
from autometa.store import MetaStore

Image = pytest.importorskip("PIL.Image")
X, y = load_digits(return_X_y=True)
X = X / 16
NEW = np.flatnonzero(y >= 7)  # digits that no learner here was trained on
OPTIONS = {"protonet": {"width": 8}, "mann": {"rows": 8, "hidden": 16, "row_width": 8}}


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """The user's cache, and the catalogue, for these tests alone."""
    patch, before = pytest.MonkeyPatch(), (dict(families.FAMILIES), dict(families.REGISTRY._origins))
    place = tmp_path_factory.mktemp("cache")
    patch.setenv("XDG_CACHE_HOME", str(place))
    yield place
    patch.undo()
    for now, then in zip((families.FAMILIES, families.REGISTRY._origins), before, strict=True):
        now.clear()
        now.update(then)


def learned(name: str, folder: Path, data="digits", steps: int = 40, **options) -> Path:
    """A learner after a few steps, as a checkpoint."""
    model = FewShotClassifier(name, options={**OPTIONS.get(name, {}), **options})
    model.meta_fit(data, steps=steps, way=3, verbose=False).save(folder / name)
    return folder / name


@pytest.fixture(scope="module")
def proto(tmp_path_factory) -> Path:
    return learned("protonet", tmp_path_factory.mktemp("learned"))


@pytest.fixture(scope="module")
def maml(tmp_path_factory) -> Path:
    return learned("maml", tmp_path_factory.mktemp("learned"), steps=20, width=8)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Twelve images each of three new digits, in a folder by class."""
    root = tmp_path_factory.mktemp("photos")
    for digit in (7, 8, 9):
        (root / f"digit{digit}").mkdir()
        for k, i in enumerate(NEW[y[NEW] == digit][:12]):
            Image.fromarray((X[i].reshape(8, 8) * 255).astype(np.uint8)).save(root / f"digit{digit}" / f"{k}.png")
    return root


@pytest.fixture(scope="module")
def run(proto, photos, tmp_path_factory) -> Path:
    """A search on the folder that adapts the learner, by the command, remembered in a store of its own."""
    place = tmp_path_factory.mktemp("runs")
    told = [
        "--fewshot",
        str(proto),
        "--trials",
        "3",
        "--families",
        "knn",
        "--folds",
        "2",
        "--store",
        str(place / "s.db"),
    ]
    assert main(["fit", str(photos), *told, "--run", str(place / "run")]) == 0
    return place / "run"


def test_images_pass_through_the_learner_and_it_is_tried_first_as_it_was_trained(run, proto):
    result, card = open_run(run), keep(proto)
    assert f"36 images encoded by the learner {card.name}." in result.task.notes
    names = {name.rpartition("_")[0] for name in result.task.columns.numeric}
    assert names == {"emb", "learner_vec"}  # other families learn from those of an encoder, too
    first = min(result.trials, key=lambda row: row.number).evaluation
    assert first.config == {"family": card.name, f"{card.name}.head": "own", f"{card.name}.temperature": 1.0}
    assert first.scores["accuracy"] > 0.8
    assert {row.evaluation.config["family"] for row in result.trials} <= {card.name, "knn"}


def test_report_and_memory_know_its_name_and_other_searches_do_not_try_it(run, proto):
    card = keep(proto)
    families.FAMILIES.pop(card.name)  # as in another process
    families.REGISTRY._origins.pop(card.name)
    assert main(["report", str(run)]) == 0
    assert "Adapted protonet" in (run / "report.html").read_text(encoding="utf-8")
    assert "Adapted protonet" in (run / "model_card.md").read_text(encoding="utf-8")
    store = run.parent / "s.db"
    known = MetaStore(str(store)).evaluations(open_run(run).task.fingerprint)
    assert card.name in {evaluation.config["family"] for evaluation in known}
    assert card.name not in available("multiclass")
    frame = pd.DataFrame({f"emb_{k}": values for k, values in enumerate(X[NEW[:60]].T)})  # another table, with memory
    other = AutoMetaClassifier(trials=2, families="knn,linear", store=str(store), verbose=False)
    assert card.name not in set(other.fit(frame, y[NEW[:60]]).leaderboard_["family"])


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("skops", "adapts a few-shot learner, whose network skops cannot write"),
        ("python", "which a script without AutoMeta does not have"),
        ("onnx", "has no counterpart in ONNX"),
    ],
)
def test_what_cannot_hold_it_is_told_in_one_message(to, told, run, tmp_path, capsys):
    assert main(["export", str(run), "--to", to, "--out", str(tmp_path / "out")]) == 3
    said = capsys.readouterr().err
    assert told in said
    assert said.count("autometa:") == 1
    assert not (tmp_path / "out").exists()


def test_a_run_holds_its_learner_goes_on_and_predicts_in_another_process(run, photos, cache, tmp_path):
    place = tmp_path / "moved"
    shutil.copytree(run, place)
    kept = cache / "autometa" / "learners"
    away = kept.rename(tmp_path / "away")  # the cache may be emptied
    try:
        out = tmp_path / "out.csv"
        told = ["predict", str(place), str(photos), "--id", "file", "--out", str(out), "--trust"]
        code = f"import sys; from autometa.cli import main; sys.exit(main({told!r}))"
        subprocess.run([sys.executable, "-c", code], check=True, timeout=600)
        answers = pd.read_csv(out)
        assert (answers["prediction"] == [Path(file).parent.name for file in answers["file"]]).mean() > 0.8
        name = open_run(run).settings.own_families[0].name
        families.FAMILIES.pop(name, None)  # as in another process
        families.REGISTRY._origins.pop(name, None)
        assert main(["resume", str(place), "--trials", "2", "--trust"]) == 0
        rows = open_run(place).trials
        assert len(rows) == 5
        assert all(row.evaluation.state in ("complete", "stopped") for row in rows)
    finally:
        away.rename(kept)


def test_a_network_that_adapts_itself_is_given_the_pixels(maml, photos, tmp_path):
    told = ["--trials", "2", "--folds", "2", "--cold", "--no-remember", "--families", "knn"]
    assert main(["fit", str(photos), "--fewshot", str(maml), *told, "--run", str(tmp_path / "run")]) == 0
    result, card = open_run(tmp_path / "run"), keep(maml)
    pixels = [name for name in result.task.columns.numeric if name.startswith("learner_vec_")]
    assert len(pixels) == card.size == 64  # those that never vary have their places, too
    own = next(row.evaluation for row in result.trials if row.evaluation.config["family"] == card.name)
    assert own.config[f"{card.name}.inner_steps"] == 3
    assert own.config[f"{card.name}.inner_rate"] == 0.4
    assert own.state == "complete"


def test_rows_of_pixels_are_images_too_in_python(proto):
    model = AutoMetaClassifier(
        trials=1, fewshot=proto, families="knn", cv=2, cold=True, remember=False, verbose=False, device="cpu"
    ).fit(X[NEW[:90]], y[NEW[:90]])
    assert model.leaderboard_["family"].tolist() == [keep(proto).name]
    again = pickle.loads(pickle.dumps(model))
    assert (again.predict(X[NEW[90:150]]) == y[NEW[90:150]]).mean() > 0.6


@pytest.fixture(scope="module")
def things():
    """Vectors of twelve kinds, of which the learner saw the first six."""
    rng = np.random.default_rng(0)
    labels = np.arange(12).repeat(20)
    return rng.normal(size=(240, 24)) + 1.5 * rng.normal(size=(12, 24))[labels], labels


def test_vectors_are_found_among_other_columns(things, tmp_path):
    x, labels = things
    file = learned("r2d2", tmp_path, from_arrays(x, labels, way=3))
    new = labels >= 9
    frame = pd.DataFrame({"emb": list(x[new]), "age": np.arange(new.sum()) % 7})
    told = {"trials": 2, "families": "knn", "cv": 2, "cold": True, "remember": False, "verbose": False}
    model = AutoMetaClassifier(fewshot=str(file), **told).fit(frame, labels[new])
    assert keep(file).name in set(model.leaderboard_["family"])
    assert model.score(frame, labels[new]) > 0.8
    with pytest.raises(InputError, match=r"learned from vectors of 24 numbers, and the table has emb of 20 numbers"):
        AutoMetaClassifier(fewshot=file, **told).fit(pd.DataFrame({"emb": list(x[new][:, :20])}), labels[new])


def test_a_learner_of_tables_adapts_to_a_table_with_missing_cells(tmp_path):
    file = learned("set_kernel", tmp_path, "synthetic", steps=3)
    table, kinds = load_iris(return_X_y=True, as_frame=True)
    table.iloc[::9, 0] = np.nan
    table.to_csv(tmp_path / "iris.csv", index=False)
    table.assign(kind=kinds).to_csv(tmp_path / "iris.csv", index=False)
    told = ["--fewshot", str(file), "--trials", "1", "--folds", "2", "--cold", "--no-remember", "--target", "kind"]
    assert main(["fit", str(tmp_path / "iris.csv"), *told, "--run", str(tmp_path / "run")]) == 0
    [row] = open_run(tmp_path / "run").trials
    assert row.evaluation.config["family"] == keep(file).name
    assert row.evaluation.scores["accuracy"] > 0.8
    model = load_model(tmp_path / "run")
    np.testing.assert_allclose(model.predict_proba(table)[:3], model.predict_proba(table[:3]), atol=1e-6)


@pytest.mark.parametrize(
    "name", ["maml", "anil", "meta_sgd", "reptile", "lstm_meta", "learned_optimizer", "protonet", "matching", "mann",
             "pretrain_finetune", "task_embedding", "simpleshot", "pmf"],
)  # fmt: skip
def test_every_learner_answers_each_row_by_itself_by_each_of_its_heads(name, tmp_path):
    options = {} if name == "mann" else {"width": 4}
    card = keep(learned(name, tmp_path, steps=2, **options))
    rows, codes = X[NEW[:30]], y[NEW[:30]]
    for head in ("own", "logistic") if card.heads else ("own",):
        model = LearnerClassifier(file=card.file, places=tuple(range(64)), width=64, head=head).fit(rows, codes)
        together = model.predict_proba(X[NEW[30:40]])
        assert together.shape == (10, 3)
        np.testing.assert_allclose(together.sum(1), 1, atol=1e-6)
        np.testing.assert_allclose(model.predict_proba(X[NEW[33:34]])[0], together[3], atol=1e-5)


def test_what_was_embedded_before_is_answered_as_what_is_embedded_now(proto):
    trained = Trained.load(proto)
    images = X[NEW[:40]].reshape(-1, 1, 8, 8).astype(np.float32)
    _, codes = np.unique(y[NEW[:40]], return_inverse=True)
    vectors = rows_of_images(trained, images)
    before = Applied.of(trained, vectors[:30], codes[:30]).logits(vectors[30:])
    now = Applied.of(trained, images[:30].reshape(30, -1), codes[:30]).logits(images[30:].reshape(10, -1))
    np.testing.assert_allclose(before, now, rtol=1e-3, atol=1e-3)


def test_inner_steps_and_rate_change_what_is_learned(maml):
    card = keep(maml)
    rows, codes = X[NEW[:40]], y[NEW[:40]]

    def answers(**options):
        model = LearnerClassifier(file=card.file, places=tuple(range(64)), width=64, options=options)
        return model.fit(rows, codes).predict_proba(rows)

    assert not np.allclose(answers(test_steps=1), answers(test_steps=5))
    assert not np.allclose(answers(rate=0.1), answers(rate=0.4))
    assert read_card(card.text) == card


def test_what_does_not_fit_is_refused_in_one_message_and_nothing_is_written(proto, maml, tmp_path, capsys):
    frame = pd.DataFrame(X[NEW[:60]]).assign(target=[f"digit {digit}" for digit in y[NEW[:60]]])
    tables = {
        "few": frame.iloc[:, 50:],
        "numbers": frame.assign(target=np.linspace(0, 1, 60)),
        "bytes": frame.assign(**{str(k): frame[k] * 255 for k in range(64)}).drop(columns=list(range(64))),
        "many": pd.DataFrame(X[y >= 4][:100]).assign(target=[f"digit {digit}" for digit in y[y >= 4][:100]]),
        "weighted": frame.assign(heavy=1.0),
    }
    for name, table in tables.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "checkpoint.npz").write_bytes(b"PK\x03\x04 no zip")
    sine = learned("maml", tmp_path / "sine", "sinusoid", steps=1)
    pickled = tmp_path / "pickled.npz"
    np.savez(pickled, header=np.array([print], dtype=object), allow_pickle=True)
    cases = [
        ("few.csv", proto, [], "learned from images of 8 x 8 pixels in 1 channel (64 numbers), and the table has 14"),
        ("numbers.csv", proto, [], "tells classes apart, and 'target' is a number"),
        ("bytes.csv", proto, [], "as numbers from 0 to 1, and these are from 0 to 255"),
        ("many.csv", maml, [], "was trained to tell 3 classes apart, and the table has 6"),
        ("weighted.csv", proto, ["--weight", "heavy"], "takes no weights of rows"),
        ("few.csv", proto, ["--exportable"], "has no counterpart in ONNX"),
        ("few.csv", tmp_path / "absent", [], "no checkpoint there"),
        ("few.csv", broken, [], "damaged, or no checkpoint"),
        ("few.csv", pickled, [], "damaged, or no checkpoint"),
        ("few.csv", sine, [], "predicts values; a search adapts learners of classes"),
    ]
    for file, learner, more, told in cases:
        code = main(["fit", str(tmp_path / file), "--fewshot", str(learner), *more, "--run", str(tmp_path / "run")])
        said = capsys.readouterr().err
        assert (code, said.count("autometa:")) == (2, 1), said
        assert told in said
    assert not (tmp_path / "run").exists()


def test_what_no_trial_would_find_or_bear_is_refused(proto, tmp_path):
    state = Checkpoint.load(proto)
    state.learner = f"{__name__}:Own"
    OWN[state.learner] = find_learner("protonet")
    state.save(tmp_path / "own" / "checkpoint.npz")
    with pytest.raises(InputError, match="a learner of your own"):
        keep(tmp_path / "own")
    OWN.pop(state.learner)
    big = from_arrays(np.zeros((60, 3, 84, 84), np.float32), np.arange(12).repeat(5), way=3)
    with pytest.raises(InputError, match=r"adapts its whole network, and an image of 21,168 numbers is more"):
        keep(learned("maml", tmp_path, big, steps=1, width=2))
    assert keep(learned("protonet", tmp_path / "b", big, steps=1, width=2)).numbers == 2 * 5 * 5
    card = keep(proto)
    assert family_from(card.text).limit(6000, 32, 3) == "adapts to 5,000 rows at most, and the table has 6,000"
    data = load_data("digits")
    learner = make(find_learner("protonet"), data.train.problem(3), {"width": 8})
    shutil.copy(card.file, tmp_path / "checkpoint.npz")
    with pytest.raises(RunError, match="holds what was learned, and not the training"):
        train(learner, data, TrainingSettings(50, way=3), out=tmp_path, resume=True)


def test_a_checkpoint_that_is_trained_further_is_another_family_and_the_first_stays(proto, tmp_path):
    folder = tmp_path / "more"
    shutil.copytree(proto, folder)
    first = keep(folder)
    assert first == keep(proto)
    state = Checkpoint.load(folder)
    state.best = {name: w + 0.1 for name, w in state.best.items()}
    state.save(folder / "checkpoint.npz")
    second = keep(folder)
    assert second.name != first.name
    assert Path(first.file).is_file()
    assert json.loads(second.text)["learner"] == "protonet"
