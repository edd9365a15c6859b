"""``autometa fit FOLDER``: images and texts are encoded once, families learn from them, and `predict` does alike."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autometa.cli import main
from autometa.errors import InputError
from autometa.fewshot.embedded import Record, first, later
from autometa.search import load_model, open_run
from autometa.task.vectors import may_have_images

Image = pytest.importorskip("PIL.Image")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """The user's cache, for these tests alone."""
    patch = pytest.MonkeyPatch()
    place = tmp_path_factory.mktemp("cache")
    patch.setenv("XDG_CACHE_HOME", str(place))
    yield place
    patch.undo()


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """Fifteen images each of stripes across and down, on any background."""
    root, rng = tmp_path_factory.mktemp("photos"), np.random.default_rng(0)
    for kind in ("across", "down"):
        (root / kind).mkdir()
        for k in range(15):
            pixels = rng.integers(0, 60, (32, 32, 3)) + rng.integers(0, 120)
            view = pixels if kind == "across" else pixels.transpose(1, 0, 2)
            view[rng.integers(0, 4) :: 6] += 90
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / kind / f"{k}.png")
    return root


def profile(batch):
    """How light rows and columns are: forty numbers of an image, so that the search on them is quick."""
    return np.concatenate([batch.mean((1, 2)), batch.mean((1, 3))], axis=1)[:, ::3]


@pytest.fixture(scope="module")
def run(photos, tmp_path_factory) -> Path:
    """A search on the folder, by the command and an encoder of one's own."""
    place = tmp_path_factory.mktemp("runs")
    sys.modules["profiles"] = types.ModuleType("profiles")
    sys.modules["profiles"].profile = lambda batch: profile(batch.numpy())
    told = ["--trials", "1", "--families", "few_shot", "--folds", "2", "--cold", "--no-remember"]
    told += ["--encoder", "profiles:profile", "--encoder-option", "size=60"]
    assert main(["fit", str(photos), *told, "--run", str(place / "run")]) == 0
    return place / "run"


def test_a_folder_of_images_is_fitted_and_predicts_folders_and_tables(run, photos, tmp_path, capsys):
    result = open_run(run)
    assert result.task.target == "label"
    assert "30 images encoded by profiles:profile." in result.task.notes
    assert result.score > 0.9  # the area under the curve
    out = tmp_path / "out.csv"
    assert main(["predict", str(run), str(photos), "--id", "file", "--out", str(out)]) == 0
    answers = pd.read_csv(out)
    assert (answers["prediction"] == [Path(file).parent.name for file in answers["file"]]).mean() > 0.9
    assert main(["score", str(run), str(photos), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 30
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "one.png").write_bytes((photos / "down" / "3.png").read_bytes())
    assert main(["predict", str(run), str(tmp_path / "new")]) == 0
    assert "down" in capsys.readouterr().out


def test_a_table_of_paths_is_read_where_they_are_files_and_its_other_columns_stay(photos, tmp_path):
    rows = [(f"{kind}/{k}.png", k % 3, kind) for kind in ("across", "down") for k in range(6)]
    frame = pd.DataFrame(rows, columns=["picture", "lens", "kind"])
    frame.to_csv(photos / "list.csv", index=False)
    found = first(photos / "list.csv", None)
    assert (
        "the simple encoder that is built in (gradients and colours). --encoder names a trained one." in found.notes[0]
    )
    assert list(found.frame) == ["lens", "kind", "emb"]
    assert found.record.column == "picture"
    again = later(found.record.text, photos / "list.csv")
    np.testing.assert_array_equal(np.stack(again["emb"]), np.stack(found.frame["emb"]))
    frame.to_csv(tmp_path / "elsewhere.csv", index=False)  # names of what is not here are words
    assert may_have_images(tmp_path / "elsewhere.csv")
    assert first(tmp_path / "elsewhere.csv", None) is None
    assert not may_have_images(photos)  # a folder with a table in it is one of tables
    (photos / "list.csv").unlink()
    assert may_have_images(photos)


def test_texts_are_encoded_when_an_encoder_is_asked_for_and_not_by_another_later(tmp_path, monkeypatch):
    made = types.ModuleType("words")
    made.count = lambda texts: np.array([[len(t), t.count("a"), t.count("e")] for t in texts], dtype=float)
    made.__file__ = str(tmp_path / "words.py")
    Path(made.__file__).write_text("one")
    monkeypatch.setitem(sys.modules, "words", made)
    pd.DataFrame({"note": ["a banana is here", "where are they"] * 4, "y": [1, 0] * 4}).to_csv(tmp_path / "n.csv")
    assert first(tmp_path / "n.csv", None) is None
    found = first(tmp_path / "n.csv", "words:count")
    assert found.record.takes == "texts"
    assert found.frame["emb"][0].tolist() == [16, 4, 2]
    assert later(found.record.text, pd.DataFrame({"note": ["aa"]}))["emb"][0].tolist() == [2, 2, 0]
    Path(made.__file__).write_text("two")
    with pytest.raises(InputError, match="is another than the model was fitted with"):
        later(found.record.text, pd.DataFrame({"note": ["aa"]}))
    with pytest.raises(InputError, match="no column 'note'"):
        later(found.record.text, pd.DataFrame({"notes": ["aa"]}))


def test_a_program_that_was_changed_does_not_run(tmp_path):
    (tmp_path / "e.pt").write_bytes(b"changed")
    record = Record(str(tmp_path / "e.pt"), "images", "of another content", "picture")
    (tmp_path / "x.png").write_bytes(b"")
    with pytest.raises(InputError, match="is another than the model was fitted with"):
        later(record.text, pd.DataFrame({"picture": [str(tmp_path / "x.png")]}))


def test_the_model_alone_knows_its_encoder_and_tables_without_it_are_told(run, tmp_path, capsys):
    assert Record.of(load_model(run).schema.encoder).encoder == "profiles:profile"
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    assert main(["predict", str(run), str(tmp_path / "t.csv")]) == 2
    assert "a folder of images is needed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--encoder", "resnet"], "is not known"),
        (["--encoder-option", "size=big", "--encoder-option", "sise=3"], "Did you mean 'size'"),
        (["--encoder-option", "size"], "is not NAME=VALUE"),
        (["--encoder", "none.onnx"], "does not exist"),
    ],
)
def test_what_is_wrong_with_an_encoder_is_one_message_and_no_run_is_made(options, told, photos, tmp_path, capsys):
    assert main(["fit", str(photos), *options, "--trials", "1", "--run", str(tmp_path / "run")]) == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()


def test_images_without_classes_and_encoders_without_images_are_told(photos, tmp_path, capsys):
    assert main(["fit", str(photos / "down"), "--trials", "1", "--run", str(tmp_path / "run")]) == 2
    assert "images without classes" in capsys.readouterr().err
    (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n3,4\n" * 10)
    assert main(["fit", str(tmp_path / "t.csv"), "--encoder", "builtin", "--trials", "1"]) == 2
    assert "no column of paths of images or of texts" in capsys.readouterr().err
