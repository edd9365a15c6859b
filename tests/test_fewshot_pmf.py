"""P>M>F fine-tunes the last layers of an encoder for each task, changes nothing else, and new classes gain by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from autometa import FewShotClassifier
from autometa.errors import InputError
from autometa.fewshot import EpisodeSpec, Examples, make
from autometa.fewshot.bodies import EncodedSpec
from autometa.fewshot.learners.pmf import MOVES, Pmf, last_layers, moved
from autometa.fewshot.options import OPTIONS

X, y = load_digits(return_X_y=True)
X = (X / 16).astype(np.float32).reshape(-1, 1, 8, 8)
NEW = np.flatnonzero(y >= 7)
IMAGES = EpisodeSpec("classification", (1, 8, 8), 3)


def encoder() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(128, 32)
    )


@pytest.fixture(scope="module")
def pre_trained() -> nn.Sequential:
    """An encoder that learned to tell the digits 0 to 6 apart."""
    made, top = encoder(), nn.Linear(32, 7)
    optimiser = torch.optim.Adam([*made.parameters(), *top.parameters()], 3e-3)
    x, labels = torch.from_numpy(X[y < 7]), torch.from_numpy(y[y < 7])
    for _ in range(8):
        for some in torch.randperm(len(x)).split(64):
            optimiser.zero_grad()
            nn.functional.cross_entropy(top(made(x[some]).relu()), labels[some]).backward()
            optimiser.step()
    return made.eval()


def support(shots: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.choice(NEW[y[NEW] == digit], shots, replace=False) for digit in (7, 8, 9)])


def few(shots: int = 3) -> Examples:
    rows = support(shots)
    return Examples(torch.from_numpy(X[rows]), torch.from_numpy(y[rows] - 7), torch.ones(len(rows)))


def test_new_classes_gain_by_fine_tuning_and_the_encoder_is_not_changed(pre_trained):
    before = {name: w.clone() for name, w in pre_trained.state_dict().items()}
    scores = {}
    for steps in (0, 50):
        model = FewShotClassifier("pmf", encoder=pre_trained, options={"test_steps": steps, "layers": 0})
        model.meta_fit("digits", steps=20, way=3, verbose=False)
        found = []
        for seed in range(3):
            rows = support(10, seed)
            rest = np.setdiff1d(NEW, rows)
            found.append(model.fit(X[rows], y[rows]).score(X[rest], y[rest]))
        scores[steps] = np.mean(found)
    assert scores[50] > scores[0] + 0.03
    assert all(torch.equal(w, before[name]) for name, w in pre_trained.state_dict().items())


@pytest.mark.parametrize("tuned", [False, True])
def test_the_last_layers_alone_move_and_no_statistic_does(pre_trained, tuned):
    def adapted(layers):
        learner = make(Pmf, IMAGES, {"layers": layers, "test_steps": 2}, encoder=pre_trained, tune_encoder=tuned)
        weights = learner.initialise(torch.Generator().manual_seed(0))
        state = learner.adapt(weights, few())
        return {name for name, w in state["moved"].items() if not torch.equal(w, weights[name])}

    mark = "" if tuned else "running."
    last, norm, first = ([f"{mark}encoder/{k}/{part}" for part in ("weight", "bias")] for k in (4, 1, 0))
    assert adapted(1) == set(last)
    assert adapted(2) == {*last, *norm}
    assert adapted(0) == {*last, *norm, *first}


def test_of_a_network_of_its_own_the_last_blocks_move():
    learner = make(Pmf, EpisodeSpec("classification", (1, 28, 28), 3), {"width": 2, "backbone": "resnet12"})
    weights = learner.initialise(torch.Generator().manual_seed(0))
    assert {name[:5] for name in last_layers(learner.problem, weights, 1)} == {"conv3", "norm3"}
    assert len(last_layers(learner.problem, weights, 0)) == sum(name.startswith(("conv", "norm")) for name in weights)
    vectors = make(Pmf, EpisodeSpec("classification", (5,), 3), {"width": 4})
    weights = vectors.initialise(torch.Generator().manual_seed(0))
    names = last_layers(vectors.problem, weights, 1)
    assert names == ["layer1", "layer1_bias", "norm1_scale", "norm1_shift"]


def test_its_steps_are_those_of_adam_on_a_naive_loss_that_leaves_each_example_out(pre_trained):
    learner = make(Pmf, IMAGES, {"layers": 1, "test_steps": 7}, encoder=pre_trained)
    weights = learner.initialise(torch.Generator().manual_seed(0))
    examples = few(4)
    found = learner.adapt(weights, examples)["moved"]
    top = nn.Linear(128, 32)
    top.load_state_dict(pre_trained[4].state_dict())
    optimiser = torch.optim.Adam(top.parameters(), learner.rate, OPTIONS.adam_betas, OPTIONS.adam_epsilon)
    body, sharp = pre_trained[:4], float(weights["sharpness"].exp())
    for step in range(7):
        with torch.no_grad():
            h, q = body(examples.x), body(moved(examples.x, step))
        h, q = (nn.functional.normalize(top(part), dim=1) for part in (h, q))
        losses = []
        for i, label in enumerate(examples.y):
            logits = []
            for c in range(3):
                mean = h[examples.y == c].mean(0)
                away = (q[i] - mean).square().sum()
                logits.append(-sharp * away * ((4 / 3) ** 2 if c == label else 1))
            losses.append(nn.functional.cross_entropy(torch.stack(logits)[None], label[None]))
        optimiser.zero_grad()
        torch.stack(losses).mean().backward()
        optimiser.step()
    torch.testing.assert_close(found["running.encoder/4/weight"], top.weight.detach(), atol=1e-5, rtol=1e-4)
    # and of an example that is not moved that factor is what leaving it out of its mean is
    mine, others = h[examples.y == 0][0], h[examples.y == 0][1:]
    away = (mine - h[examples.y == 0].mean(0)).square().sum() * (4 / 3) ** 2
    torch.testing.assert_close(away, (mine - others.mean(0)).square().sum())


def test_an_image_is_moved_and_its_edge_repeated():
    x = torch.rand((2, 3, 24, 24), generator=torch.Generator().manual_seed(0))
    most = round(24 * OPTIONS.cropped_share)
    padded = nn.functional.pad(x, [most] * 4, mode="replicate")
    for step, (down, across) in enumerate(MOVES):
        top, left = most * (1 + down), most * (1 + across)
        assert torch.equal(moved(x, step), padded[..., top : top + 24, left : left + 24])
    assert torch.equal(moved(x, 1), moved(x, 1 + len(MOVES)))


def test_it_explains_and_is_kept_and_numbers_that_cannot_be_are_refused_together(pre_trained, tmp_path):
    model = FewShotClassifier("pmf", options={"width": 4, "test_steps": 3}).meta_fit(
        "digits", steps=2, way=3, verbose=False
    )
    rows = support(2)
    model.fit(X[rows], y[rows])
    [said] = model.explain(X[NEW[:1]])
    assert said["kind"] == "attention"
    model.save(tmp_path)
    again = FewShotClassifier.load(tmp_path).fit(X[rows], y[rows])
    np.testing.assert_allclose(again.predict_proba(X[NEW[:9]]), model.predict_proba(X[NEW[:9]]), atol=1e-6)
    with pytest.raises(InputError) as refused:
        make(Pmf, IMAGES, {"layers": -1, "rate": "nan", "test_steps": -2})
    assert len(refused.value.problems) == 3
    spec = EncodedSpec.of(IMAGES, pre_trained)
    assert replace(make(Pmf, IMAGES, encoder=pre_trained), problem=spec).training.rate == OPTIONS.head_rate
