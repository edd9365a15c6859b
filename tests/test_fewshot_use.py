"""Training, checkpoints, the command line and the classifier: what a person relies on."""

from __future__ import annotations

import csv
import io
import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from autometa.cli import main
from autometa.errors import InputError, RunError
from autometa.fewshot import (
    LEARNERS,
    Checkpoint,
    FewShotClassifier,
    Trained,
    TrainingSettings,
    evaluate,
    load_data,
    make,
    train,
)
from autometa.fewshot.accelerate import precision
from autometa.fewshot.checkpoint import FILE
from autometa.fewshot.data.classes import Classes
from autometa.fewshot.episode import EpisodeSpec
from autometa.fewshot.inputs import read_examples
from autometa.fewshot.networks import RUNNING
from autometa.fewshot.optimiser import Optimiser
from autometa.fewshot.samplers import Curriculum
from autometa.fewshot.trainer import CURVE
from autometa.fewshot.varied import evaluate_varied, sizes, summary, varied_episode

TINY = {"width": 4, "hidden": 4, "rows": 8, "row_width": 3, "heads": 2, "steps": 1, "test_steps": 1}
SETTINGS = TrainingSettings(4, way=3, shot=1, query=2, look_every=2, look_episodes=4, backend="vmap")
QUICK = {"tasks": 2, "way": None, "shot": None, "query": 1}


@pytest.fixture(scope="module")
def digits():
    return load_data("digits")


def tiny(name: str, problem: EpisodeSpec):
    known = LEARNERS[name].__dataclass_fields__
    return make(LEARNERS[name], problem, {k: v for k, v in TINY.items() if k in known})


@pytest.fixture(scope="module")
def folder(digits, tmp_path_factory) -> Path:
    """A prototypical network that has learned something."""
    out = tmp_path_factory.mktemp("runs") / "protonet"
    learner = make(LEARNERS["protonet"], digits.train.problem(5), {"width": 16})
    settings = TrainingSettings(60, look_every=30, look_episodes=20, backend="loop")
    origin = {"name": "digits", "path": None, "options": {}}
    train(learner, digits, settings, out=out, training=replace(learner.training, way=10), origin=origin)
    return out


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(w, b[name]) for name, w in a.items())


# ------------------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("name", LEARNERS)
def test_two_n_steps_equal_n_and_a_resumed_n(name, digits, tmp_path):
    learner = tiny(name, digits.train.problem(3))
    training = replace(learner.training, **QUICK)
    whole = train(learner, digits, SETTINGS, training=training, sampler=Curriculum())
    begun = learner.initialise(torch.Generator().manual_seed(0))
    assert any(not torch.equal(whole.weights[key], w) for key, w in begun.items())
    for stop in (1, 3):  # between two validation steps
        out = tmp_path / f"stopped{stop}"
        train(learner, digits, SETTINGS, training=training, sampler=Curriculum(), out=out, until=stop)
        resumed = train(learner, digits, SETTINGS, training=training, sampler=Curriculum(), out=out, resume=True)
        for group in ("weights", "best", "optimiser"):
            assert equal(getattr(resumed, group), getattr(whole, group)), group
        assert resumed.random == whole.random
        validated = [json.loads(line) for line in (out / CURVE).read_text(encoding="utf-8").splitlines()]
        assert [line["step"] for line in validated] == [2, 4]
        assert all(line["chose"] and np.isfinite(line["loss"]) for line in validated)


@pytest.mark.parametrize(("fewer", "shots"), [(True, {1, 2, 3}), (False, {3})])
def test_a_training_may_draw_fewer_shots_than_are_asked_for(fewer, shots, digits, monkeypatch):
    drawn, judged = set(), set()
    episode = type(digits.train).episode

    def watched(source, rng, choices, shot, query):
        (drawn if source.rows[0] is digits.train.rows[0] else judged).add(shot)
        return episode(source, rng, choices, shot, query)

    monkeypatch.setattr(type(digits.train), "episode", watched)
    learner = tiny("protonet", digits.train.problem(3))
    training = replace(learner.training, **QUICK, fewer_shots=fewer)
    train(learner, digits, replace(SETTINGS, steps=12, shot=3), training=training)
    assert drawn == shots
    assert judged == {3}


def test_training_stops_when_validation_no_longer_improves_and_keeps_the_best(digits):
    learner = tiny("protonet", digits.train.problem(3))
    settings = replace(SETTINGS, steps=50, look_every=1, patience=3)
    training = replace(learner.training, **QUICK, rate=3.0, schedule="constant")  # such steps soon do harm
    state = train(learner, digits, settings, training=training)
    assert state.progress["stopped"]
    assert state.step == state.progress["best_step"] + 3 < 50
    scored = [
        evaluate(learner, w, digits.validation, episodes=4, way=3, shot=1, query=2, seed=1, together=2).mean
        for w in (state.best, state.weights)
    ]
    assert scored[0] == pytest.approx(state.progress["best"])
    assert scored[0] >= scored[1]


def test_a_training_is_not_overwritten_nor_resumed_by_another_learner(folder, digits):
    problem = digits.train.problem(5)
    with pytest.raises(RunError, match="--resume"):
        train(make(LEARNERS["protonet"], problem), digits, SETTINGS, out=folder)
    with pytest.raises(RunError, match="checkpoint of protonet, not of matching"):
        train(make(LEARNERS["matching"], problem), digits, replace(SETTINGS, way=5), out=folder, resume=True)
    other = make(LEARNERS["protonet"], problem, {"width": 8})
    with pytest.raises(RunError, match="width was 16, is 8"):
        train(other, digits, replace(SETTINGS, way=5), out=folder, resume=True)
    with pytest.raises(RunError, match="no checkpoint there"):
        train(make(LEARNERS["protonet"], problem), digits, SETTINGS, out=folder / "none", resume=True)


def test_too_few_examples_for_the_shots_are_refused_before_training(digits):
    learner = tiny("maml", digits.train.problem(30))
    with pytest.raises(InputError) as caught:
        train(learner, digits, replace(SETTINGS, way=30, shot=200))
    text = str(caught.value)
    assert "digits (train), examples" in text
    assert "digits (validation), classes: 30 ways asked, 14 classes there" in text


def test_on_a_gpu_training_multiplies_in_tf32_and_leaves_torchs_setting_as_it_was():
    learner, before = tiny("maml", EpisodeSpec("regression", (1,), 1)), torch.get_float32_matmul_precision()
    with precision(learner, "cpu"):
        assert torch.get_float32_matmul_precision() == before
    with precision(learner, "cuda"):  # only torch's settings are asked, so that this needs no GPU
        assert torch.get_float32_matmul_precision() == "high"
    assert torch.get_float32_matmul_precision() == before


def test_adam_is_torchs_and_schedules_fall():
    learner = tiny("maml", EpisodeSpec("regression", (1,), 1))
    training = replace(learner.training, rate=0.01, decay=0.1, clip=0.5)
    torch.manual_seed(0)
    ours = {"a": torch.randn(3, 2), "b": torch.randn(4)}
    theirs = [w.clone().requires_grad_() for w in ours.values()]
    adam, optimiser = torch.optim.AdamW(theirs, lr=0.01, weight_decay=0.1), Optimiser(training, 5)
    state = optimiser.initialise(ours)
    for step in range(5):
        gradients = {k: torch.randn_like(w) for k, w in ours.items()}
        for w, g in zip(theirs, gradients.values(), strict=True):
            w.grad = g.clone()
        torch.nn.utils.clip_grad_norm_(theirs, 0.5)
        adam.step()
        optimiser.move(ours, gradients, state, step)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(ours.values(), theirs, strict=True))
    halving = Optimiser(replace(training, schedule="halving", half_life=2), 5)
    assert [halving.rate(k) for k in range(4)] == [0.01, 0.01, 0.005, 0.005]
    assert Optimiser(replace(training, schedule="linear"), 4).rate(3) == pytest.approx(0.0025)


# ------------------------------------------------------------------------------------------------- checkpoints


def test_a_checkpoint_reads_back_equal(folder, tmp_path):
    state = Checkpoint.load(folder)
    state.save(tmp_path / FILE)
    again = Checkpoint.load(tmp_path)
    assert equal(again.weights, state.weights)
    assert (again.problem, again.random, again.settings) == (state.problem, state.random, state.settings)
    assert any(name.startswith(RUNNING) for name in again.best)


def test_a_save_that_fails_leaves_the_last_whole_checkpoint(folder, tmp_path, monkeypatch):
    state = Checkpoint.load(folder)
    state.save(tmp_path / FILE)

    def broken(file, **arrays):
        file.write(b"half of")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", broken)
    with pytest.raises(OSError, match="disk full"):
        state.save(tmp_path / FILE)
    assert equal(Checkpoint.load(tmp_path).weights, state.weights)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("ran"),))


def test_reading_a_checkpoint_runs_nothing_that_is_in_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / FILE, header=np.array([Evil()], dtype=object))
    with pytest.raises(RunError, match="damaged"):
        Checkpoint.load(tmp_path)
    (tmp_path / FILE).write_bytes(pickle.dumps(Evil()))
    with pytest.raises(RunError, match="damaged"):
        Checkpoint.load(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_of_another_version_is_refused(folder, tmp_path):
    with np.load(folder / FILE) as file:
        arrays = dict(file)
    header = json.loads(arrays["header"].tobytes()) | {"format": 99}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    np.savez(tmp_path / FILE, **arrays)
    with pytest.raises(RunError, match="format 99"):
        Checkpoint.load(tmp_path)


@pytest.mark.parametrize(
    "changed", [{"learner": "protonot"}, {"options": {"depht": 5}}, {}], ids=["learner", "option", "weights"]
)
def test_a_checkpoint_of_a_learner_that_is_another_here_is_refused(folder, tmp_path, changed):
    with np.load(folder / FILE) as file:
        arrays = dict(file)
    header = json.loads(arrays["header"].tobytes()) | changed
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    if not changed:
        del arrays["best/conv0"]
    np.savez(tmp_path / FILE, **arrays)
    with pytest.raises(RunError, match=r"in another version\. Train it again"):
        Checkpoint.load(tmp_path)


# ------------------------------------------------------------------------------------------------- the classifier


def examples(digits, seed: int = 0):
    """Support and query of new classes, as arrays."""
    rng = np.random.default_rng(seed)
    task = digits.test.episode(rng, digits.test.propose(rng, 1, 5), 3, 6).task(0)
    names = np.array(["ant", "bee", "cat", "dog", "elk"])
    arrays = [(part.x.numpy(), names[part.y.numpy()]) for part in task[:2]]
    return (*arrays[0], *arrays[1])


def test_the_classifier_learns_new_classes_from_three_examples_and_explains(folder, digits):
    support_x, support_y, query_x, query_y = examples(digits)
    model = FewShotClassifier("protonet", checkpoint=folder).fit(support_x, support_y)
    assert model.classes_.tolist() == ["ant", "bee", "cat", "dog", "elk"]
    assert np.allclose(model.predict_proba(query_x).sum(1), 1)
    assert model.score(query_x, query_y) > 0.5
    told = model.explain(query_x)
    assert [one["prediction"] for one in told] == model.predict(query_x).tolist()
    drove = [max(one["support"], key=lambda part: part[2]) for one in told]
    assert all(support_y[index] == label for index, label, _ in drove)
    assert np.mean([label == one["prediction"] for one, (_, label, _) in zip(told, drove, strict=True)]) > 0.5
    three = [i for i, label in enumerate(support_y) if label in ("ant", "bee", "cat")]
    assert model.fit(support_x[three], support_y[three]).predict_proba(query_x).shape == (30, 3)


def test_a_gradient_learner_tells_what_adaptation_changed(digits):
    model = FewShotClassifier("maml", options={"width": 8}).meta_fit(
        digits, steps=4, way=3, look_every=4, look_episodes=4, backend="vmap"
    )
    support_x, support_y, query_x, _ = examples(digits)
    with pytest.raises(InputError, match=r"5 classes\. This learner was trained to tell 3 apart"):
        model.fit(support_x, support_y)
    two = np.isin(support_y, ["ant", "bee"])
    told = model.fit(support_x[two], support_y[two]).explain(query_x[:2])
    assert model.predict_proba(query_x).shape == (30, 2)
    assert told[0]["support_loss"][1] < told[0]["support_loss"][0]
    assert max(told[0]["moved"].values()) > 0
    assert told[0]["before"] in ("ant", "bee")
    assert told[0]["kind"] == "log-probability lost when left out"


def test_without_tasks_there_is_nothing_to_adapt():
    with pytest.raises(InputError, match="call meta_fit"):
        FewShotClassifier("protonet").fit(np.zeros((2, 1, 8, 8)), [0, 1])


def test_all_that_is_wrong_with_examples_is_told_at_once(folder):
    trained = Trained.load(folder)
    support = np.zeros((4, 8, 8))
    support[1, 0, 0] = np.nan
    with pytest.raises(InputError) as caught:
        trained.answer(support, ["a", "a", "a"], np.zeros((2, 5, 5)))
    text = str(caught.value)
    for part in (
        "NaN or infinity in 1 examples (row 1)",
        "4 examples and 3 labels",
        "1 class",
        "examples of shape (5, 5)",
    ):
        assert part in text
    flat = trained.answer(np.random.default_rng(0).random((4, 64)), [0, 0, 1, 1], np.zeros((2, 8, 8), dtype=np.uint8))
    assert flat.shape == (2, 2)


def test_tables_are_standardised_for_an_answer_as_they_were_in_training(tmp_path):
    data = load_data("prior")
    learner = tiny("protonet", data.train.problem(2))
    state = train(learner, data, replace(SETTINGS, way=2), training=replace(learner.training, **QUICK))
    trained = Trained.of(replace_origin(state, "prior"))
    x = np.random.default_rng(0).normal(size=(8, 3)) + np.repeat([[0.0], [9.0]], 4, axis=0)
    x[0, 1] = np.nan
    y = [0, 0, 0, 0, 1, 1, 1, 1]
    answered = trained.answer(x, y, x[::2])
    assert np.allclose(trained.answer(100 * x + 7, y, 100 * x[::2] + 7), answered, atol=1e-5)
    with pytest.raises(InputError, match="2 columns where the support has 3"):
        trained.answer(x, y, x[:, :2])


def replace_origin(state: Checkpoint, name: str) -> Checkpoint:
    state.data = {"name": name}
    return state


# ------------------------------------------------------------------------------------------------- the command line


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    return code, shown.out, shown.err


def test_train_resume_eval_and_list_each_print_one_json_value(tmp_path, capsys):
    out = tmp_path / "maml"
    given = [
        "--learner",
        "maml",
        "--data",
        "sinusoid",
        "--shot",
        "5",
        "--steps",
        "6",
        "--look-every",
        "3",
        "--out",
        out,
    ]
    code, printed, told = run(capsys, "fewshot", "train", *given, "--backend", "vmap", "--json")
    assert (code, json.loads(printed)["step"]) == (0, 6)
    assert "validation" in told
    code, printed, _ = run(capsys, "fewshot", "train", *given, "--resume", "--json")
    assert (code, json.loads(printed)["step"]) == (0, 6)
    code, printed, _ = run(capsys, "fewshot", "eval", out, "--episodes", "20", "--set", "test_steps=2", "--json")
    found = json.loads(printed)
    assert (code, found["metric"], found["episodes"], found["shot"]) == (0, "mean_squared_error", 20, 5)
    assert found["mean"] > 0 < found["interval_95"]
    code, printed, _ = run(capsys, "fewshot", "list", "--json")
    listed = json.loads(printed)
    assert {one["name"] for one in listed["learners"]} == set(LEARNERS)
    assert {"omniglot", "images", "tables", "prior"} <= set(listed["data"])
    assert run(capsys, "fewshot", "train", *given)[0] == 3  # there is one already
    assert run(capsys, "fewshot", "eval", tmp_path / "none")[0] == 3


def test_ways_and_shots_vary_and_each_domain_has_its_mean(tmp_path, capsys):
    rng = np.random.default_rng(0)
    counts = rng.integers(4, 30, 40)
    rows = tuple(np.split(np.arange(counts.sum()), np.cumsum(counts)[:-1]))
    x = torch.from_numpy(rng.normal(size=(counts.sum(), 3))).float()
    names, domains = tuple(map(str, range(40))), ("large",) * 32 + ("small",) * 5 + ("few",) * 3
    source = Classes(x, rows, names, domains)
    seen = []
    for _ in range(40):
        episode = varied_episode(rng, source, "large")
        way, kept = episode.classes.shape[1], episode.support.mask[0] > 0
        shots = np.bincount(episode.support.y[0][kept].numpy(), minlength=way)
        assert len(set(episode.classes[0].tolist())) == way
        assert shots.min() >= 1  # of each class something is shown
        queries = np.bincount(episode.query.y[0].numpy(), minlength=way)
        assert len(set(queries.tolist())) == 1
        seen.append((way, tuple(shots), int(queries[0])))
    assert {way for way, _, _ in seen} <= set(range(5, 33))
    assert len({way for way, _, _ in seen}) > 10
    assert any(len(set(shots)) > 1 for _, shots, _ in seen)  # classes are not alike
    assert max(sizes(rng, [1000] * 50)[0].sum() for _ in range(30)) <= 500
    learner = make(LEARNERS["simpleshot"], source.problem(5), {})
    found = evaluate_varied(learner, learner.initialise(torch.Generator()), source, episodes=3)
    assert list(found) == ["large", "small"]  # the third has no five classes
    told = summary(found)
    assert told["mean"] == pytest.approx(np.mean([one.mean for one in found.values()]))
    with pytest.raises(InputError, match="no domain has 5 classes"):
        evaluate_varied(learner, {}, replace(source, domain_of=names), episodes=3)

    given = ["--data", "digits", "--steps", "1", "--look-every", "1", "--train-way", "5"]
    for name in ("protonet", "maml"):
        given = [*given[:8], "--query", "2", "--learner", name, "--set", "width=4", "--out", tmp_path / name]
        assert run(capsys, "fewshot", "train", *given)[0] == 0
    code, printed, _ = run(capsys, "fewshot", "eval", tmp_path / "protonet", "--episodes", "2", "--vary", "--json")
    assert (code, list(json.loads(printed)["domains"])) == (0, ["digits"])
    assert "  digits " in run(capsys, "fewshot", "eval", tmp_path / "protonet", "--episodes", "2", "--vary")[1]
    code, _, told = run(capsys, "fewshot", "eval", tmp_path / "maml", "--episodes", "2", "--vary", "--shot", "1")
    assert code == 2
    assert "--shot 1: and --vary" in told
    code, _, told = run(capsys, "fewshot", "eval", tmp_path / "maml", "--episodes", "2", "--vary")
    assert code == 2
    assert "maml was trained to tell" in told


def test_bad_input_is_told_all_at_once_with_exit_code_2(tmp_path, capsys):
    given = ["--learner", "protonte", "--data", "omniglot", "--path", tmp_path / "no.npz", "--way", "1", "--steps", "x"]
    code, printed, told = run(capsys, "fewshot", "train", *given, "--set", "width", "--backend", "vmpa")
    assert (code, printed) == (2, "")
    for part in ("Did you mean 'protonet'?", "does not exist", "--way 1: must be at least 2", "--steps x", "--out",
                 "--set width: is not NAME=VALUE", "Did you mean 'vmap'?", "brendenlake"):  # fmt: skip
        assert part in told, part
    given = ["--data", "digits", "--shot", "500", "--way", "99", "--out", tmp_path / "o", "--set", "widht=3"]
    code, _, told = run(capsys, "fewshot", "train", *given)
    assert code == 2
    assert "Did you mean 'width'?" in told
    code, _, told = run(capsys, "fewshot", "train", *given[:-2])
    assert code == 2
    assert "that support and query take" in told
    assert "99 ways asked" in told


def test_predict_answers_from_arrays_and_folders_and_explains(folder, digits, tmp_path, capsys):
    support_x, support_y, query_x, query_y = examples(digits)
    np.savez(tmp_path / "support.npz", x=support_x, y=support_y)
    np.savez(tmp_path / "query.npz", x=query_x)
    arguments = ["fewshot", "predict", folder, tmp_path / "support.npz", tmp_path / "query.npz"]
    code, printed, _ = run(capsys, *arguments, "--explain", "--json")
    found = json.loads(printed)
    assert code == 0
    assert found["classes"] == ["ant", "bee", "cat", "dog", "elk"]
    assert np.mean(np.array(found["predictions"]) == query_y) > 0.5
    assert len(found["explanations"]) == 30
    code, printed, _ = run(capsys, *arguments)
    rows = list(csv.DictReader(io.StringIO(printed)))
    assert [row["prediction"] for row in rows] == found["predictions"]
    code, _, told = run(capsys, *arguments[:3], tmp_path / "query.npz", tmp_path / "nothing.csv")
    assert code == 2
    assert "no array y" in told
    assert "nothing.csv: does not exist" in told


def test_predict_reads_folders_of_images(folder, digits, tmp_path, capsys):
    image = pytest.importorskip("PIL.Image")
    support_x, support_y, query_x, _ = examples(digits)
    for i, (x, label) in enumerate(zip(support_x, support_y, strict=True)):
        (tmp_path / "support" / label).mkdir(parents=True, exist_ok=True)
        image.fromarray(np.round(255 * x[0]).astype(np.uint8)).save(tmp_path / "support" / label / f"{i}.png")
    (tmp_path / "query").mkdir()
    image.fromarray(np.round(255 * query_x[0, 0]).astype(np.uint8)).save(tmp_path / "query" / "one.png")
    code, printed, _ = run(capsys, "fewshot", "predict", folder, tmp_path / "support", tmp_path / "query", "--json")
    assert code == 0
    assert json.loads(printed)["names"] == ["one.png"]
    expected = Trained.load(folder).answer(
        np.round(255 * support_x) / 255, support_y, np.round(255 * query_x[:1]) / 255
    )
    assert np.allclose(json.loads(printed)["probabilities"], expected, atol=1e-4)


def test_tables_are_read_with_their_labels(tmp_path):
    (tmp_path / "s.csv").write_text("a,b,kind\n1,2,x\n3,4,y\n5,6,x\n", encoding="utf-8")
    (tmp_path / "q.csv").write_text("a,b\n1,2\n2,3\n3,4\n", encoding="utf-8")
    problem = EpisodeSpec("classification", (2,), 2)
    given = read_examples(tmp_path / "s.csv", problem, labelled=True)
    assert given.x.tolist() == [[1, 2], [3, 4], [5, 6]]
    assert given.y is not None
    assert given.y.tolist() == ["x", "y", "x"]
    assert read_examples(tmp_path / "q.csv", problem, labelled=False).x.shape == (3, 2)
    with pytest.raises(InputError, match="columns that are not numbers: kind"):
        read_examples(tmp_path / "s.csv", problem, labelled=False, target="nothing")
