"""Learners that come trained: found by name wherever a checkpoint is named, and no worse than is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from autometa import FewShotClassifier
from autometa.adapting import keep
from autometa.cli import main
from autometa.errors import InputError, RunError
from autometa.fewshot import PRETRAINED, Checkpoint, catalogue, judge_checkpoint
from autometa.fewshot.learned import any_encoder
from autometa.fewshot.pretrained import located

NAME = "protonet-omniglot"
SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def strokes(down: bool, seed: int) -> np.ndarray:
    """A drawing of one stroke, down or across, somewhere."""
    drawing, at = np.zeros((28, 28), np.uint8), int(np.random.default_rng(seed).integers(8, 18))
    if down:
        drawing[4:24, at : at + 2] = 255
    else:
        drawing[at : at + 2, 4:24] = 255
    return drawing


@pytest.fixture
def letters(tmp_path) -> Path:
    """Ink on paper: eight images of each of two letters, of other sizes than the learner's."""
    image = pytest.importorskip("PIL.Image")
    for down in (True, False):
        folder = tmp_path / "letters" / ("down" if down else "across")
        folder.mkdir(parents=True)
        for k in range(8):
            image.fromarray(255 - strokes(down, k)).resize((70, 70)).save(folder / f"{k}.png")
    return tmp_path / "letters"


@pytest.mark.parametrize("one", PRETRAINED.values(), ids=lambda one: one.name)
def test_a_file_holds_what_is_said_weights_alone_and_no_path(one):
    assert one.file.stat().st_size < 500_000
    state = Checkpoint.load(one.file)
    assert state.learner == one.learner
    assert state.data["path"] is None
    assert not state.weights
    assert not state.optimiser
    assert one.name in {said["name"] for said in catalogue()["pretrained"]}


def test_it_answers_by_name_in_python_and_by_the_commands(letters, capsys):
    model = FewShotClassifier.pretrained(NAME)
    support, query = [np.stack([strokes(down, k) for down in (True, False)]) for k in (1, 2)]
    assert model.fit(support, ["down", "across"]).predict(query).tolist() == ["down", "across"]
    assert (FewShotClassifier(checkpoint=NAME).fit(support, [0, 1]).predict(255 - query) == [0, 1]).all()
    assert main(["fewshot", "predict", NAME, str(letters), str(letters), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    right = [Path(name).parent.name == answer for name, answer in zip(told["names"], told["predictions"], strict=True)]
    assert np.mean(right) == 1
    assert main(["fewshot", "list"]) == 0
    assert NAME in capsys.readouterr().out


def test_it_is_adapted_and_encodes_by_name(letters, tmp_path, capsys):
    told = ["--trials", "1", "--families", "knn", "--folds", "2", "--cold", "--no-remember"]
    assert main(["fit", str(letters), "--fewshot", NAME, *told, "--run", str(tmp_path / "run")]) == 0
    assert "Adapted protonet" in capsys.readouterr().out
    assert keep(f"pretrained:{NAME}") == keep(NAME)
    assert any_encoder(f"fewshot:{NAME}", "images").encode([next(letters.rglob("*.png"))]).shape == (1, 64)


def test_what_is_of_ones_own_comes_before_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / NAME).mkdir()
    assert located(NAME) == Path(NAME)
    assert located(f"pretrained:{NAME}") == PRETRAINED[NAME].file
    with pytest.raises(RunError, match="no checkpoint there"):
        FewShotClassifier(checkpoint=NAME).fit(np.zeros((2, 28, 28)), [0, 1])


def test_other_names_are_refused_with_those_there_are(tmp_path, capsys):
    with pytest.raises(InputError, match=rf"is not known. Did you mean '{NAME}'\? Known: {NAME}"):
        FewShotClassifier.pretrained("protonet-omniglott")
    with pytest.raises(RunError, match=rf"no checkpoint there\. .* {NAME} comes with AutoMeta"):
        Checkpoint.load(Path("protonet-omniglott"))
    for asked in (["fewshot", "eval", "pretrained:maml"], ["fit", str(tmp_path), "--fewshot", "pretrained:maml"]):
        assert main(asked) == 2
        assert f"pretrained 'maml': is not known. Known: {NAME}." in capsys.readouterr().err
    assert main(["fewshot", "eval", NAME, "--episodes", "2"]) == 2
    assert "omniglot" in capsys.readouterr().err  # whose data are not here


@pytest.mark.shared("fewshot/omniglot28.npz")
def test_it_tells_characters_that_it_never_saw():
    state = Checkpoint.load(located(NAME))
    found = judge_checkpoint(state, episodes=40, path=str(SHARED / "fewshot" / "omniglot28.npz"))
    assert found["mean"] > 0.96
