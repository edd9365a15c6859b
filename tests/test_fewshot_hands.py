"""What people hand to a few-shot learner: labels, tables, images and data of their own; and how long it takes."""

from __future__ import annotations

import csv
import io
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score

from autometa.cli import main
from autometa.errors import InputError, RunError
from autometa.fewshot import (
    LEARNERS,
    Checkpoint,
    FewShotClassifier,
    Trained,
    TrainingSettings,
    find_learner,
    from_arrays,
    from_dataset,
    judge_checkpoint,
    load_data,
    make,
    train,
)
from autometa.fewshot.backends import meta_gradient
from autometa.fewshot.checkpoint import FILE
from autometa.fewshot.data.classes import Classes
from autometa.fewshot.data.images import read_images
from autometa.fewshot.data.source import Data
from autometa.fewshot.episode import EpisodeSpec
from autometa.fewshot.labels import label_array
from autometa.fewshot.learners import OWN
from autometa.fewshot.learners.maml import Maml
from autometa.fewshot.learners.protonet import ProtoNet
from autometa.fewshot.prepare import prepare
from autometa.fewshot.trained import bright_strokes

SETTINGS = TrainingSettings(2, way=3, query=2, look_every=2, look_episodes=2, backend="loop")


@pytest.fixture(scope="module")
def digits() -> Data:
    return load_data("digits")


@pytest.fixture(scope="module")
def model() -> FewShotClassifier:
    """A prototypical network of the digits 0 to 6, that has learned something."""
    return FewShotClassifier("protonet", options={"width": 16}, device="cpu").meta_fit(
        "digits", steps=40, look_every=40, look_episodes=4, backend="loop", training={"way": 10}
    )


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Trained:
    """A prototypical network for rows of tables."""
    data = load_data("prior")
    learner = make(ProtoNet, data.train.problem(3), {"width": 8})
    return Trained.of(train(learner, data, SETTINGS, out=tmp_path_factory.mktemp("table")))


def new_digits(shots: int = 3, digits: tuple[int, ...] = (7, 8, 9)):
    """Support and query of digits that were not trained on, in 0..1."""
    X, y = load_digits(return_X_y=True)
    support = np.concatenate([np.flatnonzero(y == d)[:shots] for d in digits])
    query = np.concatenate([np.flatnonzero(y == d)[20:30] for d in digits])
    return X[support] / 16, y[support], X[query] / 16, y[query]


def run(capsys, *arguments) -> tuple[int, str, str]:
    code = main(["fewshot", *map(str, arguments)])
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    return code, shown.out, shown.err


# ------------------------------------------------------------------------------------------------- labels and tables


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (["a", float("nan"), "b", "b"], "1 label is missing (at 1)"),
        (["a", None, "b", "b"], "1 label is missing (at 1)"),
        (pd.Series(["a", pd.NA, "b", "b"], dtype="string"), "1 label is missing (at 1)"),
        (pd.Series([1, None, 2, 2], dtype="Int64"), "1 label is missing (at 1)"),
        (pd.Categorical(["a", None, "b", "b"]), "1 label is missing (at 1)"),
        (np.array([1.0, np.nan, np.nan, 2.0]), "2 labels are missing (at 1, 2)"),
        (np.array(["2020-01-01", "NaT", "2021-01-01", "NaT"], dtype="datetime64[D]"), "2 labels are missing"),
        ([0, "a", 1, 1], "labels of mixed types: number (0), text ('a')"),
        ([True, "a", "b", "b"], "labels of mixed types: truth value (True), text ('a')"),
        ([{1}, {1}, {2}, {2}], "labels are set"),
        (np.zeros((4, 2)), "labels of shape (4, 2)"),
    ],
)
def test_labels_that_are_missing_or_mixed_are_told_in_words(labels, told, model):
    x = new_digits()[0][:4]
    with pytest.raises(InputError) as caught:
        clone(model).fit(x, labels)
    assert told in str(caught.value)


def test_labels_of_any_one_type_are_taken():
    for labels in (["b", "a"], [2, 1], [2.5, 1], [True, False], np.array([[2], [1]]), pd.Series(["b", "a"]),
                   pd.Categorical(["b", "a"]), torch.tensor([2, 1]), np.array(["b", "a"], dtype=object)):  # fmt: skip
        found = label_array(labels)
        assert isinstance(found, np.ndarray)
        assert np.unique(found, return_inverse=True)[1].tolist() == [1, 0]


def test_a_query_is_aligned_by_the_names_of_its_columns(table):
    rng = np.random.default_rng(0)
    y = np.arange(9) % 3
    support = pd.DataFrame(rng.normal(size=(9, 4)) + y[:, None] * [3, -2, 1, 0.3], columns=list("abcd"))
    adapted = table.adapt(support, y)
    expected = adapted.answer(support)
    assert np.array_equal(adapted.answer(support[list("dbca")]), expected)
    assert np.array_equal(adapted.answer(support.to_numpy()), expected)  # no names: by position
    with pytest.raises(InputError) as caught:
        table.answer(support, y, support.rename(columns={"a": "z"}))
    assert "lacks columns of the support: a" in str(caught.value)
    assert "columns that the support has not: z" in str(caught.value)
    holes = support.astype("Float64")
    holes.iloc[0, 1] = pd.NA
    assert np.isfinite(table.answer(holes, y, holes)).all()


def test_the_command_aligns_tables_and_leaves_the_label_of_the_support_out(table, tmp_path, capsys):
    data = load_data("prior")
    train(make(ProtoNet, data.train.problem(3), {"width": 8}), data, SETTINGS, out=tmp_path / "run")
    rng, y = np.random.default_rng(0), np.arange(9) % 3
    frame = pd.DataFrame(rng.normal(size=(9, 4)) + y[:, None] * [3, -2, 1, 0.3], columns=list("abcd"))
    frame.assign(kind=np.array(["x", "y", "z"])[y]).to_csv(tmp_path / "s.csv", index=False)  # its last column
    frame.to_csv(tmp_path / "q.csv", index=False)
    frame.assign(kind="x")[["kind", *"dcba"]].to_csv(tmp_path / "other.csv", index=False)
    plain, other = (
        run(capsys, "predict", tmp_path / "run", tmp_path / "s.csv", tmp_path / f) for f in ("q.csv", "other.csv")
    )
    assert plain[0] == other[0] == 0
    assert plain[1] == other[1]
    frame.rename(columns={"a": "z"}).to_csv(tmp_path / "z.csv", index=False)
    code, printed, told = run(capsys, "predict", tmp_path / "run", tmp_path / "s.csv", tmp_path / "z.csv")
    assert (code, printed) == (2, "")
    assert "lacks columns of the support: a" in told


# ------------------------------------------------------------------------------------------------- images


def image_folder(root: Path, *, classes: int = 4, each: int = 5, side: int = 12, seed: int = 0) -> Path:
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(seed)
    for k, split in enumerate(("train", "val", "test")):
        for c in range(classes):
            folder = root / split / f"{split}{c}"
            folder.mkdir(parents=True)
            for i in range(each):
                pixels = np.full((side, side, 3), 20 * (4 * k + c)) + rng.integers(0, 20, (side, side, 3))
                image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i}.png")
        (root / split / ".ipynb_checkpoints").mkdir()
        (root / split / ".ipynb_checkpoints" / "0.png").write_bytes(b"no image")
        (root / split / "__MACOSX").mkdir()
        (root / split / f"{split}0" / "._0.png").write_bytes(b"no image")
    return root


def test_five_images_a_class_are_trained_on_and_hidden_folders_are_no_classes(tmp_path, capsys):
    root = image_folder(tmp_path / "im")
    given = ["--data", "images", "--path", root, "--way", 3, "--steps", 1, "--set", "width=4", "--backend", "loop"]
    code, _, told = run(capsys, "train", *given, "--out", tmp_path / "run")
    assert code == 0
    assert "4 queries of each class in training instead of 5" in told
    assert "4 queries of each class in validation" in told
    state = Checkpoint.load(tmp_path / "run")
    assert (state.settings["query"], state.settings["training"]["query"]) == (4, 4)
    assert load_data("images", str(root)).train.names == ("train0", "train1", "train2", "train3")
    assert json.loads(run(capsys, "eval", tmp_path / "run", "--episodes", 4, "--json")[1])["query"] == 4
    for name, value in (("--train-query", 5), ("--query", 5), ("--train-shot", 5)):
        code, _, told = run(capsys, "train", *given, name, value, "--out", tmp_path / "other")
        assert code == 2, name  # what was asked for does not give way
        assert "that support and query take" in told


def test_reptiles_ten_shots_give_way_and_what_was_asked_for_does_not(tmp_path):
    image_folder(tmp_path / "im")
    given = {"options": {"width": "4"}, "path": str(tmp_path / "im")}
    ready = prepare("reptile", "images", TrainingSettings(1, way=3), **given)
    assert (ready.training.shot, ready.training.query, ready.settings.query) == (4, 1, 4)
    with pytest.raises(InputError, match="fewer than the 11"):
        prepare("reptile", "images", TrainingSettings(1, way=3), train_shot=10, **given)


def test_photographs_are_read_for_an_answer_as_they_were_for_training(tmp_path, capsys):
    root = image_folder(tmp_path / "im", side=24)
    size = ["--data-option", "size=16", "--data-option", "grey=no"]
    given = ["--data", "images", "--path", root, *size, "--way", 3, "--steps", 1, "--set", "width=4"]
    assert run(capsys, "train", *given, "--backend", "loop", "--out", tmp_path / "run")[0] == 0
    code, printed, _ = run(capsys, "predict", tmp_path / "run", root / "test", root / "test" / "test1")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert [row["query"] for row in rows] == ["0.png", "1.png", "2.png", "3.png", "4.png"]
    code, _, told = run(capsys, "train", *given, "--data-option", "size=many", "--out", tmp_path / "no")
    assert code == 2
    assert "'many' is not a whole number" in told
    code, _, told = run(capsys, "train", "--data", "digits", "--data-option", "size=8", "--out", tmp_path / "no")
    assert code == 2
    assert "digits: size: no such option" in told


@pytest.mark.parametrize("grey", [True, False])
def test_images_of_every_kind_keep_what_they_show(grey, tmp_path):
    image = pytest.importorskip("PIL.Image")
    shown = np.linspace(0, 255, 256).reshape(16, 16)
    made = {
        "8.png": image.fromarray(shown.astype(np.uint8)),
        "16.png": image.fromarray((shown * 257).astype(np.uint16)),
        "16.tif": image.fromarray((shown * 257).astype(np.uint16)),
        "32.tif": image.fromarray((shown * 257).astype(np.int32)),
        "alpha.png": image.merge("LA", [image.new("L", (16, 16)), image.fromarray((255 - shown).astype(np.uint8))]),
    }
    for name, picture in made.items():
        picture.save(tmp_path / name)
        found = read_images([tmp_path / name], size=None, grey=grey)
        assert found.shape == (1, 1 if grey else 3, 16, 16)
        assert np.abs(found[0, 0] - shown).max() <= 1, name
    image.fromarray((shown * 16).astype(np.uint16)).save(tmp_path / "12.png")
    found = read_images([tmp_path / "12.png"], size=None, grey=grey, bits=12)
    assert np.abs(found[0, 0] - shown * 16 * 255 / 4095).max() <= 1
    with pytest.raises(InputError, match=r"from 0 to 65,535, and white is 4,095"):
        read_images([tmp_path / "16.png"], size=None, grey=grey, bits=12)
    image.fromarray(shown.astype(np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(InputError, match="floating-point"):
        read_images([tmp_path / "float.tif"], size=None, grey=grey)


def test_a_photograph_is_turned_as_its_camera_says(tmp_path):
    image = pytest.importorskip("PIL.Image")
    pixels = np.zeros((8, 12), np.uint8)
    pixels[:, :6] = 255
    exif = image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    found = read_images([tmp_path / "a.png"], size=None, grey=True)[0, 0]
    assert found.shape == (12, 8)
    assert found[0].min() == 255


def test_drawings_of_ink_on_paper_are_turned_to_what_was_learned(model):
    support_x, support_y, query_x, _ = new_digits()
    adapted = clone(model).fit(support_x, support_y)
    assert np.allclose(adapted.predict_proba(1 - query_x), adapted.predict_proba(query_x), atol=1e-6)
    assert np.array_equal(clone(model).fit(1 - support_x, support_y).predict(query_x), adapted.predict(query_x))
    images = np.stack([np.zeros((1, 4, 4)), np.ones((1, 4, 4))]).astype(np.float32)
    images[:, 0, 1:3, 1:3] = [[[0.5, 0.5], [0.5, 0.5]]]
    assert np.array_equal(bright_strokes(images)[0], images[0])
    assert bright_strokes(images)[1].max() == 0.5


def test_numbers_that_are_no_pixels_are_refused(model):
    support_x, support_y, _, _ = new_digits()
    with pytest.raises(InputError, match=r"images from 0 to 16\. Give bytes"):
        clone(model).fit(16 * support_x, support_y)
    bytes_ = np.round(255 * support_x).astype(np.uint8)
    close = clone(model).fit(bytes_, support_y).predict_proba(support_x)
    assert np.allclose(close, clone(model).fit(support_x, support_y).predict_proba(support_x), atol=0.01)
    with pytest.raises(InputError, match="Channels come first"):
        _photographs().adapt(np.zeros((4, 8, 8, 3)), [0, 0, 1, 1])


def _photographs() -> Trained:
    learner = make(ProtoNet, EpisodeSpec("classification", (3, 8, 8), 2), {"width": 4})
    return Trained(learner, learner.initialise(torch.Generator().manual_seed(0)), pixels=True)


# ------------------------------------------------------------------------------------------------- long trainings


def test_it_is_said_how_long_a_training_takes(digits, monkeypatch):
    import autometa.fewshot.trainer as module

    now = [0.0]

    def clock() -> float:
        now[0] += 10.0
        return now[0]

    monkeypatch.setattr(module.time, "monotonic", clock)
    said: list[str] = []
    learner = make(ProtoNet, digits.train.problem(3), {"width": 4})
    train(learner, digits, replace(SETTINGS, steps=1000), until=5, say=said.append)
    assert len(said) == 1
    assert "for 997 more steps" in said[0]
    assert " h " in said[0]
    said.clear()
    train(learner, digits, replace(SETTINGS, steps=1000, seconds=500.0), until=4, say=said.append)
    assert "stops after 8 min" in said[0]


def test_a_training_stopped_before_its_first_validation_leaves_what_it_learned(digits, tmp_path, monkeypatch):
    import autometa.fewshot.trainer as module

    learner = make(ProtoNet, digits.train.problem(3), {"width": 4})
    settings = replace(SETTINGS, steps=6, look_every=6)
    whole = train(learner, digits, settings)
    draw, drawn = module._MetaTraining.draw, []

    def stopped(self):
        drawn.append(1)
        if len(drawn) == 4:
            draw(self)
            raise KeyboardInterrupt  # after the generator has moved on
        return draw(self)

    monkeypatch.setattr(module._MetaTraining, "draw", stopped)
    with pytest.raises(KeyboardInterrupt):
        train(learner, digits, settings, out=tmp_path)
    state = Checkpoint.load(tmp_path)
    assert state.step == 3
    assert all(torch.equal(w, state.weights[key]) for key, w in state.best.items())  # not those it began with
    resumed = train(learner, digits, settings, out=tmp_path, resume=True)
    assert all(torch.equal(w, resumed.weights[key]) for key, w in whole.weights.items())
    assert resumed.random == whole.random


def test_a_training_killed_after_its_first_step_has_a_checkpoint(digits, tmp_path, monkeypatch):
    import autometa.fewshot.trainer as module

    learner = make(ProtoNet, digits.train.problem(3), {"width": 4})
    monkeypatch.setattr(module._MetaTraining, "interrupted", lambda self: None)  # as after a kill: nothing more is done
    step = module._MetaTraining.step

    def killed(self):
        if self.state.step == 1:
            raise KeyboardInterrupt
        step(self)

    monkeypatch.setattr(module._MetaTraining, "step", killed)
    with pytest.raises(KeyboardInterrupt):
        train(learner, digits, replace(SETTINGS, steps=100, look_every=100), out=tmp_path)
    assert Checkpoint.load(tmp_path).step == 1


def test_a_validation_that_was_cut_off_is_made_when_the_training_goes_on(digits, tmp_path, monkeypatch):
    import autometa.fewshot.trainer as module

    learner = make(ProtoNet, digits.train.problem(3), {"width": 4})
    settings = replace(SETTINGS, steps=4)
    whole = train(learner, digits, settings, out=tmp_path / "whole")

    def cut(*args, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, "evaluate", cut)
        with pytest.raises(KeyboardInterrupt):
            train(learner, digits, settings, out=tmp_path / "cut")
    resumed = train(learner, digits, settings, out=tmp_path / "cut", resume=True)
    assert resumed.progress["best_step"] == whole.progress["best_step"]
    curves = [(tmp_path / name / "curve.jsonl").read_text().splitlines() for name in ("whole", "cut")]
    assert (
        [json.loads(line)["step"] for line in curves[0]] == [json.loads(line)["step"] for line in curves[1]] == [2, 4]
    )


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"shot": 2}, "shot was 1, is 2"),
        ({"seed": 1}, "seed was 0, is 1"),
        ({"query": 3}, "query was 2, is 3"),
    ],
)
def test_a_training_does_not_go_on_with_other_episodes(changed, told, digits, tmp_path):
    learner = make(ProtoNet, digits.train.problem(3), {"width": 4})
    train(learner, digits, SETTINGS, out=tmp_path)
    with pytest.raises(RunError, match=told):
        train(learner, digits, replace(SETTINGS, steps=4, **changed), out=tmp_path, resume=True)
    assert train(learner, digits, replace(SETTINGS, steps=4, look_every=4), out=tmp_path, resume=True).step == 4


def test_a_training_does_not_go_on_with_other_data(tmp_path):
    root = image_folder(tmp_path / "im")
    learner = make(ProtoNet, EpisodeSpec("classification", (3, 12, 12), 3, 4), {"width": 4})
    origin = {"name": "images", "path": str(root), "options": {}, "sampler": None}
    settings = replace(SETTINGS, steps=4)
    train(learner, load_data("images", str(root)), settings, out=tmp_path / "run", origin=origin, until=2)
    moved = image_folder(tmp_path / "moved")  # the same images elsewhere
    again = {**origin, "path": str(moved)}
    train(learner, load_data("images", str(moved)), settings, out=tmp_path / "run", origin=again, resume=True, until=3)
    other = load_data("images", str(image_folder(tmp_path / "other", seed=1)))
    with pytest.raises(RunError, match="the examples of images are others than before"):
        train(learner, other, settings, out=tmp_path / "run", origin=origin, resume=True)
    with pytest.raises(RunError, match="sampler were None, are curriculum"):
        train(
            learner, load_data("images", str(root)), settings, out=tmp_path / "run",
            origin=origin | {"sampler": "curriculum"}, resume=True,
        )  # fmt: skip
    own = replace(learner.training, way=3, query=2)
    with pytest.raises(RunError, match="query of training was 4, is 2"):
        train(learner, load_data("images", str(root)), settings, out=tmp_path / "run", resume=True, training=own)


# ------------------------------------------------------------------------------------------------- within a domain


def alphabets(sizes=(6, 8, 9), each: int = 20) -> Data:
    """Domains with so many classes each; every split is the same."""
    x = torch.randint(0, 256, (sum(sizes) * each, 1, 8, 8), generator=torch.Generator().manual_seed(0)).byte()
    rows = tuple(np.arange(k * each, (k + 1) * each) for k in range(sum(sizes)))
    domains = tuple(f"A{a}" for a, n in enumerate(sizes) for _ in range(n))
    source = Classes(x, rows, tuple(f"c{k}" for k in range(sum(sizes))), domains)
    return Data("alphabets", source, source, source, within_domain=True)


def test_the_ways_of_training_give_way_to_what_every_domain_offers(tmp_path):
    data, said = alphabets(), []
    learner = make(ProtoNet, data.train.problem(5), {"width": 4})
    assert learner.training.way == 23  # of all domains together
    state = train(learner, data, replace(SETTINGS, way=5), out=tmp_path, say=said.append)
    assert state.settings["training"]["way"] == 6
    assert said == ["6 ways in training instead of 23: no more classes are in every domain"]
    wide = make(ProtoNet, data.train.problem(7), {"width": 4})
    assert (
        train(wide, data, replace(SETTINGS, way=7)).settings["training"]["way"] == 8
    )  # A0 is too small to be judged by
    with pytest.raises(InputError, match="10 ways asked, and the largest of 3 domains has 9 classes"):
        train(learner, data, replace(SETTINGS, way=5), training=replace(learner.training, way=10))


# ------------------------------------------------------------------------------------------------- scikit-learn


def test_what_was_meta_learned_comes_along_into_clones_folds_and_files(model, tmp_path, capsys):
    support_x, support_y, query_x, query_y = new_digits()
    expected = clone(model).fit(support_x, support_y).predict_proba(query_x)
    assert not hasattr(clone(model), "classes_")
    assert np.array_equal(clone(clone(model)).fit(support_x, support_y).predict_proba(query_x), expected)
    assert cross_val_score(model, query_x, query_y, cv=3, error_score="raise").mean() > 0.5
    model.save(tmp_path / "kept")
    for again in (FewShotClassifier.load(tmp_path / "kept"), FewShotClassifier(checkpoint=tmp_path / "kept")):
        assert np.allclose(again.fit(support_x, support_y).predict_proba(query_x), expected, atol=1e-6)
        assert np.allclose(clone(again).fit(support_x, support_y).predict_proba(query_x), expected, atol=1e-6)
    assert run(capsys, "eval", tmp_path / "kept", "--episodes", 2, "--way", 3)[0] == 0
    with pytest.raises(InputError, match="meta_fit trained protonet, and learner is maml now"):
        clone(model).set_params(learner="maml").fit(support_x, support_y)
    with pytest.raises(InputError, match="meta_fit has not been called"):
        FewShotClassifier("protonet").save(tmp_path / "nothing")
    with pytest.raises(InputError, match="stps: is no setting"):
        FewShotClassifier("protonet").meta_fit("digits", steps=1, stps=2)


def test_a_checkpoint_that_is_changed_is_read_again(model, tmp_path):
    support_x, support_y, query_x, _ = new_digits()
    model.save(tmp_path / "a")
    other = FewShotClassifier("protonet", options={"width": 4}).meta_fit(
        "digits", steps=1, look_episodes=2, query=2, training={"way": 3}
    )
    other.save(tmp_path / "b")
    one = FewShotClassifier(checkpoint=tmp_path / "a").fit(support_x, support_y)
    first = one.predict_proba(query_x)
    second = one.set_params(checkpoint=tmp_path / "b").fit(support_x, support_y).predict_proba(query_x)
    assert not np.allclose(first, second)


def test_the_support_is_embedded_once(model, monkeypatch):
    support_x, support_y, query_x, _ = new_digits()
    calls: list[int] = []
    adapt = ProtoNet.adapt
    monkeypatch.setattr(ProtoNet, "adapt", lambda *given: calls.append(1) or adapt(*given))
    fitted = clone(model).fit(support_x, support_y)
    whole = fitted.predict_proba(query_x)
    single = np.concatenate([fitted.predict_proba(query_x[i : i + 1]) for i in range(len(query_x))])
    fitted.explain(query_x[:2])
    assert calls == [1]
    assert np.allclose(whole, single, atol=1e-5)


def test_own_arrays_and_data_sets_are_meta_trained_on():
    X, y = load_digits(return_X_y=True)
    images = np.round(X * 255 / 16).astype(np.uint8).reshape(-1, 8, 8)
    quick = {"steps": 2, "way": 3, "look_every": 2, "look_episodes": 2, "query": 3, "backend": "loop"}
    names = np.array([f"digit {k}" for k in range(10)])[y]

    class Pairs(torch.utils.data.Dataset):
        def __len__(self):
            return 300

        def __getitem__(self, i):
            return torch.from_numpy(images[i][None]).float() / 255, int(y[i])

    new = FewShotClassifier("protonet", options={"width": 8})
    for data in ((X / 16, names), (images, y), (pd.DataFrame(X / 16), pd.Series(names)), Pairs()):
        fitted = clone(new).meta_fit(data, **quick)
        shape = fitted.meta_.problem.shape
        support = (X[:30] / 16).reshape(-1, *shape)
        assert fitted.fit(support, y[:30]).predict(support).shape == (30,)
    with pytest.raises(InputError, match="handed over in Python"):
        judge_checkpoint(fitted.meta_, episodes=2)


def test_classes_of_ones_own_are_shared_out_so_that_each_part_has_enough():
    y = np.arange(14).repeat(10)
    x = np.random.default_rng(0).normal(size=(140, 6))
    parts = {way: [set(p.names) for p in from_arrays(x, y, way=way)[1:4]] for way in (2, 4, 5, 6)}
    assert [list(map(len, found)) for found in parts.values()] == [[8, 3, 3], [6, 4, 4], [9, 9, 5], [8, 8, 6]]
    for way, (trained, validated, tested) in parts.items():
        assert not trained & tested
        assert (not trained & validated) if way < 5 else trained == validated  # other examples of the same
    with pytest.raises(InputError, match="14 classes, and episodes of 8 need 16"):
        from_arrays(x, y, way=8)
    split = np.array(["train", "val", "test"])[np.minimum(y // 5, 2)]
    assert [len(p.names) for p in from_arrays(x, y, split=split)[1:4]] == [5, 5, 4]
    split[0] = "test"
    with pytest.raises(InputError, match="1 of 14 classes are in more than one part: 0"):
        from_arrays(x, y, split=split)
    domain = np.array(["a", "b"])[y % 2]
    assert from_arrays(x, y, domain=domain, way=3).within_domain
    with pytest.raises(InputError) as caught:
        from_arrays(np.where(x > 2, np.nan, x), [*y[:-1], None])
    for part in ("NaN or infinity", "1 label is missing"):
        assert part in str(caught.value)
    with pytest.raises(InputError, match="examples of 2 shapes"):
        from_dataset([(np.zeros(3), 0), (np.zeros(4), 1)])


# ------------------------------------------------------------------------------------------------- own learners


@dataclass(frozen=True, slots=True)
class Mine(ProtoNet):
    """A learner of one's own."""


def test_a_learner_of_ones_own_is_loaded_again(digits, tmp_path):
    train(make(Mine, digits.train.problem(3), {"width": 4}), digits, SETTINGS, out=tmp_path)
    assert type(Trained.load(tmp_path).learner) is Mine
    assert Checkpoint.load(tmp_path).learner == f"{__name__}:Mine"
    assert Mine not in LEARNERS.values()


def test_in_another_process_it_is_loaded_once_its_module_is_named(tmp_path, capsys, monkeypatch):
    source = (
        "from dataclasses import dataclass\nfrom autometa.fewshot.learners.protonet import ProtoNet\n"
        "@dataclass(frozen=True, slots=True)\nclass Theirs(ProtoNet):\n    '''One.'''\n"
    )
    (tmp_path / "somebodys_learner.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    name = "somebodys_learner:Theirs"
    given = ["--data", "digits", "--way", 3, "--steps", 1, "--set", "width=4", "--backend", "loop"]
    code, _, _ = run(capsys, "train", "--learner", name, *given, "--out", tmp_path / "run")
    assert code == 0
    assert run(capsys, "eval", tmp_path / "run", "--episodes", 2)[0] == 0
    monkeypatch.delitem(sys.modules, "somebodys_learner")  # as in another process
    monkeypatch.delitem(OWN, name)
    code, _, told = run(capsys, "eval", tmp_path / "run", "--episodes", 2)
    assert code == 3
    assert f"Import somebodys_learner before, or name it: --learner {name}" in told
    assert "somebodys_learner" not in sys.modules  # a file has nothing imported
    assert run(capsys, "eval", tmp_path / "run", "--episodes", 2, "--learner", name)[0] == 0
    code, _, told = run(capsys, "train", "--learner", "somebodys_learner:None_", *given, "--out", tmp_path / "no")
    assert code == 2
    assert "cannot be imported" in told
    with pytest.raises(InputError, match="lacks initialise"):
        find_learner("collections:Counter")


@dataclass(frozen=True, slots=True)
class Spare(Maml):
    """MAML with a weight that the inner loss does not know, and the outer does."""

    def initialise(self, generator):
        return {**Maml.initialise(self, generator), "spare": torch.ones(())}

    def predict(self, weights, adapted, query):
        merged = {**weights, **adapted}
        return Maml.predict(self, weights, adapted, query) * merged["spare"]


def test_a_weight_that_is_not_in_the_inner_loss_is_the_same_for_every_back_end(digits):
    learner = make(Spare, digits.train.problem(3), {"width": 4, "steps": 2})
    weights = {k: w.double() for k, w in learner.initialise(torch.Generator().manual_seed(0)).items()}
    rng = np.random.default_rng(0)
    episode = digits.train.episode(rng, digits.train.propose(rng, 3, 3), 1, 2).to(dtype=torch.float64)
    one, other = (meta_gradient(learner, weights, episode, backend) for backend in ("loop", "vmap"))
    assert one[1]["spare"].abs() > 0
    assert all(torch.allclose(g, other[1][k], atol=1e-10) for k, g in one[1].items())


# ------------------------------------------------------------------------------------------------- none of these


def test_strangers_are_told_from_members(model):
    support_x, support_y, query_x, _ = new_digits(shots=8, digits=(0, 1, 2, 4))
    strangers = new_digits(shots=8, digits=(7, 8))[2]
    fitted = clone(model).set_params(none_label="no digit I know").fit(support_x, support_y)
    member, stranger = fitted.predict_none(query_x), fitted.predict_none(strangers)
    assert ((member[:, None] < stranger).mean() + (member[:, None] == stranger).mean() / 2) > 0.75
    assert set(fitted.predict(np.concatenate([query_x, strangers])).tolist()) <= {0, 1, 2, 4, "no digit I know"}
    assert "no digit I know" in fitted.predict(strangers).tolist()
    assert np.allclose(fitted.predict_proba(query_x).sum(1), 1)
    assert clone(model).set_params(none_label=-1).fit(support_x, support_y).predict(strangers).dtype.kind == "i"
    with pytest.raises(InputError, match="a class has one example only"):
        clone(model).fit(*new_digits(shots=1)[:2]).predict_none(query_x)


def test_the_command_answers_none_of_these(model, tmp_path, capsys):
    support_x, support_y, query_x, _ = new_digits(shots=5)
    model.save(tmp_path / "run")
    np.savez(tmp_path / "s.npz", x=support_x, y=support_y)
    np.savez(tmp_path / "q.npz", x=np.concatenate([query_x[:3], np.full((1, 64), 0.5)]))
    given = ["predict", tmp_path / "run", tmp_path / "s.npz", tmp_path / "q.npz", "--none", "nothing"]
    code, printed, _ = run(capsys, *given)
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert code == 0
    assert all((float(row["proba_none"]) > 0.5) == (row["prediction"] == "nothing") for row in rows)
    assert rows[-1]["prediction"] == "nothing"
    assert FILE in [path.name for path in (tmp_path / "run").iterdir()]


# ------------------------------------------------------------------------------------------------- encoders, vectors


@pytest.mark.parametrize("tuned", [False, True])
def test_an_encoder_of_ones_own_is_below_the_learner_and_never_changed(tuned):
    X, y = load_digits(return_X_y=True)
    X = X.reshape(-1, 1, 8, 8).astype(np.float32) / 16
    torch.manual_seed(0)
    encoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 32), torch.nn.ReLU())
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    old, new = np.flatnonzero(y < 7), np.flatnonzero(y >= 7)
    model = FewShotClassifier("protonet", encoder=encoder, tune_encoder=tuned).meta_fit(
        (X[old], y[old]), steps=20, way=3
    )
    support = np.concatenate([new[y[new] == digit][:5] for digit in (7, 8, 9)])
    query = np.setdiff1d(new, support)
    assert model.fit(X[support], y[support]).score(X[query], y[query]) > 0.45  # chance is a third
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_vectors_are_read_from_every_file_that_holds_them(tmp_path, capsys):
    rng = np.random.default_rng(0)
    labels = np.repeat([f"class {k}" for k in range(8)], 12)
    vectors = rng.normal(size=(96, 6)) + 4 * rng.normal(size=(8, 6)).repeat(12, axis=0)
    columns = pd.DataFrame(vectors, columns=[f"emb_{i}" for i in range(6)]).assign(label=labels)
    np.savez(tmp_path / "a.npz", x=vectors, y=labels)
    pd.DataFrame({"embedding": list(vectors), "label": labels}).to_parquet(tmp_path / "b.parquet")
    columns.to_csv(tmp_path / "c.csv", index=False)
    for name in ("a.npz", "b.parquet", "c.csv"):
        given = [
            "train",
            "--learner",
            "protonet",
            "--data",
            "vectors",
            "--path",
            str(tmp_path / name),
            "--way",
            "2",
            "--steps",
            "2",
        ]
        code, _, said = run(capsys, *given, "--out", str(tmp_path / f"run-{name}"))
        assert code == 0, said
    columns.assign(emb_3=np.nan).to_csv(tmp_path / "d.csv", index=False)
    given = [
        "train",
        "--learner",
        "protonet",
        "--data",
        "vectors",
        "--path",
        str(tmp_path / "d.csv"),
        "--way",
        "2",
        "--steps",
        "2",
    ]
    code, _, said = run(capsys, *given, "--out", str(tmp_path / "run-d"))
    assert code == 2, said
    assert not (tmp_path / "run-d").exists()
